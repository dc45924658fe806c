// One TCP connection to whom is judged: blocking for its user, with a deadline on everything and a
// limit on what the other side may pour in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/suite/judgement.h"
#include "harness/wire/markers.h"
#include "harness/wire/pdu.h"
#include "harness/wire/reader.h"

namespace tsih::suite {

/// Milliseconds from now for poll(), not below zero.
int remaining_ms(Clock::time_point until);
/// Waits for these events of poll().
bool ready(int fd, short events, Clock::time_point until);

enum class Heard : std::uint8_t { pdu, closed, silence, garbage };

struct Event {
  Heard heard = Heard::silence;
  wire::Pdu pdu;      ///< with Heard::pdu
  std::string words;  ///< for a message: "NOP-In ...", "the connection was closed"
};

class Connection {
 public:
  static constexpr std::size_t kLimitReceivedBytes = 64u << 20;

  /// Takes the connected socket over, which does not block; we speak on it as `self`.
  Connection(CaseRecord& record, int fd, wire::From self);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// A connection that the other side has closed swallows what is sent: the next receive() tells.
  void send(const wire::Pdu& pdu, const wire::Digests& digests);
  void send_raw(const wire::Bytes& bytes, const std::string& note);
  Event receive(Clock::time_point until);
  void expect_digests(bool header, bool data) { reader_.expect_digests(header, data); }
  /// From the next byte on markers stand in what comes, and in what goes out (RFC 3720 appendix A);
  /// no interval: none in this direction. Inconclusive when a part of a PDU has come already.
  void use_markers(std::optional<std::uint32_t> incoming_interval_bytes,
                   std::optional<std::uint32_t> outgoing_interval_bytes);
  /// What has come of markers; empty when none are in use.
  std::vector<wire::Marker> markers() const;
  /// The first of these markers that does not point, with both copies, to the PDU that came next;
  /// empty when all do. One whose next PDU has not begun yet is not looked at.
  std::string marker_problem() const;
  void close();
  /// Half a close: nothing more is sent, and what the other side says is heard to its end.
  void shut_down_sending();
  unsigned number() const { return number_; }
  int fd() const { return fd_; }  ///< to wait for; -1 once closed by us

 private:
  void note(wire::From from, std::string_view event, std::string_view words);
  void write_all(const wire::Bytes& bytes);
  std::optional<Event> take_pdu();

  CaseRecord& record_;
  wire::From self_;
  wire::From peer_;
  unsigned number_;
  int fd_;
  bool closed_by_peer_ = false;
  std::size_t received_bytes_ = 0;
  std::size_t sent_bytes_ = 0;
  std::optional<wire::MarkerReader> marker_reader_;
  std::optional<wire::MarkerWriter> marker_writer_;
  std::vector<std::uint64_t> pdu_ends_;  ///< in payload bytes, once markers are in use
  wire::PduReader reader_;
};

}  // namespace tsih::suite
