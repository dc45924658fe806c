// The simulated initiator: one session written from RFC 3720 alone, with wire/'s structs and
// nothing of the target's session layer. It works through its operations, recovers as the
// negotiated ErrorRecoveryLevel says, and holds the target to what it must do meanwhile.
//
// Recovery. Level 0: whatever is not in order ends the session; a new one takes its place
// (reinstatement, 5.3.5), and what had no status is done again. Level 1 adds SNACK and retries
// within a connection, level 2 a new connection and TASK REASSIGN (6.1.4). What recovery does not
// bring forward in kPatience goes on as at level 0.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "target/session/tests/sim_cable.h"
#include "target/session/tests/sim_command.h"
#include "target/session/tests/sim_line.h"
#include "target/session/tests/sim_model.h"
#include "target/session/tests/sim_random.h"

namespace tsihd::session::sim {

class Initiator {
 public:
  explicit Initiator(const Cable::Surroundings& surroundings);

  void start();
  /// Everything is done, read back and logged out.
  bool finished() const { return phase_ == Phase::finished; }
  /// For the failure of a simulation that comes to no end.
  std::string what_it_waits_for() const;

  /// How often it had to begin a new session.
  std::uint32_t session_recoveries() const { return session_recoveries_; }
  /// How much it recovered without that.
  std::uint32_t snacks() const { return snacks_; }
  std::uint32_t retries() const { return retries_; }
  std::uint32_t reassignments() const { return reassignments_; }
  std::uint64_t pdus_received() const { return pdus_received_; }

 private:
  enum class Phase : std::uint8_t {
    logging_in,  ///< the leading connection; or a session is to come in place of a lost one
    working,
    reading_back,  ///< all operations are done: is the disk what it should be?
    logging_out,
    finished
  };
  /// A task management function under way.
  struct Management {
    std::uint32_t initiator_task_tag = 0;
    std::uint8_t function = 0;
    std::uint32_t referenced_task_tag = wire::kReservedTag;
    std::uint32_t cmd_sn = 0;
    std::uint16_t cid = 0;
  };
  /// A NOP-Out whose answer is awaited.
  struct Ping {
    Bytes data;
    std::uint32_t cmd_sn = 0;
    std::uint16_t cid = 0;
    bool immediate = false;
  };
  /// A Text Request whose answer is awaited.
  struct Text {
    std::uint32_t initiator_task_tag = 0;
    std::uint32_t cmd_sn = 0;
    std::uint16_t cid = 0;
  };
  /// A request that ExpCmdSN has not passed; it is sent again when it turns out to be lost (6.2.1).
  struct Unacknowledged {
    std::uint16_t cid = 0;
    std::uint32_t order = 0;  ///< the next task tag when it was last sent
    std::function<void(Line&)> send;
  };
  /// A Logout Request under way.
  struct Logout {
    std::uint32_t initiator_task_tag = 0;
    std::uint16_t via = 0;  ///< the connection that it was sent on
    std::uint16_t cid = 0;  ///< the connection that it is about; not for the whole session
    std::uint8_t reason = 0;
  };
  /// A write whose outcome stays unknown when its session is gone for certain.
  struct LostWrite {
    std::uint64_t stamp;
    std::uint32_t lba;
    std::uint32_t blocks;
  };
  /// What harm befalls one of our PDUs on its way.
  enum class Harm : std::uint8_t { none, lost, header, data };

  // sim_initiator.cpp: the life of the session
  void go_on();
  void on_closed(Line& line);
  void recover_session(std::string_view why);
  void close_line(Line& line);
  void end_session();
  Line* line_of(std::uint16_t cid);
  Line& any_line();
  Line* first_line() const;
  const Settings& settings() const { return around_.settings; }
  /// What befalls this session: in the end nothing does, so that every seed comes to its end.
  Faults faults() const;

  // sim_initiator_login.cpp
  void open_line(std::uint16_t cid, bool leading);
  void send_login(Line& line);
  void on_login_response(Line& line, const wire::Pdu& pdu);
  void logged_in(Line& line, const wire::LoginResponseBhs& bhs);

  // sim_initiator_send.cpp: operations into commands into PDUs
  bool window_open() const;
  std::optional<Operation> next_operation();
  void issue_operations();
  void say_something_else();
  void issue(const Operation& operation, Line& line);
  void choose_unsolicited(Command& command);
  void send_command(Line& line, const Command& command);
  void send_sequence(Line& line, const Command& command, std::uint32_t offset, std::uint32_t length,
                     std::uint32_t target_transfer_tag);
  void answer_r2t_later(std::uint32_t initiator_task_tag);
  void answer_nop_in(Line& line, const wire::NopInBhs& nop_in);
  void send_ping(Line& line, bool immediate);
  void send_text(Line& line);
  void continue_text(Line& line, const wire::TextResponseBhs& response);
  void send_management();
  void send_logout(Line& line, std::uint8_t reason, std::uint16_t cid);
  void leave_and_come_back();
  template <wire::Bhs T>
  void send(Line& line, T bhs, std::span<const std::byte> data = {}, bool safely = false);
  Harm choose_harm(bool has_data);
  std::uint32_t new_tag() { return next_tag_++; }

