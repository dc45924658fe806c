// A session: what outlives a connection. The I_T nexus, the order of commands, the tasks, their
// memory and their end.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/base/time.h"
#include "target/scsi/logical_unit.h"
#include "target/session/command_window.h"
#include "target/session/login.h"
#include "target/session/service.h"
#include "target/session/task_management.h"
#include "target/session/task_table.h"

namespace tsihd::session {

/// How a connection comes to its end, and with it the commands that are allegiant to it.
enum class Departure : std::uint8_t {
  closed,    ///< logged out, or its session ends: its commands end without a word
  failed,    ///< lost: at ErrorRecoveryLevel 2 its commands wait for a logout and TASK REASSIGN
  recovery,  ///< logged out "for recovery": its commands wait for TASK REASSIGN
};

/// How the sockets of a session that ends are closed. `abrupt`: what the network takes at once is
/// said, the rest is dropped with a reset; for a session that another has displaced.
enum class Closing : std::uint8_t { graceful, abrupt };

/// Held by pointer from the registry, which keeps it until its last command is back from the disks.
class Session final : public scsi::CommandOwner {
 public:
  enum class State : std::uint8_t {
    active,
    ending,  ///< no connection serves it any more; commands are on their way back
    ended    ///< nothing of it is left at any disk; the registry buries it
  };

  Session(Service& service, std::uint64_t id, std::uint16_t tsih, const LoginIdentity& identity,
          const NegotiatedParameters& parameters, std::uint32_t first_cmd_sn);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  std::uint64_t id() const { return id_; }
  std::uint16_t tsih() const { return tsih_; }
  State state() const { return state_; }
  const LoginIdentity& identity() const { return identity_; }
  /// The session-wide ones; digests and data segment lengths are each connection's own.
  const NegotiatedParameters& parameters() const { return parameters_; }
  bool is_discovery() const { return identity_.type == SessionType::discovery; }
  Service& service() { return service_; }
  const scsi::LunMap& luns() const { return luns_; }
  SessionInfo info() const;

  // -- connections
  /// A connection joins; returns its link: what tells it from all others that this session ever
  /// had, its CID's earlier bearers among them.
  std::uint32_t bind(Connection& connection);
  /// What was allegiant to the connection ends or is suspended, and what it brought before its turn
  /// is forgotten (10.14). It may say its last words.
  void part(Connection& connection, Departure how);
  /// part(), and the connection is no longer one of this session's, which ends with its last.
  void leave(Connection& connection, Departure how, std::string_view why);
  const std::vector<Connection*>& connections() const { return connections_; }
  Connection* find_connection(std::uint16_t cid) const;
  bool has_place_for_connection() const;
  /// Commands of this connection, present or past, are still with the device server.
  bool holds_commands_of(std::uint32_t link) const;
  bool recovers() const { return parameters_.error_recovery_level > 0; }
  bool recovers_connections() const {
    return parameters_.error_recovery_level == 2 && !is_discovery();
  }
  /// A Logout names a connection that was lost; its link, or nothing when there is none of this
  /// CID.
  std::optional<std::uint32_t> log_out_suspended(std::uint16_t cid, bool for_recovery);
  /// A lost connection is not cleaned up yet, or commands of one may still be reassigned.
  bool waits_for_reassignment() const;
  /// Implicit logout of a connection whose CID logs in again (5.3.4).
  void retire(Connection& connection);
  /// The session stays although it has no connection: somebody is about to join.
  void hold_open() { ++held_open_; }
  void release_hold();
  Instant next_deadline() const;
  void tick();
  std::uint32_t nop_in_interval_s() const;  ///< 0 = no keepalive
  std::uint32_t nop_in_response_timeout_s() const;
  Connection* lead() const { return connections_.empty() ? nullptr : connections_.front(); }
  /// ADDR:PORT and address of the newest connection's initiator, also after it is gone.
  const std::string& peer() const { return peer_; }
  const std::string& peer_address() const { return peer_address_; }

  // -- commands in order
  CommandWindow& window() { return window_; }
  TaskTable& tasks() { return tasks_; }
  std::uint32_t immediate_in_use() const { return immediate_in_use_; }
  /// A new task, listed under its tag; null when the pool is at its limit.
  Task* new_task(Connection& connection, std::uint32_t initiator_task_tag, bool immediate);
  /// Requests that came before their turn, as far as it has come now.
  void deliver_held();
  /// Its turn has come: to the device server, once there is memory for its data.
  void deliver(Task& task);
  /// Data has come, or the initiator has sent its last: see what can go on.
  void data_arrived(Task& task);
  /// The transport found fault with it (Task::condemn was called): it ends at the next chance.
  void condemned(Task& task);
  /// Ends without a response.
  void abort(Task& task);
  /// Its status is in the line of PDUs: the tag and the place in the window are free.
  void status_queued(Task& task);
  /// Its status is sent and kept until it is acknowledged (ErrorRecoveryLevel 1 and 2).
  void answered(Task& task);
  /// Nothing of it is left to send.
  void release(Task& task);

