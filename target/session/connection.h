// One connection, sans-I/O: bytes in, a gather list out, the clock its service's. The pump around
// it owns the socket; a test owns both ends.
//
//     connection->received(0, bytes);            // as often as bytes come
//     while (connection->has_output()) {         // after a batch
//       n = connection->gather(iovecs); ... write ...; connection->sent(written);
//     }
//     if (connection->wants_close()) close the socket and destroy the connection
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "target/base/time.h"
#include "target/scsi/sense.h"
#include "target/session/discards.h"
#include "target/session/login.h"
#include "target/session/negotiation_text.h"
#include "target/session/output.h"
#include "target/session/response_history.h"
#include "target/session/service.h"
#include "target/session/task_management.h"
#include "target/wire/pdu.h"
#include "target/wire/reader.h"

namespace tsihd::session {

class Session;
enum class Closing : std::uint8_t;
enum class Departure : std::uint8_t;

/// Response of a Logout Response (10.15.1).
enum class LogoutResponse : std::uint8_t {
  success = 0,
  cid_not_found = 1,
  recovery_not_supported = 2,
  cleanup_failed = 3,
};

/// Limits that a peer meets here: PDUs queued to it (Limits::output_pdus; then wants_input() is
/// false), time for its login, time without any reading of what we send, silence (keepalive).
class Connection {
 public:
  Connection(Service& service, Endpoints endpoints);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // -- the pump
  /// False: do not read from the socket now (the peer does not read, or the connection closes).
  bool wants_input() const;
  /// Where the rest of a PDU under way may be read to at once; empty when none is.
  std::span<std::byte> receive_space() { return reader_.space(); }
  /// Bytes have come: first `in_space` of them in receive_space(), then `rest`. The bytes of `rest`
  /// need not stay.
  void received(std::size_t in_space, std::span<const std::byte> rest);
  bool has_output() const { return !output_.empty() || !line_.empty(); }
  /// What to send next; how many entries of `out` are used.
  std::size_t gather(std::span<iovec> out);
  /// So many bytes of what gather() gave were taken by the socket.
  void sent(std::size_t bytes);
  /// Everything that was to be said is said: close the socket.
  bool wants_close() const {
    return state_ == State::closed || (state_ == State::closing && !has_output());
  }
  /// Close it with a reset once the socket was offered what there is to say: what an initiator has
  /// not taken must not reach it later, as an answer from a session that another has displaced.
  bool wants_reset() const { return reset_; }
  /// The socket is gone, or is about to be closed by the pump. Idempotent.
  void disconnected(std::string_view why);
  void tick();
  Instant next_deadline() const;

  // -- the session, the guard and the service
  const Endpoints& endpoints() const { return endpoints_; }
  Session* session() const { return session_; }
  Instant last_received() const { return last_received_; }
  bool in_login() const { return state_ == State::login || state_ == State::admission; }
  bool in_full_feature_phase() const { return state_ == State::full_feature; }
  std::uint16_t cid() const { return cid_; }
  /// What the session tells its connections apart by; see Session::bind().
  std::uint32_t link() const { return link_; }
  bool has_parted() const { return parted_; }
  void mark_parted() { parted_ = true; }
  const LoginIdentity& identity() const { return login_->identity(); }
  const NegotiatedParameters& negotiated() const { return login_->parameters(); }
  std::uint32_t first_cmd_sn() const { return login_->exp_cmd_sn(); }

  /// The guard's word: the login ends well, in this session, or with this status.
  void admit(Session& session);
  void refuse(std::uint16_t status);

  void respond(Pending& pending);
  /// The response that waits for its turn is not to be sent.
  void withdraw(Pending& pending) { line_.remove(pending); }
  /// A request that had to wait for its turn in the order of commands.
  void execute_held(const wire::Pdu& pdu) { execute(pdu, false); }
  /// Sends R2Ts for what is missing up to `goal_bytes`, as many as may be out at once.
  void solicit(Task& task, std::uint32_t goal_bytes);
  void discard_rest(Task& task);
  /// Takes a command up again whose connection was lost (TASK REASSIGN, 6.2.2). `exp_data_sn`: see
  /// 10.5.6; 0 when the initiator does not say.
  void resume(Task& task, std::uint32_t exp_data_sn);
  /// Whether an open text negotiation is the task of this tag.
  bool negotiates(std::uint32_t initiator_task_tag) const {
    return text_ && text_->is_task(initiator_task_tag);
  }
  /// Memory is short: nothing that was sent can be asked for again.
  void forget_retained();
  void send_task_management_response(std::uint32_t initiator_task_tag,
                                     TaskManagementResponse response);
  void answer_acknowledged(TaskManagement& request);
  std::uint32_t acknowledged_stat_sn() const { return acknowledged_stat_sn_; }
  std::uint32_t next_stat_sn() const { return stat_sn_; }

