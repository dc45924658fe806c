// A tiny initiator that keeps the rules, and breaks one when it is told to: what the cases for
// initiators are tested with. It looks at all that it is told; anything wrong makes it throw, and
// its program ends.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/initiators/secrets.h"
#include "harness/wire/pdu.h"
#include "harness/wire/reader.h"
#include "harness/wire/text.h"

namespace tsih::initiators::testing {

using namespace wire;

constexpr std::uint32_t kBlockBytes = 512, kCopyBytes = 64u << 10;
constexpr std::size_t kMostDataInBytes = 64u << 10;
constexpr int kPatienceMs = 5000;  // the case ends us long before
constexpr const char* kExtensionMethod = "Z-example.tsih.tiny";

/// Is this the rule that was to be broken? Empty for a good initiator.
bool breaks(const char* rule);
void break_rule(const std::string& rule);

/// What made it give up.
struct Wrong {
  std::string what;
};
/// The connection is gone.
struct Lost : Wrong {};
/// The target has ended a negotiation by a Reject.
struct TakenBack {};
/// The target is elsewhere.
struct Moved {
  std::string portal;
};

/// Throws when something is wrong, unless the rule to look at it is the one that is broken.
void require(bool right, const char* what, const char* unless);

struct Task {
  Pdu command;
  Bytes data;  ///< to write, or read so far
  std::uint32_t data_sn = 0;
  std::uint32_t r2t_sn = 0;
  bool done = false;
  std::uint8_t status = 0;
  std::set<std::uint32_t> missing;     ///< numbers of Data-Ins that were asked for again
  std::optional<Pdu> to_acknowledge;   ///< a Data-In whose A bit waits for those
  std::optional<Pdu> status_response;  ///< waits for those as well
  std::uint32_t acknowledged = 0;      ///< data below this DataSN
  std::uint32_t snack_tag = 0;         ///< that its status has to have
};

/// Who it says it is, and in which session.
struct Identity {
  std::string portal, target;
  bool discovery = false;
  bool secret = false;    ///< it proves who it is
  bool mutual = false;    ///< the target has to prove who it is, too
  bool reticent = false;  ///< it leaves to the target what recovery and R2Ts there are
  std::string name = "iqn.2026-01.example.tsih:tiny";
  std::uint64_t isid = 0x800000123456;
  std::uint16_t tsih = 0;
  std::uint16_t cid = 1;
};

class Tiny {
 public:
  explicit Tiny(const Identity& identity) : identity_(identity) {}
  ~Tiny();
  Tiny(const Tiny&) = delete;
  Tiny& operator=(const Tiny&) = delete;

  void connect();
  void log_in();
  void log_out(std::uint8_t reason = 0);
  void discover();
  void ping();
  /// Begins this task and aborts it at once.
  void abort(Task& task);
  /// Begins this write and aborts the task set at once.
  void abort_set(Task& task);
  /// All of these at once, as far as the window lets them.
  void carry_out(std::vector<Task>& tasks);
  /// The identity of one more connection of the session, if there may be one.
  std::optional<Identity> second_connection() const;
  std::uint32_t agreed(const char* key, std::uint32_t otherwise) const;

 private:
  void send(Pdu pdu);
  Pdu receive();
  void number(Pdu& pdu, bool immediate = false);
  TextKeys exchange(Pdu request, const TextKeys& keys);
  Pdu login_response_to(Pdu request);
  void check_answers(const TextKeys& offers, const TextKeys& answers);
  TextKeys replies_to(const TextKeys& answers) const;
  void take_numbers(const Pdu& pdu);
  bool window_open() const;
  void start(Task& task);
  void take(std::vector<Task>& tasks, const Pdu& pdu);
  void take_data_in(Task& task, const Pdu& pdu);
  void take_r2t(Task& task, const Pdu& pdu);
  void take_status(Task& task, const Pdu& pdu);
  void take_nop_in(std::vector<Task>& tasks, const Pdu& pdu);
  void take_async(const Pdu& pdu);
  void carry_on_regardless();
  void send_data(Task& task, std::uint32_t tag, std::uint32_t from, std::uint32_t bytes);
  std::uint32_t most_bytes() const;  ///< of data in one PDU to the target

  // tiny_auth.cpp
  void authenticate(const Pdu& request, const std::string& method);
  void chap(const Pdu& request);
  void srp(const Pdu& request);
  void kerberos(const Pdu& request);
  void public_key(const Pdu& request, bool one);
  void extension(const Pdu& request);

  // tiny_recovery.cpp: what error recovery above level 0 adds.
  std::uint32_t level() const { return agreed("ErrorRecoveryLevel", 0); }
  /// The next status that the target is told to have come.
  std::uint32_t acknowledged_status() const;
  void miss_statuses(std::uint32_t from, std::uint32_t to);
  void ask_for_data(Task& task, std::uint32_t to);
  void acknowledge_data(Task& task, const Pdu& data_in);
  void came_again(Task& task, std::uint32_t data_sn);
  void retry(std::vector<Task>& tasks, const Pdu& told);
  void negotiate();
  void recover_connection(std::vector<Task>& tasks);
  void forget_connection(Task& task, std::uint32_t from);
  Pdu snack(std::uint8_t type, std::uint32_t tag, std::uint32_t from, std::uint32_t count);

  Identity identity_;
  int fd_ = -1;
  PduReader reader_;
  Digests digests_;
  bool established_ = false;
  TextKeys offered_, answered_;
  std::vector<Pdu> held_;  ///< R2Ts that are answered late, against the rules
  std::uint32_t cmd_sn_ = 100, next_stat_sn_ = 0, max_cmd_sn_ = 0, next_tag_ = 1;
  std::set<std::uint32_t> open_statuses_;  ///< missing, or not to be acknowledged yet
  std::uint32_t told_cmd_sn_ = 0;          ///< ExpCmdSN of the last NOP-In
  unsigned waited_ = 0;                    ///< for the end of a stage
  bool told_version_ = false;              ///< the first Login Response came
  std::uint8_t next_version_ = 0;
  bool length_changed_ = false;   ///< of MaxRecvDataSegmentLength, after the login
  std::size_t most_data_in_ = 0;  ///< bytes in one PDU
};

}  // namespace tsih::initiators::testing
