// Red when: a capture that is cut, foreign, damaged or incomplete makes the judge crash, run
// without end, or accuse somebody of what the capture did not show.
#include <boost/test/unit_test.hpp>
#include <random>

#include "harness/judge/frames.h"
#include "harness/judge/tests/story.h"

using namespace tsih;
using namespace tsih::judge;
using namespace tsih::judge::testing;

namespace {

constexpr unsigned kSeed = 20260301;

/// Blocks of pcapng around what a pcap file holds: two interfaces, the frames on the second.
Bytes as_pcapng(const Bytes& pcap) {
  Bytes out;
  const auto word = [&](std::uint32_t value) {
    for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  const auto block = [&](std::uint32_t type, const std::vector<std::uint32_t>& words,
                         std::span<const std::uint8_t> data = {}) {
    const auto padding = static_cast<std::uint32_t>((4 - data.size() % 4) % 4);
    const auto bytes = static_cast<std::uint32_t>(12 + words.size() * 4 + data.size() + padding);
    word(type);
    word(bytes);
    for (std::uint32_t one : words) word(one);
    out.insert(out.end(), data.begin(), data.end());
    out.insert(out.end(), padding, 0);
    word(bytes);
  };
  block(0x0a0d0d0a, {0x1a2b3c4d, 0x00000001, 0xffffffff, 0xffffffff});
  block(1, {101, 0});
  block(1, {1, 0});
  auto reader = FrameReader::open(pcap);
  while (const auto frame = reader->next())
    block(6, {1, 0, 0, static_cast<std::uint32_t>(frame->bytes.size()), frame->original_bytes},
          frame->bytes);
  return out;
}

std::uint64_t breaches(const Report& report) {
  std::uint64_t broken = 0;
  for (const auto& parties : report.tallies)
    for (const Tally& tally : parties) broken += tally.broken;
  return broken;
}

/// Frames of a pcap file, to be put into another order.
struct Frames {
  Bytes header;
  std::vector<Bytes> records;
  explicit Frames(const Bytes& file) : header(file.begin(), file.begin() + 24) {
    for (std::size_t at = 24; at < file.size();) {
      const std::size_t bytes = 16 + (file[at + 10] << 8 | file[at + 11]);
      records.emplace_back(file.begin() + static_cast<std::ptrdiff_t>(at),
                           file.begin() + static_cast<std::ptrdiff_t>(at + bytes));
      at += bytes;
    }
  }
  Bytes file() const {
    Bytes out = header;
    for (const Bytes& record : records) out.insert(out.end(), record.begin(), record.end());
    return out;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(robust)

BOOST_AUTO_TEST_CASE(pcapng_says_the_same) {
  Story story;
  story.tell();
  const auto report = judge_capture(as_pcapng(story.scribe.file()));
  BOOST_REQUIRE(report.has_value());
  BOOST_TEST(report->pdus == 41u);
  BOOST_TEST(breaches(*report) == 0u);
}

BOOST_AUTO_TEST_CASE(any_port_is_found_by_its_login) {
  Story story;
  story.scribe.target_port = 12345;
  story.tell();
  const Report report = story.judge();
  BOOST_TEST(report.connections_seen == 1u);
  BOOST_TEST(report.pdus == 41u);
}

BOOST_AUTO_TEST_CASE(frames_twice_and_the_wrong_way_round) {
  Story story;
  story.tell();
  Frames frames(story.scribe.file());
  std::vector<Bytes> records;
  for (const Bytes& record : frames.records) {
    records.push_back(record);
    records.push_back(record);
  }
  frames.records = records;
  const auto doubled = judge_capture(frames.file());
  BOOST_TEST(doubled->pdus == 41u);
  BOOST_TEST(breaches(*doubled) == 0u);

  Frames swapped(story.scribe.file());
  for (std::size_t i = 3; i + 1 < swapped.records.size(); ++i) {
    const auto& one = swapped.records[i];
    const auto& two = swapped.records[i + 1];
    const bool same_side = one[16 + 26 + 3] == two[16 + 26 + 3];
    if (same_side && one.size() > 16 + 54 && two.size() > 16 + 54) {
      std::swap(swapped.records[i], swapped.records[i + 1]);
      ++i;
    }
  }
  const auto out_of_order = judge_capture(swapped.file());
  BOOST_TEST(out_of_order->pdus == 41u);
  BOOST_TEST(breaches(*out_of_order) == 0u);
}

BOOST_AUTO_TEST_CASE(a_pdu_that_the_capture_lacks_accuses_nobody) {
  for (const char* label : {"login1",       "login1.answer", "login2.answer", "read",
                            "read.data1",   "read.data2",    "write",         "write.unsolicited",
                            "write.r2t",    "write.data1",   "write.status",  "ping",
                            "ping.answer",  "pong",          "pong.answer",   "abort",
                            "abort.answer", "ask",           "ask.part",      "ask.last",
                            "logout"}) {
    Story story;
    story.unseen = {label};
    const std::string broken = story.broken();
    BOOST_TEST(broken == "", "without " << label << ": " << broken);
  }
}

BOOST_AUTO_TEST_CASE(a_capture_that_begins_late_accuses_nobody) {
  Story story;
  story.tell();
  const Frames whole(story.scribe.file());
  for (std::size_t first = 1; first < whole.records.size(); ++first) {
    Frames late = whole;
    late.records.erase(late.records.begin(),
                       late.records.begin() + static_cast<std::ptrdiff_t>(first));
    const auto report = judge_capture(late.file());
    BOOST_TEST(breaches(*report) == 0u,
               "without the first " << first << " frames: " << broken_rules(*report));
  }
}

BOOST_AUTO_TEST_CASE(short_frames_accuse_nobody) {
  for (std::size_t snap_bytes : {60u, 96u, 128u, 300u, 560u}) {
    Story story;
    story.scribe.snap_bytes = snap_bytes;
    const std::string broken = story.broken();
    BOOST_TEST(broken == "", "snapped at " << snap_bytes << ": " << broken);
    BOOST_TEST(story.judge().cut_frames > 0u);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_capture_is_refused) {
  BOOST_TEST(!judge_capture({}).has_value());
  BOOST_TEST(!judge_capture(Bytes(1000, 'x')).has_value());
  Story story;
  story.tell();
  const Bytes& file = story.scribe.file();
  const auto cut = judge_capture(std::span(file).first(file.size() - 7));
  BOOST_REQUIRE(cut.has_value());
  BOOST_TEST(!cut->broken_off.empty());
}

BOOST_AUTO_TEST_CASE(a_foreign_conversation_is_not_judged) {
  const std::string request = "GET / HTTP/1.1\r\nHost: example.org\r\nAccept: text/plain\r\n\r\n";
  for (std::uint16_t port : {std::uint16_t{8080}, std::uint16_t{3260}}) {
    Scribe scribe;
    scribe.target_port = port;
    scribe.open(50000);
    scribe.send(50000, From::initiator, Bytes(request.begin(), request.end()));
    scribe.close(50000, From::target);
    const auto report = judge_capture(scribe.file());
    BOOST_REQUIRE(report.has_value());
    BOOST_TEST(report->connections_seen == 0u, "on port " << port);
    BOOST_TEST(report->foreign == 1u, "on port " << port);
    BOOST_TEST(breaches(*report) == 0u, "on port " << port);
  }
}

// More connections than are followed at a time: the rest is counted, and said.
BOOST_AUTO_TEST_CASE(a_flood_of_connections_is_bounded) {
  Scribe scribe;
  constexpr std::uint16_t kFirstPort = 10000, kMore = 50;
  for (std::size_t i = 0; i < limits::kConnections + kMore; ++i)
    scribe.open(static_cast<std::uint16_t>(kFirstPort + i));
  const auto report = judge_capture(scribe.file());
  BOOST_REQUIRE(report.has_value());
  BOOST_TEST(report->not_followed == kMore);
}

// Bytes changed everywhere, in both formats: under the sanitizers nothing but an end counts.
BOOST_AUTO_TEST_CASE(damaged_captures_end) {
  std::mt19937 random(kSeed);
  Story story;
  story.digests = true;
  story.tell();
  const Bytes formats[] = {story.scribe.file(), as_pcapng(story.scribe.file())};
  for (unsigned round = 0; round < 400; ++round) {
    Bytes file = formats[round % 2];
    const auto changes = 1 + random() % 40;
    for (std::size_t i = 0; i < changes; ++i) {
      const std::size_t at = random() % file.size();
      file[at] = static_cast<std::uint8_t>(random());
    }
    if (round % 5 == 0) file.resize(random() % file.size());
    const auto report = judge_capture(file);
    BOOST_TEST((!report.has_value() || report->frames <= file.size()));
  }
}

BOOST_AUTO_TEST_SUITE_END()
