// Red when: TCP is put together wrongly (a segment lost, doubled or out of its order), digests are
// not followed, or another port's traffic is taken for iSCSI.
#include "harness/judge/capture.h"

#include <tins/tins.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "harness/wire/text.h"

using namespace tsih;
using wire::Bytes;
using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

namespace {

/// Writes frames of one TCP connection into a pcap file.
class Scribe {
 public:
  explicit Scribe(std::uint16_t port)
      : path_(std::filesystem::temp_directory_path() /
              ("tsih-capture-test-" + std::to_string(getpid()) + ".pcap")),
        port_(port),
        writer_(std::in_place, path_.string(), Tins::DataLinkType<Tins::EthernetII>()) {
    frame(true, {}, Tins::TCP::SYN);
    frame(false, {}, Tins::TCP::SYN | Tins::TCP::ACK);
    frame(true, {}, Tins::TCP::ACK);
  }
  ~Scribe() { std::filesystem::remove(path_); }

  void initiator(const Bytes& bytes) { frame(true, bytes, Tins::TCP::ACK | Tins::TCP::PSH); }
  void target(const Bytes& bytes) { frame(false, bytes, Tins::TCP::ACK | Tins::TCP::PSH); }
  /// The second half goes onto the wire before the first, and the first twice.
  void initiator_out_of_order(const Bytes& bytes) {
    const auto half = static_cast<std::ptrdiff_t>(bytes.size() / 2);
    const Bytes first(bytes.begin(), bytes.begin() + half);
    const Bytes second(bytes.begin() + half, bytes.end());
    const std::uint32_t at = client_seq_;
    client_seq_ = at + static_cast<std::uint32_t>(half);
    initiator(second);
    for (int i = 0; i < 2; ++i) {
      client_seq_ = at;
      initiator(first);
    }
    client_seq_ = at + static_cast<std::uint32_t>(bytes.size());
  }

  /// As tsih-lab marks what it did: a frame of its own, padded to Ethernet's least length.
  void mark(const std::string& text) {
    Bytes payload(text.begin(), text.end());
    payload.resize(46);
    Tins::EthernetII packet = Tins::EthernetII() / Tins::RawPDU(payload);
    packet.payload_type(0x88B5);
    writer_->write(packet);
  }

  std::vector<wire::Rung> rungs;   // what their views show is gone
  std::vector<std::string> words;  // of each rung: its ends and its note
  std::vector<Pdu> pdus;
  void read() {
    writer_.reset();  // its frames are in the file now
    const std::uint16_t ports[] = {3260};
    judge::read_capture(path_.string(), ports, [&](const wire::Rung& rung) {
      if (rung.pdu) pdus.push_back(*rung.pdu);
      rungs.push_back(rung);
      words.push_back(std::string(rung.initiator) + "|" + std::string(rung.target) + "|" +
                      std::string(rung.note));
    });
  }

 private:
  void frame(bool from_client, const Bytes& bytes, int flags) {
    std::uint32_t& seq = from_client ? client_seq_ : server_seq_;
    Tins::TCP tcp(from_client ? port_ : 50000, from_client ? 50000 : port_);
    tcp.seq(seq);
    tcp.ack_seq(from_client ? server_seq_ : client_seq_);
    tcp.flags(Tins::small_uint<12>(static_cast<std::uint16_t>(flags)));
    seq += static_cast<std::uint32_t>(bytes.size()) + ((flags & Tins::TCP::SYN) ? 1 : 0);
    Tins::EthernetII packet =
        Tins::EthernetII() /
        Tins::IP(from_client ? "10.0.0.2" : "10.0.0.1", from_client ? "10.0.0.1" : "10.0.0.2") /
        tcp / Tins::RawPDU(bytes);
    writer_->write(packet);
  }

