#include "harness/judge/capture.h"

#include <fmt/format.h>
#include <tins/tcp_ip/stream_follower.h>
#include <tins/tins.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>

#include "harness/wire/reader.h"
#include "harness/wire/text.h"

namespace tsih::judge {
namespace {

using Tins::TCPIP::Stream;
using wire::From;
using wire::Pdu;

constexpr std::size_t kLimitDataBytes = (1u << 24) - 1;  // what the header's 24 bits can say
constexpr std::size_t kLimitOutOfOrderBytes = 8u << 20;
constexpr std::uint16_t kLabMarkType = 0x88B5;

// Where in the capture we are; written by the packet loop, read by the callbacks below it.
struct Place {
  std::uint64_t frame = 0;
  double t_ms = 0;
};

/// One TCP connection: a reader for each direction, and what the login agreed about digests.
class Talk {
 public:
  Talk(unsigned number, const Place& place, const std::function<void(const wire::Rung&)>& on_rung)
      : number_(number),
        place_(place),
        on_rung_(on_rung),
        readers_{wire::PduReader(kLimitDataBytes), wire::PduReader(kLimitDataBytes)} {}

  void tell(From from, std::string_view event, std::string_view note, const Pdu* pdu = nullptr) {
    on_rung_({.t_ms = place_.t_ms,
              .from = from,
              .connection = number_,
              .event = event,
              .pdu = pdu,
              .note = note,
              .frame = place_.frame});
  }

  void open(std::string_view initiator, std::string_view target, std::string_view note) {
    on_rung_({.t_ms = place_.t_ms,
              .from = From::initiator,
              .connection = number_,
              .event = "open",
              .note = note,
              .frame = place_.frame,
              .initiator = initiator,
              .target = target});
  }

  void feed(From from, const std::vector<std::uint8_t>& bytes) {
    auto& reader = readers_[from == From::target];
    if (!reader.broken().empty()) return;
    reader.feed(bytes);
    while (auto pdu = reader.next()) {
      tell(from, "pdu", {}, &*pdu);
      follow_login(*pdu);
    }
    if (!reader.broken().empty()) tell(from, "note", reader.broken());
  }

 private:
  // Digests are agreed in login text and begin after the final response (R3720-12.1-02).
  void follow_login(const Pdu& pdu) {
    const bool response = pdu.is(wire::Opcode::login_response);
    if (!response && !pdu.is(wire::Opcode::login_request)) return;
    const auto parsed = wire::parse_text(pdu.data);
    if (const auto value = parsed.keys.value("HeaderDigest")) header_ = *value == "CRC32C";
    if (const auto value = parsed.keys.value("DataDigest")) data_ = *value == "CRC32C";
    namespace field = wire::field;
    if (response && pdu[field::status] == 0 && pdu[field::transit] && pdu[field::nsg] == 3)
      for (auto& reader : readers_) reader.expect_digests(header_, data_);
  }

  unsigned number_;
  const Place& place_;
  const std::function<void(const wire::Rung&)>& on_rung_;
  std::array<wire::PduReader, 2> readers_;  // of what the initiator says, of what the target says
  bool header_ = false;
  bool data_ = false;
};

// address:port of one end, IPv6 in brackets.
std::string address(const Stream& stream, bool client) {
  const auto port = client ? stream.client_port() : stream.server_port();
  if (stream.is_v6())
    return fmt::format(
        "[{}]:{}", (client ? stream.client_addr_v6() : stream.server_addr_v6()).to_string(), port);
  return fmt::format(
      "{}:{}", (client ? stream.client_addr_v4() : stream.server_addr_v4()).to_string(), port);
}

class Follower {
 public:
  Follower(std::span<const std::uint16_t> ports,
           const std::function<void(const wire::Rung&)>& on_rung)
      : ports_(ports), on_rung_(on_rung) {
    follower_.new_stream_callback([this](Stream& stream) { begin(stream); });
    follower_.stream_termination_callback(
        [](Stream&, Tins::TCPIP::StreamFollower::TerminationReason) {});
    follower_.follow_partial_streams(true);
  }

