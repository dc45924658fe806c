// The incremental reader: every stream again, split at every boundary; limits; digests.
#include "target/wire/reader.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

#include "target/wire/text.h"

namespace tsihd::wire {
namespace {

using Bytes = std::vector<std::byte>;
using Event = PduReader::Event;

/// What a reader said, as text that can be compared.
struct Transcript {
  std::string text;
  void add(Event event, const Pdu& pdu) {
    if (event == Event::pdu)
      text += "pdu " + std::to_string(pdu.initiator_task_tag()) + " ahs " +
              std::to_string(pdu.ahs().size()) + " " + std::string(as_text(pdu.data)) +
              (pdu.data_digest_ok ? "\n" : " data digest!\n");
    if (event == Event::header_digest_error) text += "header digest!\n";
    if (event == Event::data_segment_too_long)
      text += "too long: " + std::to_string(pdu.bhs().data_segment_bytes) + "\n";
  }
};

NopOutBhs nop(std::uint32_t tag) {
  NopOutBhs bhs;
  bhs.initiator_task_tag = tag;
  return bhs;
}

void append_with_ahs(Bytes& out, std::uint32_t tag, std::string_view data, Digests digests) {
  Bytes whole;
  NopOutBhs bhs = nop(tag);
  bhs.total_ahs_words = 2;
  append_pdu(whole, bhs, as_bytes(data), {.header = false, .data = digests.data});
  const Bytes ahs(8, std::byte{0x5a});
  whole.insert(whole.begin() + kBhsBytes, ahs.begin(), ahs.end());
  if (digests.header) {
    std::byte digest[4];
    store_digest(crc32c(std::span(whole).first(kBhsBytes + 8)), digest);
    whole.insert(whole.begin() + kBhsBytes + 8, digest, digest + 4);
  }
  out.insert(out.end(), whole.begin(), whole.end());
}

// Empty, odd-sized and padded data, an AHS with and without data.
Bytes stream(Digests digests) {
  Bytes out;
  append_pdu(out, nop(1), {}, digests);
  append_pdu(out, nop(2), as_bytes("x"), digests);
  append_with_ahs(out, 3, "", digests);
  append_pdu(out, nop(4), as_bytes("four"), digests);
  append_with_ahs(out, 5, "seven b", digests);
  append_pdu(out, nop(6), as_bytes(std::string(150, 'd')), digests);
  return out;
}

std::string read(const Bytes& bytes, Digests digests, auto size_of_read) {
  PduReader reader;
  reader.set_digests(digests);
  Transcript transcript;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(bytes.size() - at, size_of_read(at));
    // A copy that ends where the read ends, so that the sanitizer sees a look beyond it.
    const Bytes part(bytes.begin() + at, bytes.begin() + at + size);
    reader.feed(part);
    Pdu pdu;
    Event event;
    while ((event = reader.next(pdu)) != Event::need_more) {
      transcript.add(event, pdu);
      if (event != Event::pdu) return transcript.text;
    }
    at += size;
  }
  return transcript.text;
}

constexpr Digests kAllDigests[] = {{false, false}, {true, false}, {false, true}, {true, true}};

// Red when: a PDU cut at some byte comes out differently, twice or not at all.
BOOST_AUTO_TEST_CASE(split_at_every_boundary) {
  for (const Digests digests : kAllDigests) {
    const Bytes bytes = stream(digests);
    const std::string whole = read(bytes, digests, [&](auto) { return bytes.size(); });
    BOOST_TEST(std::count(whole.begin(), whole.end(), '\n') == 6);
    BOOST_TEST(whole.find('!') == std::string::npos);
    for (std::size_t cut = 1; cut < bytes.size(); ++cut)
      BOOST_REQUIRE(read(bytes, digests, [&](auto at) { return at < cut ? cut - at : 10000; }) ==
                    whole);
    for (std::size_t step : {1u, 2u, 3u, 47u, 48u, 49u, 97u})
      BOOST_REQUIRE(read(bytes, digests, [&](auto) { return std::size_t{step}; }) == whole);
  }
}

// Two cuts around each PDU's inner borders: header, AHS, digest, data, padding.
BOOST_AUTO_TEST_CASE(split_at_every_pair_of_boundaries) {
  const Digests digests{true, true};
  Bytes bytes;
  append_with_ahs(bytes, 7, "seven b", digests);
  append_pdu(bytes, nop(8), as_bytes("y"), digests);
  const std::string whole = read(bytes, digests, [&](auto) { return bytes.size(); });
  for (std::size_t first = 1; first < bytes.size(); ++first)
    for (std::size_t second = first + 1; second < bytes.size(); ++second)
      BOOST_REQUIRE(read(bytes, digests, [&](std::size_t at) {
                      return at < first ? first - at : at < second ? second - at : 10000;
                    }) == whole);
}

// Red when: a PDU that lies whole in the read is copied.
BOOST_AUTO_TEST_CASE(whole_pdus_are_not_copied) {
  Bytes bytes;
  append_pdu(bytes, nop(1), as_bytes("data"));
  append_pdu(bytes, nop(2), as_bytes("more"));
  PduReader reader;
  reader.feed(bytes);
  Pdu pdu;
  BOOST_REQUIRE((reader.next(pdu) == Event::pdu));
  BOOST_TEST((pdu.header.data() == bytes.data()));
  BOOST_TEST((pdu.data.data() == bytes.data() + 48));
  BOOST_TEST(reader.unread().size() == 52u);
  BOOST_REQUIRE((reader.next(pdu) == Event::pdu));
  BOOST_TEST((pdu.header.data() == bytes.data() + 52));
  BOOST_TEST((reader.next(pdu) == Event::need_more));
}

// R3720-12.12: a length above the maximum is an event with the header, before its data is awaited,
// and it stays. Red when memory is taken for it, or when the reader goes on.
BOOST_AUTO_TEST_CASE(data_segment_above_the_maximum) {
  for (const std::uint32_t length : {8193u, kMaxDataSegmentBytes}) {
    NopOutBhs bhs = nop(9);
    bhs.data_segment_bytes = length;
    for (std::size_t cut = 1; cut <= 48; ++cut) {
      PduReader reader;
      Bytes bytes(48);
      std::memcpy(bytes.data(), &bhs, 48);
      Pdu pdu;
      reader.feed(std::span(bytes).first(cut));
      if (cut < 48) {
        BOOST_REQUIRE((reader.next(pdu) == Event::need_more));
        reader.feed(std::span(bytes).subspan(cut));
      }
      BOOST_REQUIRE((reader.next(pdu) == Event::data_segment_too_long));
      BOOST_TEST(pdu.initiator_task_tag() == 9u);
      BOOST_TEST((reader.next(pdu) == Event::data_segment_too_long));
      BOOST_TEST(reader.space().empty());
    }
  }
  Bytes just_right;
  append_pdu(just_right, nop(10), Bytes(8192));
  PduReader reader;
  Pdu pdu;
  reader.feed(just_right);
  BOOST_TEST((reader.next(pdu) == Event::pdu));
}

// R3720-6.7: every wrong bit of a header is found, wherever it is, and no length of it is believed.
BOOST_AUTO_TEST_CASE(header_digest_errors) {
  const Digests digests{true, false};
  Bytes good;
  append_pdu(good, nop(1), as_bytes("data"), digests);
  for (std::size_t i = 0; i < 52; ++i) {
    if (i == 4) continue;  // TotalAHSLength says where the digest is: below
    Bytes bad = good;
    bad[i] ^= std::byte{0x10};
    BOOST_REQUIRE(read(bad, digests, [](auto) { return std::size_t{7}; }) == "header digest!\n");
  }
  Bytes bad = good;
  bad[4] = std::byte{255};
  bad.resize(48 + 1020 + 4);
  BOOST_TEST(read(bad, digests, [&](auto) { return std::size_t{100}; }) == "header digest!\n");
}

// Red when only the first header of a stream is checked, or when a reader that has failed takes up
// again with what is fed next.
BOOST_AUTO_TEST_CASE(errors_in_later_pdus_are_final) {
  const Digests digests{true, false};
  Bytes good;
  append_pdu(good, nop(1), as_bytes("data"), digests);
  Bytes bad = good;
  bad[20] ^= std::byte{1};
  NopOutBhs long_bhs = nop(2);
  long_bhs.data_segment_bytes = 9000;
  Bytes too_long(52);
  std::memcpy(too_long.data(), &long_bhs, 48);
  store_digest(crc32c(std::span(too_long).first(48)), too_long.data() + 48);
  for (const auto& [second, event] : {std::pair{bad, Event::header_digest_error},
                                      std::pair{too_long, Event::data_segment_too_long}}) {
    Bytes bytes = good;
    bytes.insert(bytes.end(), second.begin(), second.end());
    for (const std::size_t cut : {bytes.size(), good.size() + 10}) {
      PduReader reader;
      reader.set_digests(digests);
      Pdu pdu;
      reader.feed(std::span(bytes).first(cut));
      BOOST_REQUIRE((reader.next(pdu) == Event::pdu));
      if (cut < bytes.size()) {
        BOOST_REQUIRE((reader.next(pdu) == Event::need_more));
        reader.feed(std::span(bytes).subspan(cut));
      }
      BOOST_REQUIRE((reader.next(pdu) == event));
      reader.feed(good);
      BOOST_TEST((reader.next(pdu) == event));
    }
  }
}

// R3720-6.7: a data digest error is the PDU's, the stream goes on. Padding is covered (10.2.3).
BOOST_AUTO_TEST_CASE(data_digest_errors) {
  const Digests digests{false, true};
  Bytes good;
  append_pdu(good, nop(1), as_bytes("odd"), digests);
  const std::size_t first = good.size();
  append_pdu(good, nop(2), as_bytes("next"), digests);
  for (std::size_t i = 48; i < first; ++i) {
    Bytes bad = good;
    bad[i] ^= std::byte{1};
    const std::string said = read(bad, digests, [](auto) { return std::size_t{50}; });
    BOOST_TEST(std::count(said.begin(), said.end(), '!') == 1);
    BOOST_TEST(said.ends_with("pdu 2 ahs 0 next\n"));
  }
}

// R3720-12.1-02: digests begin between two PDUs of one read.
BOOST_AUTO_TEST_CASE(digests_switched_between_pdus) {
  Bytes bytes;
  append_pdu(bytes, nop(1), as_bytes("plain"));
  append_pdu(bytes, nop(2), as_bytes("digested"), {true, true});
  PduReader reader;
  Pdu pdu;
  reader.feed(bytes);
  BOOST_REQUIRE((reader.next(pdu) == Event::pdu));
  reader.set_digests({true, true});
  BOOST_REQUIRE((reader.next(pdu) == Event::pdu));
  BOOST_TEST(pdu.data_digest_ok);
  BOOST_TEST(as_text(pdu.data) == "digested");
}

// A large data segment in small reads, half of them straight into space(): each byte is moved once,
// so that this takes milliseconds and not minutes.
BOOST_AUTO_TEST_CASE(large_segments_through_space) {
  Bytes data(8u << 20);
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<std::byte>(i * 2654435761u >> 24);
  Bytes bytes;
  append_pdu(bytes, nop(1), data, {true, true});
  PduReader reader;
  reader.set_digests({true, true});
  reader.set_max_data_segment_bytes(static_cast<std::uint32_t>(data.size()));
  Pdu pdu;
  Event event = Event::need_more;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(1448, bytes.size() - at);
    const auto part = std::span(bytes).subspan(at, size);
    const std::size_t direct = std::min(reader.space().size(), size);
    std::copy_n(part.begin(), direct, reader.space().begin());
    reader.commit(direct);
    reader.feed(part.subspan(direct));
    at += size;
    event = reader.next(pdu);
    if (at < bytes.size()) BOOST_REQUIRE((event == Event::need_more));
  }
  BOOST_REQUIRE((event == Event::pdu));
  BOOST_TEST(pdu.data_digest_ok);
  BOOST_TEST((std::equal(pdu.data.begin(), pdu.data.end(), data.begin(), data.end())));
}

}  // namespace
}  // namespace tsihd::wire