  std::filesystem::path path_;
  std::uint16_t port_;
  std::optional<Tins::PacketWriter> writer_;
  std::uint32_t client_seq_ = 1000;
  std::uint32_t server_seq_ = 0xfffffff0;  // wraps around within the test
};

Bytes login(bool response, const wire::TextKeys& keys) {
  Pdu pdu(response ? Opcode::login_response : Opcode::login_request);
  pdu.set(field::transit, 1).set(field::csg, 1).set(field::nsg, 3);
  pdu.data = wire::encode_text(keys);
  return wire::encode(pdu);
}

Bytes ping(std::uint32_t tag, const wire::Digests& digests = {}) {
  Pdu pdu(Opcode::nop_out);
  pdu.set(field::initiator_task_tag, tag);
  pdu.data.assign(40, 7);
  return wire::encode(pdu, digests);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(capture)

BOOST_AUTO_TEST_CASE(pdus_in_order_with_frames_and_sides) {
  Scribe scribe(3260);
  scribe.initiator(login(false, {{"InitiatorName", "iqn.x"}}));
  scribe.target(login(true, {{"TargetPortalGroupTag", "1"}}));
  scribe.initiator(ping(5));
  scribe.read();
  BOOST_REQUIRE_EQUAL(scribe.rungs.size(), 4u);
  BOOST_TEST(scribe.rungs[0].event == "open");
  BOOST_TEST((scribe.rungs[1].from == wire::From::initiator));
  BOOST_TEST(scribe.rungs[1].frame == 4u);
  BOOST_TEST((scribe.rungs[2].from == wire::From::target));
  BOOST_TEST(scribe.rungs[3].frame == 6u);
  BOOST_TEST(scribe.pdus[2][field::initiator_task_tag] == 5u);
}

BOOST_AUTO_TEST_CASE(both_ends_are_named_and_marks_of_the_lab_are_told) {
  Scribe scribe(3260);
  scribe.mark("guest one is paused");
  scribe.initiator(ping(5));
  scribe.read();
  BOOST_REQUIRE_EQUAL(scribe.rungs.size(), 3u);
  BOOST_TEST(scribe.words[0] == "10.0.0.1:50000|10.0.0.2:3260|");
  BOOST_TEST(scribe.rungs[1].event == "note");
  BOOST_TEST(scribe.words[1] == "||fault: guest one is paused");
  BOOST_TEST(scribe.rungs[1].frame == 4u);
}

BOOST_AUTO_TEST_CASE(segments_out_of_order_and_doubled) {
  Scribe scribe(3260);
  scribe.initiator_out_of_order(ping(1));
  scribe.initiator_out_of_order(ping(2));
  scribe.read();
  BOOST_REQUIRE_EQUAL(scribe.pdus.size(), 2u);
  BOOST_TEST(scribe.pdus[0][field::initiator_task_tag] == 1u);
  BOOST_TEST(scribe.pdus[1][field::initiator_task_tag] == 2u);
}

BOOST_AUTO_TEST_CASE(digests_begin_after_the_login_that_agrees_on_them) {
  Scribe scribe(3260);
  scribe.initiator(login(false, {{"HeaderDigest", "CRC32C,None"}, {"DataDigest", "CRC32C"}}));
  scribe.target(login(true, {{"HeaderDigest", "CRC32C"}, {"DataDigest", "CRC32C"}}));
  scribe.initiator(ping(1, {.header = true, .data = true}));
  scribe.initiator(ping(2, {.header = true, .data = true, .spoil_data = true}));
  scribe.read();
  BOOST_REQUIRE_EQUAL(scribe.pdus.size(), 4u);
  BOOST_TEST((scribe.pdus[2].header_digest_ok && scribe.pdus[2].data_digest_ok));
  BOOST_TEST(scribe.pdus[3].header_digest_ok);
  BOOST_TEST(!scribe.pdus[3].data_digest_ok);
}

BOOST_AUTO_TEST_CASE(other_ports_are_left_alone) {
  Scribe scribe(8080);
  scribe.initiator(ping(1));
  scribe.read();
  BOOST_TEST(scribe.rungs.empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_capture_is_told) {
  const std::uint16_t ports[] = {3260};
  BOOST_CHECK_THROW(judge::read_capture("/etc/hostname", ports, [](const wire::Rung&) {}),
                    std::runtime_error);
  BOOST_CHECK_THROW(judge::read_capture("/no/such/file", ports, [](const wire::Rung&) {}),
                    std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()