  void take(Tins::Packet& packet) {
    ++place_.frame;
    const auto now = std::chrono::microseconds(packet.timestamp());
    if (!start_) start_ = now;
    place_.t_ms = std::chrono::duration<double, std::milli>(now - *start_).count();
    if (!packet.pdu()) return;
    if (packet.pdu()->find_pdu<Tins::TCP>())
      follower_.process_packet(packet);
    else
      tell_mark(*packet.pdu());
  }

 private:
  // What the lab did to the guests or the wire stands in its captures as a frame of its own
  // (harness/lab/capture.h); libpcap shows no packet comments.
  void tell_mark(const Tins::PDU& packet) {
    const auto* ethernet = packet.find_pdu<Tins::EthernetII>();
    const auto* text = packet.find_pdu<Tins::RawPDU>();
    if (!ethernet || ethernet->payload_type() != kLabMarkType || !text) return;
    std::string note = "fault: ";
    for (std::uint8_t byte : text->payload()) {
      if (byte == 0) break;  // short frames are padded
      note += static_cast<char>(byte);
    }
    on_rung_({.t_ms = place_.t_ms,
              .connection = 0,
              .event = "note",
              .note = note,
              .frame = place_.frame});
  }

  bool is_target(std::uint16_t port) const {
    return std::ranges::find(ports_, port) != ports_.end();
  }

  void begin(Stream& stream) {
    // Whoever sent the first segment seen counts as the client; in the middle of a connection that
    // may be the target.
    const bool forward = is_target(stream.server_port());
    if (!forward && !is_target(stream.client_port())) {
      stream.ignore_client_data();
      stream.ignore_server_data();
      return;
    }
    auto talk = std::make_shared<Talk>(++connections_, place_, on_rung_);
    const std::string client = address(stream, true), server = address(stream, false);
    talk->open(forward ? client : server, forward ? server : client,
               stream.is_partial_stream() ? "the capture begins in the middle" : "");
    const auto feed_client = [talk, forward](Stream& now) {
      talk->feed(forward ? From::initiator : From::target, now.client_payload());
    };
    const auto feed_server = [talk, forward](Stream& now) {
      talk->feed(forward ? From::target : From::initiator, now.server_payload());
    };
    stream.auto_cleanup_payloads(true);
    stream.client_data_callback(feed_client);
    stream.server_data_callback(feed_server);
    stream.stream_closed_callback([talk, forward](Stream& now) {
      const bool by_client = now.client_flow().is_finished();
      talk->tell(by_client == forward ? From::initiator : From::target, "close", {});
    });
    const auto limit = [](Stream& now, std::uint32_t, const Stream::payload_type&) {
      const auto waiting =
          now.client_flow().total_buffered_bytes() + now.server_flow().total_buffered_bytes();
      if (waiting > kLimitOutOfOrderBytes)
        throw std::runtime_error(
            fmt::format("a connection misses a segment and {} bytes wait for it, more than the {} "
                        "taken: the capture has a hole",
                        waiting, kLimitOutOfOrderBytes));
    };
    stream.client_out_of_order_callback(limit);
    stream.server_out_of_order_callback(limit);
  }

  std::span<const std::uint16_t> ports_;
  const std::function<void(const wire::Rung&)>& on_rung_;
  Tins::TCPIP::StreamFollower follower_;
  Place place_;
  std::optional<std::chrono::microseconds> start_;
  unsigned connections_ = 0;
};

}  // namespace

void read_capture(const std::string& file, std::span<const std::uint16_t> target_ports,
                  const std::function<void(const wire::Rung&)>& on_rung) {
  try {
    Tins::FileSniffer sniffer(file);
    Follower follower(target_ports, on_rung);
    while (Tins::Packet packet = sniffer.next_packet()) follower.take(packet);
  } catch (const Tins::pcap_error& error) {
    throw std::runtime_error(
        fmt::format("{}: expected a pcap or pcapng file, {}", file, error.what()));
  }
}

}  // namespace tsih::judge