  /// A NOP-In that wants an answer; the session guard's question whether the peer is alive.
  void ping();
  void ask_for_logout();
  /// Async Message 3: all connections of the session will be dropped, come back after `wait_s`.
  void announce_drop(std::uint32_t wait_s);
  /// Async Message 2: another connection of the session, or this one, is dropped.
  void announce_lost(std::uint16_t cid, std::uint32_t wait_s, std::uint32_t retain_s);
  /// Async Message 3, or 2 when only this connection is meant, and the end; what is recoverable may
  /// be recovered.
  void announce_and_drop(bool whole_session);
  void ask_for_negotiation();                                         ///< Async Message 4
  void tell_scsi_event(std::uint16_t lun, const scsi::Sense& sense);  ///< Async Message 0
  /// The session is over: what is queued goes out, then the socket is closed.
  void session_ended(Closing closing);
  /// Another connection has taken its place, or has logged it out: it leaves without a word.
  void retired(std::string_view why, Departure how);
  /// The initiator is silent, or the connection is replaced: the end at once, see wants_reset().
  void reset(std::string_view why, Departure how);
  /// A command is back from the disks: a Logout that waited for it is answered.
  void command_came_back();
  /// Closes once what is queued has gone out, at the latest after a few seconds.
  void close_after_output(std::string_view why);

  void* pump = nullptr;  ///< the pump's own

  // the list of ready connections
  Connection* next_ready = nullptr;
  bool ready = false;

 private:
  enum class State : std::uint8_t {
    login,      ///< the login phase
    admission,  ///< the guard decides
    full_feature,
    logging_out,  ///< its Logout Response is due; nothing else is taken
    closing,      ///< only output goes on
    closed
  };

  // connection.cpp
  void process();
  void on_pdu(const wire::Pdu& pdu);
  void drop(std::string_view why);
  void drop_session(std::string_view why);
  void drop_deaf(std::string_view why);
  void log_drop(std::string_view why) const;
  void close_and_suspend(std::string_view why);
  void leave_session(Departure how, std::string_view why);
  void drop_responses(bool strand);
  void close_output(std::string_view why);
  void send_async(std::uint8_t event, std::uint16_t parameter_1, std::uint32_t parameter_2,
                  std::uint32_t parameter_3);
  void ready_to_send();
  std::uint32_t exp_cmd_sn() const;
  std::uint32_t max_cmd_sn() const;
  template <class T>
  void number(T& bhs, bool advances);
  template <class T>
  void send(T bhs, bool advances);
  template <class T>
  void send_copy(T bhs, std::span<const std::byte> data, bool advances);

  // connection_login.cpp
  void on_login_pdu(const wire::Pdu& pdu);
  void login_progress(LoginState state, std::vector<std::byte>&& response);
  void enter_full_feature_phase();

  // connection_requests.cpp
  void on_full_feature_pdu(const wire::Pdu& pdu);
  void acknowledge(std::uint32_t exp_stat_sn);
  std::optional<wire::RejectReason> inadmissible(const wire::Pdu& pdu) const;
  void refuse_request(const wire::Pdu& pdu, wire::RejectReason reason);
  void expect_stray_data(const wire::Pdu& pdu);
  void on_numbered(const wire::Pdu& pdu);
  void turn_taken();
  void execute(const wire::Pdu& pdu, bool advance);
  void on_nop_out(const wire::Pdu& pdu);
  void on_text(const wire::Pdu& pdu, bool advance);
  void reject(const wire::Pdu& pdu, wire::RejectReason reason);

  // connection_logout.cpp
  void on_logout(const wire::Pdu& pdu, bool advance);
  void log_out_this(std::uint8_t reason);
  void log_out_other(std::uint8_t reason, std::uint16_t cid);
  void emit_logout_response(LogoutResponse response);

  // connection_command.cpp
  void on_scsi_command(const wire::Pdu& pdu);
  bool fill_command(Task& task, const wire::Pdu& pdu);
  void take_unsolicited(Task& task, const wire::Pdu& pdu);
  bool make_room(Task& task, std::uint32_t bytes);

