// The raw initiator: one connection and what a good initiator keeps for it (tags, sequence
// numbers, digests). It fills requests as the RFC wants them; a case then changes what it likes and
// sends anything at any time. Another connection of the same session is another Initiator, which
// was made from the first and counts commands together with it.
//
// Two kinds of words here. *Setting up* (log_in, ready, transfer, fence): what goes wrong ends the
// case as inconclusive, for it is not what the case asks. *Expecting* (expect, expect_refusal,
// ...): what goes wrong is the target's failure of the clause that the case judges.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/conformance/judgement.h"
#include "harness/suite/connection.h"
#include "harness/wire/pdu.h"
#include "harness/wire/text.h"

namespace tsih::conformance {

enum Stage : std::uint8_t { kSecurity = 0, kOperational = 1, kReservedStage = 2, kFullFeature = 3 };
/// Why a connection is logged out (10.14.1).
enum LogoutReason : std::uint8_t { kCloseSession = 0, kCloseConnection = 1, kForRecovery = 2 };
/// What a SNACK asks for (10.16.1).
enum Snack : std::uint8_t { kDataOrR2t = 0, kStatus = 1, kDataAck = 2, kResegmentedData = 3 };

/// A Login Response (or several joined by the C bit) and the text it brought.
struct Answer {
  wire::Pdu pdu;  ///< the last one
  wire::TextKeys keys;
  std::vector<std::string> text_problems;
};

/// How a target refused something.
struct Refusal {
  std::optional<wire::Pdu> pdu;  ///< nothing: it closed the connection without a word
  std::string words;
};

/// What came before a fence's answer.
struct Fence {
  std::vector<wire::Pdu> before;
  std::optional<wire::Pdu> answer;  ///< nothing: the connection was closed instead
};

/// A SCSI command from its request to its status.
struct Transfer {
  std::vector<wire::Pdu> data_in;
  std::vector<wire::Pdu> r2ts;
  std::optional<wire::Pdu> response;  ///< a SCSI Response; nothing when Data-In bore the status
  wire::Bytes data;                   ///< what was read
  std::uint8_t status = 0;            ///< SCSI status
  bool good() const { return status == 0; }
};

struct ScsiCommand {
  wire::Bytes cdb;
  std::uint32_t read_bytes = 0;   ///< expected data transfer length of a read
  std::uint32_t write_bytes = 0;  ///< of a write
};

class Initiator {
  std::shared_ptr<std::uint32_t> session_cmd_sn_;  // stands before cmd_sn, which refers to it

 public:
  explicit Initiator(CaseContext& context);
  /// A new TCP connection for the session of another: its names, ISID, TSIH and count of commands,
  /// and this CID.
  Initiator(CaseContext& context, const Initiator& of_session, std::uint16_t its_cid);

  // What it is; a case may set these before the login.
  std::uint64_t isid;
  std::uint16_t tsih = 0;
  std::uint16_t cid = 1;
  bool discovery = false;
  std::string initiator_name;

  // What it counts; a case may set these at any time.
  std::uint32_t& cmd_sn;          ///< of the next numbered request; one counter a session
  std::uint32_t exp_stat_sn = 0;  ///< the next status expected; does not go back by itself

  // ---- requests, filled as a good initiator fills them --------------------------------------
  /// In this stage; with `next` the T bit. The first of a connection names both parties.
  wire::Pdu login_request(Stage stage, std::optional<Stage> next, const wire::TextKeys& keys = {});
  wire::Pdu nop_out(wire::Bytes ping_data = {});
  /// The answer to a ping of the target.
  wire::Pdu pong(const wire::Pdu& ping);
  wire::Pdu scsi_command(const ScsiCommand& command);
  wire::Pdu data_out(const wire::Pdu& command, std::uint32_t transfer_tag, std::uint32_t offset,
                     std::span<const std::uint8_t> data, std::uint32_t data_sn, bool final);
  wire::Pdu text_request(const wire::TextKeys& keys);
  wire::Pdu logout_request(std::uint8_t reason);
  /// Immediate, as they mostly are; the RefCmdSN is the caller's affair.
  wire::Pdu task_management_request(std::uint8_t function, std::uint32_t referenced_tag);
  wire::Pdu unnamed_request(std::uint8_t opcode);
  /// For data or R2Ts of a command, or, without one, for statuses. RunLength 0 is all from BegRun.
  wire::Pdu snack_request(Snack type, std::uint32_t beg_run, std::uint32_t run_length,
                          const wire::Pdu* command = nullptr);
  /// The acknowledgement that a Data-In with the A bit asks for.
  wire::Pdu data_ack(const wire::Pdu& data_in);
  std::uint32_t next_tag() { return next_tag_++; }
  /// InitiatorName, SessionType and, but for discovery, TargetName: for the first Login Request.
  wire::TextKeys names() const;

