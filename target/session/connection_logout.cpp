// Logout (RFC 3720 10.14, 10.15): of the session, of this connection, of another one, for good or
// for recovery. The response says that the clean-up is done: no command that ends with it is left
// at a disk.
#include "target/session/connection.h"
#include "target/session/connection_numbering.h"
#include "target/session/session.h"

namespace tsihd::session {
namespace {

constexpr std::uint8_t kCloseSession = 0, kCloseConnection = 1, kRecovery = 2;

}  // namespace

void Connection::on_logout(const wire::Pdu& pdu, bool advance) {
  const auto& bhs = pdu.as<wire::LogoutRequestBhs>();
  if (bhs.reason() > kRecovery) {
    reject(pdu, wire::RejectReason::invalid_pdu_field);
    return;
  }
  if (logout_wait_ != LogoutWait::none) {  // one at a time
    reject(pdu, wire::RejectReason::waiting_for_logout);
    return;
  }
  if (advance) session_->window().advance();
  ++service_.counters().logouts;
  logout_tag_ = bhs.initiator_task_tag;
  logout_for_recovery_ = bhs.reason() == kRecovery;
  if (logout_for_recovery_ && !session_->recovers_connections())
    emit_logout_response(LogoutResponse::recovery_not_supported);
  else if (bhs.reason() == kCloseSession || bhs.cid == cid_)
    log_out_this(bhs.reason());
  else
    log_out_other(bhs.reason(), bhs.cid);
}

void Connection::log_out_this(std::uint8_t reason) {
  logout_deadline_ = Instant::max();
  state_ = State::logging_out;
  const bool last = session_->connections().size() == 1 && !session_->waits_for_reassignment();
  if (reason == kCloseSession || (reason == kCloseConnection && last)) {
    logout_wait_ = LogoutWait::session;
    session_->end(reason == kCloseSession ? "logout" : "logout of its only connection");
    return;
  }
  if (logout_for_recovery_) drop_responses(true);
  session_->part(*this, logout_for_recovery_ ? Departure::recovery : Departure::closed);
  logout_wait_ = LogoutWait::connection;
  logout_link_ = link_;
  command_came_back();
}

void Connection::log_out_other(std::uint8_t reason, std::uint16_t cid) {
  const Departure how = reason == kRecovery ? Departure::recovery : Departure::closed;
  if (Connection* other = session_->find_connection(cid)) {
    logout_link_ = other->link();
    other->retired("logged out over another connection", how);
  } else if (const auto link = session_->log_out_suspended(cid, logout_for_recovery_)) {
    logout_link_ = *link;
  } else {
    emit_logout_response(LogoutResponse::cid_not_found);
    return;
  }
  logout_wait_ = LogoutWait::connection;
  command_came_back();
}

void Connection::command_came_back() {
  const bool done =
      (logout_wait_ == LogoutWait::session && session_->state() == Session::State::ended) ||
      (logout_wait_ == LogoutWait::connection &&
       (logout_for_recovery_ || !session_->holds_commands_of(logout_link_)));
  if (!done) return;
  logout_wait_ = LogoutWait::none;
  respond(logout_);
}

void Connection::emit_logout_response(LogoutResponse response) {
  wire::LogoutResponseBhs bhs;
  bhs.set_response(static_cast<std::uint8_t>(response));
  bhs.initiator_task_tag = logout_tag_;
  if (response != LogoutResponse::cid_not_found) {
    bhs.time2wait_s = static_cast<std::uint16_t>(parameters_.default_time2wait_s);
    if (logout_for_recovery_ && response == LogoutResponse::success)
      bhs.time2retain_s = static_cast<std::uint16_t>(parameters_.default_time2retain_s);
  }
  send(bhs, true);
}

}  // namespace tsihd::session