  // -- the device server's answers
  void command_done(scsi::Command& command) override;
  void command_aborted(scsi::Command& command) override;

  // -- task management
  void manage(Connection& connection, const wire::Pdu& pdu);
  bool managing() const { return managing_ > 0; }
  /// Goes on with what was waiting for commands, data, disks or acknowledgements.
  void advance_task_management();
  /// The response is in the line of PDUs.
  void task_management_answered(TaskManagement& request);
  /// Its answer waits until the responses before it are confirmed; false: none is open.
  bool await_acknowledgement(TaskManagement& request);

  // -- memory
  bool waits_for_memory() const { return queued_head_ != nullptr; }
  /// Starts what was waiting for memory as far as it goes now.
  void grant_memory();
  /// Memory for data that comes before the command's turn: the whole when there is room for it,
  /// else `least_bytes`, whatever the budget says. Returns what was taken.
  std::uint32_t reserve_ahead(Task& task, std::uint32_t whole_bytes, std::uint32_t least_bytes);

  // -- its end
  /// Closes what is open, aborts what runs. Idempotent. The session is `ended`, and whoever waits
  /// for that is told through the registry, when the last command is back; that may be at once.
  void end(std::string_view why, Closing closing = Closing::graceful);

 private:
  bool has_memory_for(std::uint64_t more_bytes) const;
  bool make_memory_for(std::uint64_t bytes);
  void forget_retained();
  void give_back_memory(Task& task);
  bool try_reserve(Task& task);
  void reserve(Task& task, std::uint64_t bytes);
  void launch(Task& task);
  void settle(Task& task);
  void note_fault(Task& task);
  void unqueue(Task& task);
  void abort_where(const std::function<bool(const Task&)>& predicate);
  void look_for_the_end();
  void check_ended();

  // session_connections.cpp
  struct Suspension {
    std::uint32_t link = 0;
    std::uint16_t cid = 0;
    bool logged_out = false;  ///< for recovery: its commands may be reassigned
    Instant until;            ///< then they end
  };
  bool has_future(Departure how) const;
  std::chrono::seconds retention() const;
  void forget_managements(Connection& connection);
  void terminate(Connection& connection);
  template <class Predicate>
  void terminate_where(Predicate predicate);
  void suspend(Connection& connection, bool logged_out);
  void give_up(std::uint32_t link);

  bool covers(const TaskManagement& request, const Task& task) const;
  bool step(TaskManagement& request);
  bool wait_for_data(TaskManagement& request);
  void execute(TaskManagement& request);
  void execute_abort_task(TaskManagement& request);
  void reset_units(const TaskManagement& request);
  bool commands_gone(const TaskManagement& request) const;
  bool responses_pending(const TaskManagement& request) const;
  bool acknowledged(TaskManagement& request);
  void execute_reassign(TaskManagement& request);
  void reassign(const TaskManagement& request);
  Task* find_stranded(std::uint32_t initiator_task_tag) const;
  bool knows(std::uint32_t initiator_task_tag) const;
  bool is_logged_out(std::uint32_t link) const;
  void answer(TaskManagement& request, TaskManagementResponse response);

  Service& service_;
  const std::uint64_t id_;
  const std::uint16_t tsih_;
  LoginIdentity identity_;
  NegotiatedParameters parameters_;
  State state_ = State::active;
  std::uint32_t held_open_ = 0;
  const Instant born_;
  std::string peer_;
  std::string peer_address_;
  std::string portal_;

  scsi::Nexus nexus_;
  scsi::LunMap luns_;
  CommandWindow window_;
  TaskTable tasks_;
  std::vector<Connection*> connections_;
  std::vector<Suspension> suspensions_;  ///< connections that are gone, their commands kept
  std::uint32_t last_link_ = 0;
  std::uint32_t at_device_ = 0;
  std::uint32_t immediate_in_use_ = 0;
  std::uint64_t commands_ = 0;

  std::uint64_t reserved_bytes_ = 0;
  std::uint64_t moving_bytes_ = 0;  ///< of them, held by tasks that were given to the device server
  Task* queued_head_ = nullptr;     ///< in order, waiting for memory
  Task* queued_tail_ = nullptr;
  std::vector<TaskManagement> managements_;
  std::uint32_t managing_ = 0;  ///< functions that are not answered
  bool advancing_ = false;
  bool advance_again_ = false;
};

}  // namespace tsihd::session
