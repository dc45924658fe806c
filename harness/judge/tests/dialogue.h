// Conversations that a test writes itself, PDU by PDU: a session of one or more connections whose
// numbers go on by themselves.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "harness/judge/tests/story.h"
#include "harness/wire/markers.h"

namespace tsih::judge::testing {

using wire::Pdu;
using wire::TextKeys;

inline constexpr std::uint64_t kLun = 1ull << 48;
inline constexpr unsigned kSecurity = 0, kOperational = 1, kFullFeature = 3;

class Dialogue {
 public:
  Scribe scribe;

  /// Another TCP connection; what is said goes over it from now on.
  void connect(std::uint16_t client_port, std::uint16_t cid = 1);
  /// Back to one that is open.
  void use(std::uint16_t client_port) { now_ = &lines_.at(client_port); }

  /// One exchange of a login. Without `next` T is clear in both.
  void login(unsigned stage, const TextKeys& asks, const TextKeys& answers, int next = -1);
  /// The first exchange carries the names.
  void log_in(const TextKeys& asks = {}, const TextKeys& answers = {});
  /// A login that gets as far as the choice of a method.
  void choose_method(const std::string& method);
  /// A request of a Text negotiation and its answer.
  void text(const TextKeys& asks, const TextKeys& answers);
  void log_out(unsigned reason = 0);
  /// Leads a session of ErrorRecoveryLevel 0, 1 or 2, with 512 bytes of data in a PDU.
  void log_in_at_level(const char* level);
  /// A connection from another port logs in to the session that it takes for `asked`.
  void log_in_beside(std::uint16_t cid, std::uint16_t asked);
  void log_in_beside(std::uint16_t cid) { log_in_beside(cid, handle); }

  Pdu request(Opcode opcode, std::uint32_t tag, bool immediate = false);
  Pdu response(Opcode opcode, std::uint32_t tag);
  Pdu read(std::uint32_t tag, std::uint32_t bytes);
  Pdu write(std::uint32_t tag, std::uint32_t bytes);
  Pdu data_in(std::uint32_t tag, std::uint32_t number, std::uint32_t offset, bool last = false);
  Pdu r2t(std::uint32_t tag, std::uint32_t number, std::uint32_t offset, std::uint32_t bytes);
  Pdu snack(unsigned type, std::uint32_t tag, std::uint32_t begin, std::uint32_t length);
  Pdu async(unsigned event, std::uint16_t seconds);
  Pdu management(unsigned function, std::uint32_t tag, std::uint32_t referenced);
  Pdu reject(unsigned reason, const Pdu& bad);
  Pdu ping(std::uint32_t tag);
  Pdu good(std::uint32_t tag, std::uint32_t data_ins);
  /// A response whose StatSN is not advanced.
  void keep_stat_sn() { --now_->stat_sn; }

  /// Markers in all that this side sends from now on; `skew` makes their pointers wrong.
  void use_markers(From from, std::uint32_t interval_bytes, std::uint32_t skew = 0);
  /// With digests, of which that of the data covers the markers in it, too.
  void target_with_marked_digest(const Pdu& pdu);
  void initiator(const Pdu& pdu) { say(From::initiator, pdu); }
  void target(const Pdu& pdu) { say(From::target, pdu); }

  /// What the judge finds broken in all of it.
  std::string broken();

  std::uint16_t handle = 9;        ///< TSIH of the session
  std::uint16_t asked_handle = 0;  ///< that the next login asks for
  std::uint32_t cmd_sn = 0xfffffffe;
  wire::Digests digests{.header = false, .data = false};

 private:
  struct Line {
    std::uint16_t port = 0, cid = 1;
    std::uint32_t stat_sn = 100;
    bool named = false;
    std::uint64_t sent_bytes[2] = {0, 0};  ///< before there were markers
    std::optional<wire::MarkerWriter> writers[2];
  };
  void send(From from, const wire::Bytes& bytes);
  void say(From from, const Pdu& pdu);
  TextKeys with_names(const TextKeys& keys);

  std::map<std::uint16_t, Line> lines_;
  Line* now_ = nullptr;
};

/// A conversation, and exactly the rules that it breaks.
struct Tale {
  const char* about;
  void (*tell)(Dialogue&);
  const char* broken;
};
void check(std::span<const Tale> tales);
/// Their names, with a space in front of each.
std::string rules_in(std::span<const Tale> tales);

}  // namespace tsih::judge::testing