  // ---- talking --------------------------------------------------------------------------------
  /// A numbered request that bears the current CmdSN advances it.
  void send(const wire::Pdu& pdu, bool spoil_header_digest = false, bool spoil_data_digest = false);
  /// The Data-Out that an R2T asks for, out of all the data of the command.
  void answer_r2t(const wire::Pdu& command, const wire::Pdu& r2t,
                  std::span<const std::uint8_t> data);
  /// The next event. Pings of the target are answered and asynchronous messages passed over.
  Event receive();
  /// The next event, those included.
  Event receive_raw() { return receive_any(soon()); }
  void drop() { connection_->close(); }
  /// This status was lost on its way: it is not acknowledged, nor what came after it.
  void lose(const wire::Pdu& status) { exp_stat_sn = status.u32(wire::field::stat_sn); }
  Connection& connection() { return *connection_; }

  // ---- setting up -----------------------------------------------------------------------------
  /// All the way to full feature phase, with CHAP when the user gave a secret. The operational keys
  /// offered are `keys`; what came back is in negotiated.
  void log_in(const wire::TextKeys& keys = {});
  /// The security stage, if a secret was given; else nothing. The next request is operational.
  void authenticate();
  /// The target's answers to the last login, plus its own declarations.
  const wire::TextKeys& negotiated() const { return negotiated_; }
  bool established() const { return established_; }
  /// Clears unit attentions; then the logical unit takes commands.
  void ready();
  Transfer transfer(const ScsiCommand& command, std::span<const std::uint8_t> write_data = {});
  /// The same for a command that is under way already.
  Transfer finish(const wire::Pdu& command, std::span<const std::uint8_t> write_data = {});
  /// The same, but what the A bit asks for is held back: for who will say that data were lost.
  Transfer finish_unacknowledged(const wire::Pdu& command);
  /// Sends a ping and gathers everything up to its answer: what has not come by then has not been
  /// sent. An immediate ping asks for no place in the order of commands.
  Fence fence(bool immediate = false);

  // ---- expecting ------------------------------------------------------------------------------
  /// The next PDU is of this kind. Silence is judged by a fence where one is possible.
  wire::Pdu expect(wire::Opcode opcode);
  /// The same where the target has a choice.
  wire::Pdu expect_one_of(std::initializer_list<wire::Opcode> opcodes);
  /// A command that is under way goes on to its status.
  Transfer expect_finish(const wire::Pdu& command, std::span<const std::uint8_t> write_data = {});
  /// A whole login exchange: the request (cut into C-bit pieces when it is long) and the response.
  Answer expect_login_answer(const wire::Pdu& request);
  /// The target does not go along: a Reject, a login status other than success, or the end of the
  /// connection. Nothing else will do.
  Refusal expect_refusal();
  /// The connection ends, whatever is said before.
  void expect_close();
  /// The whole login: CHAP when the user gave a secret, then expect_negotiation(). Ends early with
  /// the answer that refuses it.
  Answer expect_login(const wire::TextKeys& keys = {});
  /// This connection has given way to another: it is closed and answers no ping.
  void expect_replaced();
  /// The operational stage, up to full feature phase: offer keys, get the answers.
  Answer expect_negotiation(const wire::TextKeys& keys);
  /// Full feature phase is on: keeps what the final response says.
  void enter_full_feature_phase(const Answer& answer);

 private:
  using Stopped = std::function<void(const Event&)>;
  Transfer carry(const wire::Pdu& command, std::span<const std::uint8_t> data, bool acknowledge,
                 const Stopped& stopped);
  Event receive_any(Clock::time_point until);
  bool handled(const wire::Pdu& pdu);
  void note_numbers(const wire::Pdu& pdu);
  wire::Pdu request(wire::Opcode opcode);
  [[noreturn]] void fail_on(const std::string& expected, const Event& event);
  Answer chap_exchange();
  Clock::time_point soon() const;

  CaseContext& context_;
  std::unique_ptr<Connection> connection_;
  std::uint32_t next_tag_;
  std::uint32_t login_tag_;
  bool named_ = false;  ///< the first Login Request has been built
  bool established_ = false;
  wire::Digests digests_;
  wire::TextKeys negotiated_;
};

/// Runs something whose failure is not the question of the case: Broken becomes Inconclusive.
void setting_up(const std::string& what, const std::function<void()>& steps);

}  // namespace tsih::conformance
