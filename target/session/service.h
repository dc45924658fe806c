// The whole of the session layer as its surroundings see it: what is served, who is logged in, who
// may be, what was counted. net/ gives it connections and time; control/ asks it questions.
//
// Sans-I/O: nothing here opens a socket, reads a clock or blocks. All members are called on the
// event loop's thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "target/base/log.h"
#include "target/base/result.h"
#include "target/base/time.h"
#include "target/scsi/copy_manager.h"
#include "target/session/counters.h"
#include "target/session/limits.h"
#include "target/session/login.h"
#include "target/session/nouns.h"

namespace tsihd::session {

class Connection;
class Guard;
class Registry;
class Session;

/// Where a connection runs between; addresses without brackets.
struct Endpoints {
  std::string local_address;
  std::uint16_t local_port = 3260;
  std::string remote_address;
  std::uint16_t remote_port = 0;

  std::string remote() const;  ///< ADDR:PORT, [ADDR]:PORT for IPv6
  std::string local() const;
};

/// One connection of a session as `tsihctl` shows it.
struct ConnectionInfo {
  std::uint16_t cid = 0;
  std::string peer;    ///< ADDR:PORT of the initiator
  std::string portal;  ///< ADDR:PORT that took it
};

/// One session as `tsihctl` shows it. A copy: it stays valid after the session has ended.
struct SessionInfo {
  std::uint64_t id = 0;  ///< never reused while the process lives; logout() takes it
  SessionType type = SessionType::normal;
  std::string initiator_name;
  std::string initiator_alias;
  std::array<std::uint8_t, 6> isid{};
  std::uint16_t tsih = 0;
  std::uint16_t cid = 0;
  std::string target_name;  ///< empty in discovery
  std::uint16_t portal_group_tag = 0;
  std::string peer;    ///< ADDR:PORT of the initiator, of the newest connection
  std::string portal;  ///< ADDR:PORT that took it
  std::vector<ConnectionInfo> connections;
  std::size_t connections_awaited = 0;  ///< lost ones whose commands may be reassigned
  NegotiatedParameters parameters;
  double age_s = 0;
  double idle_s = 0;  ///< since the last PDU came from the initiator
  std::uint64_t commands = 0;
  std::uint32_t commands_active = 0;
  bool ending = false;  ///< logged out or dropped, its commands are not all back yet
};

/// An initiator that the session guard keeps out.
struct FenceInfo {
  std::string initiator_name;
  std::string target_name;
  std::uint16_t portal_group_tag = 0;
  std::string address;     ///< the fenced machine's source address, without port
  double remaining_s = 0;  ///< 0: the hold is over, the machine may try again
};

class Service {
 public:
  using Random = void (*)(std::span<std::byte>);

  /// `random` fills its span with unpredictable bytes (CHAP challenges).
  Service(Inventory inventory, Limits limits, Log log, Random random);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // -- for control/
  Inventory& inventory() { return inventory_; }
  const Limits& limits() const { return limits_; }
  const Log& log() const { return log_; }
  Counters& counters() { return counters_; }
  /// Every session that exists, oldest first.
  std::vector<SessionInfo> sessions() const;
  std::vector<FenceInfo> fences() const;
  /// Lifts every fence of this initiator name; how many there were.
  std::size_t unfence(std::string_view initiator_name);
  /// Asks the session's initiator to log out, on each of its connections (Async Message 1); after
  /// limits().logout_request_s they are dropped. Fails when there is no such session, as all three.
  Result<void> logout(std::uint64_t session_id);
  /// Announces that it drops a connection of the session (Async Message 2) or, without `cid`, all
  /// of them (3), and does so. At ErrorRecoveryLevel 2 their commands may be reassigned.
  Result<void> drop(std::uint64_t session_id, std::optional<std::uint16_t> cid);
  /// Asks for a negotiation of parameters on each connection (Async Message 4).
  Result<void> request_negotiation(std::uint64_t session_id);
  /// Looks at the size of every disk served; each initiator is told of a change by a unit
  /// attention (2A/09). Called once a second by the pump. A disk that cannot be looked at is logged
  /// once until it can again. Tokens of third-party copies time out here as well.
  void refresh_capacities();