  // sim_initiator_recovery.cpp: within a connection (ErrorRecoveryLevel 1), and of one (2)
  bool recovers() const { return agreement_.error_recovery_level > 0; }
  bool strict() const;
  void watch();
  void look_after(Line& line);
  void ask_for_status(Line& line, std::uint32_t next);
  void ask_for_data(Line& line, Command& command, Run run);
  void acknowledge_data(Line& line, Command& command);
  void send_snack(Line& line, std::uint8_t type, std::uint32_t initiator_task_tag, Run run);
  void on_damaged(Line& line, const wire::Pdu& pdu);
  void remember(std::uint32_t cmd_sn, const Line& line, std::function<void(Line&)> again);
  void retry(Line& line, std::uint32_t cmd_sn);
  void on_ping_answered(Line& line, const wire::NopInBhs& answer);
  void recover_connection(Line& line, bool was_up);
  void take_the_place_of(std::uint16_t cid);
  void forget_answers_on(std::uint16_t cid);
  void take_up_commands(Line& line);
  void follow_abort(const Line& line, std::uint32_t referenced_task_tag);
  bool may_be_forgotten() const;
  void reassign_next();
  void on_reassigned(Line& line, std::uint8_t response);

  // sim_initiator_receive.cpp: the target's PDUs
  void on_bytes(Line& line, std::span<const std::byte> bytes);
  void on_pdu(Line& line, const wire::Pdu& pdu);
  bool befallen(Line& line, const wire::Pdu& pdu);
  bool check_numbers(Line& line, const wire::Pdu& pdu);
  bool check_stat_sn(Line& line, const wire::Pdu& pdu);
  void dispatch(Line& line, const wire::Pdu& pdu);
  void on_data_in(Line& line, const wire::Pdu& pdu);
  void on_response(Line& line, const wire::Pdu& pdu);
  void on_r2t(Line& line, const wire::Pdu& pdu);
  void on_nop_in(Line& line, const wire::Pdu& pdu);
  void on_text_response(Line& line, const wire::Pdu& pdu);
  void on_management_response(Line& line, const wire::Pdu& pdu);
  void on_logout_response(Line& line, const wire::Pdu& pdu);
  void on_async(const wire::Pdu& pdu);
  void on_reject(Line& line, const wire::Pdu& pdu);
  bool superseded(const wire::Pdu& rejected);
  Command& command_of(const Line& line, const wire::Pdu& pdu);
  void try_to_finish(Line& line, Command& command);
  void complete(Command& command);
  void give_up(Command& command);
  void redo_commands_of(std::uint16_t cid);
  void retire(Command& command);

  Cable::Surroundings around_;
  Random random_;
  DiskModel model_;
  Phase phase_ = Phase::logging_in;

  std::vector<std::shared_ptr<Line>> lines_;
  std::uint64_t session_ = 0;  ///< counts up; what belongs to an older one is ignored
  std::uint16_t next_port_ = 40000;
  std::uint16_t tsih_ = 0;
  std::uint32_t login_refusals_ = 0;
  Agreement agreement_;

  std::uint32_t cmd_sn_ = 0;  ///< of the next command
  std::uint32_t exp_cmd_sn_ = 0;
  std::uint32_t max_cmd_sn_ = 0;
  std::uint32_t next_tag_ = 0x100;
  std::map<std::uint32_t, std::unique_ptr<Command>> commands_;  ///< in progress, by task tag
  std::optional<Management> management_;
  std::set<std::uint32_t> strays_;  ///< tags of tasks that were reset while something was under way
  std::map<std::uint32_t, Ping> pings_;
  std::map<std::uint32_t, Unacknowledged> unacknowledged_;  ///< by CmdSN
  std::optional<Text> text_;
  std::optional<Logout> logout_;
  std::deque<std::uint32_t> to_reassign_;      ///< tags of commands that are adrift
  std::optional<std::uint32_t> reassign_tag_;  ///< of the TASK REASSIGN under way
  std::uint16_t reassign_cid_ = 0;             ///< the connection that it was sent on
  Instant first_loss_{};  ///< of the connections and commands that are being recovered
  std::set<std::uint16_t> recovering_;  ///< connections that others take the place of
  std::uint32_t lines_to_come_ = 0;     ///< logged out, or on their way back

  std::uint32_t operations_left_;
  std::deque<Operation> again_;  ///< had no good end, to be done again
  std::vector<LostWrite> lost_writes_;
  std::uint64_t next_stamp_ = 1;
  std::uint32_t read_back_blocks_ = 0;
  std::uint32_t session_recoveries_ = 0;
  std::uint32_t connection_recoveries_ = 0;
  std::uint32_t snacks_ = 0;
  std::uint32_t retries_ = 0;
  std::uint32_t reassignments_ = 0;
  std::uint64_t pdus_received_ = 0;
  std::uint64_t retired_ = 0;
};

}  // namespace tsihd::session::sim