  // connection_data_out.cpp
  void on_data_out(const wire::Pdu& pdu);
  void on_uncalled(Task* task, const wire::Pdu& pdu);
  void ask(Task& task, Transfer& transfer, ByteRanges::Run wanted);
  void send_r2t(const Task& task, const R2tRequest& request);
  void on_sequence(Task& task, Transfer& transfer, const wire::Pdu& pdu);
  bool in_sequence(Task& task, Transfer& transfer, std::uint32_t data_sn);
  void lost_some(Task& task, Transfer& transfer);
  void take_data(Task& task, Transfer& transfer, const wire::Pdu& pdu);
  void end_sequence(Task& task, Transfer& transfer);
  void expect_data(Task& task);
  void look_for_lost_data();
  void time_out_data(Task& task);
  void went_on(Task& task);
  void store(Task& task, std::uint32_t offset_bytes, std::span<const std::byte> data);

  // connection_snack.cpp
  using Refused = std::optional<wire::RejectReason>;
  void on_snack(const wire::Pdu& pdu);
  Task* find_unacknowledged(std::uint32_t initiator_task_tag);
  Refused on_data_snack(const wire::SnackRequestBhs& bhs);
  Refused resend_r2ts(Task& task, const wire::SnackRequestBhs& bhs);
  Refused resend_data_in(Task& task, const wire::SnackRequestBhs& bhs);
  Refused on_status_snack(const wire::SnackRequestBhs& bhs);
  Refused on_data_ack(const wire::SnackRequestBhs& bhs);
  Refused on_r_data_snack(const wire::SnackRequestBhs& bhs);
  void emit_replay(Replay& replay);
  void resend_response(const ResponseHistory::Entry& entry);
  void rewind(Task& task, std::uint32_t data_sn, std::uint32_t offset_bytes);
  void stop_replay(Task& task);
  void remember(Task& task);
  void solicit_acknowledgement();
  void let_go(Task& task);

  // connection_data_in.cpp
  void fill_output();
  bool emit_task(Task& task);
  bool emit_data_in(Task& task);
  void push_data_in(Task& task, std::uint32_t data_sn, std::uint32_t offset_bytes,
                    std::uint32_t bytes);
  void emit_scsi_response(Task& task);
  void push_scsi_response(Task& task);
  std::uint32_t burst_bytes() const { return parameters_.max_burst_length_bytes & ~3u; }
  void emit_task_management(TaskManagement& request);
  void task_sent(Task& task);
  void update_data_in_limit();

  Service& service_;
  const Endpoints endpoints_;
  State state_ = State::login;
  std::unique_ptr<LoginExchange> login_;
  std::unique_ptr<TextExchange> text_;
  Session* session_ = nullptr;
  wire::PduReader reader_;
  wire::Digests digests_;
  OutputQueue output_;
  PendingLine line_;
  Discards discards_;
  ResponseHistory history_;  ///< ErrorRecoveryLevel 1 and 2

  std::uint32_t stat_sn_ = 0;               ///< of the next response
  std::uint32_t acknowledged_stat_sn_ = 0;  ///< the initiator's ExpStatSN
  std::uint32_t next_ping_tag_ = 1;
  std::uint32_t max_data_in_bytes_ = 8192;  ///< of one Data-In PDU

  NegotiatedParameters parameters_;  ///< the session's, and this connection's own
  std::uint16_t cid_ = 0;
  std::uint32_t link_ = 0;
  bool reset_ = false;
  bool parted_ = false;  ///< its commands have ended or are suspended

  /// What the answer to a Logout waits for.
  enum class LogoutWait : std::uint8_t { none, session, connection };
  Pending logout_{Pending::Kind::logout};
  LogoutWait logout_wait_ = LogoutWait::none;
  std::uint32_t logout_link_ = 0;  ///< of the connection that it names
  std::uint32_t logout_tag_ = 0;
  bool logout_for_recovery_ = false;
  std::string close_reason_;

  Instant last_received_;
  Instant login_deadline_;
  Instant data_deadline_ = Instant::max();    ///< a sequence of Data-Out may stand still
  Instant ping_deadline_ = Instant::max();    ///< an answer is due
  Instant logout_deadline_ = Instant::max();  ///< a Logout was asked for
  Instant close_deadline_ = Instant::max();
  Instant output_since_ = Instant::max();  ///< the peer has taken nothing since
};

}  // namespace tsihd::session