  // -- for the pump (net/) and for tests
  /// The time that holds until the next advance(). The pump calls it as it wakes.
  void advance(Instant now) { now_ = now; }
  Instant now() const { return now_; }
  /// A connection was accepted. Null when a limit says no (counted and logged): close the socket.
  std::unique_ptr<Connection> accept(Endpoints endpoints);
  /// Does what has fallen due; call it when next_deadline() has come.
  void tick();
  /// When tick() is due, or Instant::max(). Cheap: the pump asks after every batch.
  Instant next_deadline() const { return next_deadline_; }
  /// The next connection with output to be gathered (or to be closed), or null. The pump empties
  /// this list after every batch of work.
  Connection* take_ready();
  /// Called when the list of ready connections turns non-empty, so that a pump that sleeps hears of
  /// work that was caused from outside (control/). May be called at any time, also within a batch.
  void on_ready(std::function<void()> wake) { wake_ = std::move(wake); }
  /// Ends a batch of work: what had to wait for memory may go on, ended sessions are buried. The
  /// pump calls it and empties the list of ready connections, until it returns false: nothing is
  /// ready.
  bool end_batch();
  /// The end of the process: asks every initiator for its logout; refuses logins from now on.
  void begin_shutdown();
  /// No connection and no session is left.
  bool idle() const;

  // -- for the session layer itself
  Registry& registry() { return *registry_; }
  Guard& guard() { return *guard_; }
  Random random() const { return random_; }
  bool shutting_down() const { return shutting_down_; }
  void note_deadline(Instant deadline) {
    if (deadline < next_deadline_) next_deadline_ = deadline;
  }
  void mark_ready(Connection& connection);
  void forget(Connection& connection);  ///< the connection is being destroyed
  void login_ended(Connection& connection);
  std::uint64_t next_serial() { return ++serial_; }
  /// Bytes of disk data that all commands hold; see Limits::total_data_bytes.
  std::uint64_t data_bytes() const { return data_bytes_; }
  void add_data_bytes(std::uint64_t bytes) { data_bytes_ += bytes; }
  void give_back_data_bytes(std::uint64_t bytes) {
    data_bytes_ -= bytes;
    memory_freed_ = true;
  }
  /// Task management functions that wait for commands of other sessions, too.
  void add_management_waiting(int change) { managements_waiting_ += change; }
  /// A command is back from a disk, or a status is acknowledged: what one of them may wait for.
  void wake_task_management() {
    if (managements_waiting_ > 0) advance_task_management();
  }
  const std::vector<Connection*>& connections() const { return connections_; }

 private:
  Result<Session*> find_active(std::uint64_t session_id) const;
  void tell_size(const scsi::LogicalUnit& unit);
  void advance_task_management();

  scsi::CopyManager copies_;  ///< outlives the units that it serves
  Inventory inventory_;
  Limits limits_;
  Log log_;
  Random random_;
  Counters counters_;
  Instant now_{};
  Instant next_deadline_ = Instant::max();
  bool shutting_down_ = false;
  bool limit_logged_ = false;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Guard> guard_;
  std::vector<Connection*> connections_;  ///< those the pump owns
  std::uint32_t logins_in_progress_ = 0;
  std::uint64_t serial_ = 0;
  std::uint64_t data_bytes_ = 0;
  bool memory_freed_ = false;
  int managements_waiting_ = 0;
  Connection* ready_head_ = nullptr;
  Connection* ready_tail_ = nullptr;
  std::function<void()> wake_;
  std::vector<std::string> unreadable_disks_;
  std::map<const scsi::LogicalUnit*, std::uint64_t> sizes_told_;
};

}  // namespace tsihd::session
