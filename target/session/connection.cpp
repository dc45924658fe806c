#include "target/session/connection.h"

#include <algorithm>
#include <utility>

#include "target/session/connection_numbering.h"
#include "target/session/guard.h"
#include "target/session/registry.h"
#include "target/session/session.h"

namespace tsihd::session {
namespace {

using std::chrono::seconds;

constexpr seconds kCloseGrace{2};  // for what is still to be said before a connection is closed

std::string join(const std::string& address, std::uint16_t port) {
  const bool ipv6 = address.find(':') != std::string::npos;
  return ipv6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

}  // namespace

std::string Endpoints::remote() const { return join(remote_address, remote_port); }
std::string Endpoints::local() const { return join(local_address, local_port); }

Connection::Connection(Service& service, Endpoints endpoints)
    : service_(service),
      endpoints_(std::move(endpoints)),
      login_(std::make_unique<LoginExchange>(LoginContext{
          service.inventory(), service.registry(), endpoints_.local_address, endpoints_.local_port,
          endpoints_.remote(), service.random(), service.log()})),
      last_received_(service.now()),
      login_deadline_(service.now() + seconds(service.limits().login_timeout_s)) {
  service_.note_deadline(login_deadline_);
}

Connection::~Connection() {
  disconnected("closed");
  service_.forget(*this);
}

bool Connection::wants_input() const {
  return state_ != State::closing && state_ != State::closed &&
         output_.pdus() < service_.limits().output_pdus;
}

void Connection::received(std::size_t in_space, std::span<const std::byte> rest) {
  service_.counters().bytes_received += in_space + rest.size();
  if (in_space > 0) reader_.commit(in_space);
  reader_.feed(rest);
  process();
}

void Connection::process() {
  wire::Pdu pdu;
  while (state_ != State::closing && state_ != State::closed) {
    switch (reader_.next(pdu)) {
      case wire::PduReader::Event::need_more:
        return;
      case wire::PduReader::Event::pdu:
        on_pdu(pdu);
        break;
      case wire::PduReader::Event::header_digest_error:
        ++service_.counters().header_digest_errors;
        drop("header digest error: where the next PDU begins is not known");
        return;
      case wire::PduReader::Event::data_segment_too_long:
        ++service_.counters().protocol_errors;
        drop_session(fmt::format("a data segment of {} bytes, above MaxRecvDataSegmentLength",
                                 static_cast<std::uint32_t>(pdu.bhs().data_segment_bytes)));
        return;
    }
  }
}

void Connection::on_pdu(const wire::Pdu& pdu) {
  ++service_.counters().pdus_received;
  last_received_ = service_.now();
  ping_deadline_ = Instant::max();
  if (session_) service_.guard().heard_from(*session_, link_);
  switch (state_) {
    case State::login:
      on_login_pdu(pdu);
      break;
    case State::admission:
      drop("a PDU before the Login Response that was due");
      break;
    case State::full_feature:
    case State::logging_out:
      on_full_feature_pdu(pdu);
      break;
    case State::closing:
    case State::closed:
      break;
  }
}

void Connection::log_drop(std::string_view why) const {
  service_.log().warning("connection drop peer={} initiator={} reason=\"{}\"", endpoints_.remote(),
                         session_ ? session_->identity().initiator_name : "-", why);
}

/// The connection fails: at ErrorRecoveryLevel 2 its commands may be taken up by another, else they
/// end with it.
void Connection::drop(std::string_view why) {
  if (state_ == State::closed || state_ == State::closing) return;
  log_drop(why);
  if (session_ && session_->recovers_connections()) {
    retired(why, Departure::failed);
    return;
  }
  state_ = in_login() ? state_ : State::closing;
  leave_session(Departure::failed, why);
  close_output(why);
}

/// The same for an initiator that takes nothing, or does not answer.
void Connection::drop_deaf(std::string_view why) {
  log_drop(why);
  reset(why, Departure::failed);
}

/// A format error takes all connections of the session with it (6.6).
void Connection::drop_session(std::string_view why) {
  Session* const session = session_;
  if (!session) return drop(why);
  service_.log().warning("session drop peer={} initiator={} reason=\"{}\"", endpoints_.remote(),
                         session->identity().initiator_name, why);
  ++service_.counters().sessions_dropped;
  close_after_output(why);
  session->end(why);
}

/// Its last words go out; what may be recovered waits for it, as after a loss.
void Connection::close_and_suspend(std::string_view why) {
  service_.log().info("connection drop peer={} reason=\"{}\"", endpoints_.remote(), why);
  leave_session(Departure::failed, why);
  close_output(why);
}

void Connection::close_after_output(std::string_view why) {
  if (state_ == State::closed) return;
  leave_session(Departure::closed, why);
  close_output(why);
}

void Connection::close_output(std::string_view why) {
  if (in_login()) {
    service_.guard().withdraw(*this);
    service_.login_ended(*this);
  }
  state_ = State::closing;
  close_reason_ = why;
  close_deadline_ = service_.now() + kCloseGrace;
  service_.note_deadline(close_deadline_);
  ready_to_send();
}

void Connection::session_ended(Closing closing) {
  reset_ = closing == Closing::abrupt;
  if (logout_wait_ == LogoutWait::session)
    return;  // its response is due when all commands are back
  close_after_output("the session has ended");
}

void Connection::retired(std::string_view why, Departure how) {
  leave_session(how, why);
  disconnected(why);
  service_.mark_ready(*this);
}

void Connection::reset(std::string_view why, Departure how) {
  reset_ = true;
  retired(why, how);
}

void Connection::leave_session(Departure how, std::string_view why) {
  if (!session_) return;
  drop_responses(how != Departure::closed && session_->recovers_connections() &&
                 session_->state() == Session::State::active);
  session_->leave(*this, how, why);
  session_ = nullptr;
}

/// Forgets the responses that are not PDUs yet, and those that are not acknowledged. `strand`:
/// their commands are suspended, and a new connection will send them; else nobody does.
void Connection::drop_responses(bool strand) {
  const auto drop = [&](Task& task) {
    if (strand) task.stage = Task::Stage::stranded;
    task.emitted = !strand;  // a stranded one will be sent anew
    task_sent(task);
  };
  while (!line_.empty()) {
    Pending& pending = *line_.front();
    line_.pop();
    if (pending.kind == Pending::Kind::replay)
      static_cast<Replay&>(pending).task = nullptr;
    else if (pending.kind == Pending::Kind::task && !static_cast<Task&>(pending).retained)
      drop(static_cast<Task&>(pending));
  }
  history_.clear([&](Task& task) {
    task.retained = false;
    drop(task);
  });
}

void Connection::disconnected(std::string_view why) {
  if (state_ == State::closed) return;
  if (in_login()) {
    service_.guard().withdraw(*this);
    service_.login_ended(*this);
  }
  leave_session(state_ == State::logging_out ? Departure::closed : Departure::failed, why);
  state_ = State::closed;
  output_.clear([this](Task& task) { task_sent(task); });
}

std::size_t Connection::gather(std::span<iovec> out) {
  fill_output();
  return output_.gather(out);
}

void Connection::sent(std::size_t bytes) {
  service_.counters().bytes_sent += bytes;
  output_.sent(bytes, [this](Task& task) { task_sent(task); });
  output_since_ = has_output() ? service_.now() : Instant::max();
  if (output_since_ != Instant::max())
    service_.note_deadline(output_since_ + seconds(service_.limits().output_stall_s));
}

void Connection::ready_to_send() {
  if (output_since_ == Instant::max()) {
    output_since_ = service_.now();
    service_.note_deadline(output_since_ + seconds(service_.limits().output_stall_s));
  }
  service_.mark_ready(*this);
}

Instant Connection::next_deadline() const {
  if (state_ == State::closed) return Instant::max();
  if (state_ == State::closing) return close_deadline_;
  Instant deadline = std::min({ping_deadline_, logout_deadline_, data_deadline_});
  if (in_login()) deadline = std::min(deadline, login_deadline_);
  if (output_since_ != Instant::max())
    deadline = std::min(deadline, output_since_ + seconds(service_.limits().output_stall_s));
  if (state_ != State::full_feature || !session_) return deadline;
  if (session_->is_discovery())
    return std::min(deadline, last_received_ + seconds(service_.limits().discovery_idle_s));
  if (session_->nop_in_interval_s() > 0 && ping_deadline_ == Instant::max())
    deadline = std::min(deadline, last_received_ + seconds(session_->nop_in_interval_s()));
  return deadline;
}

void Connection::tick() {
  const Instant now = service_.now();
  if (state_ == State::closed || now < next_deadline()) return;
  if (state_ == State::closing) {
    reset(close_reason_, Departure::closed);  // the peer takes nothing more
  } else if (in_login() && now >= login_deadline_) {
    ++service_.counters().logins_timed_out;
    drop("the login took too long");
  } else if (output_since_ != Instant::max() &&
             now >= output_since_ + seconds(service_.limits().output_stall_s)) {
    ++service_.counters().output_stalls;
    drop_deaf("the initiator takes none of what is sent to it");
  } else if (now >= ping_deadline_) {
    ++service_.counters().keepalive_timeouts;
    drop_deaf("no answer to a NOP-In");
  } else if (now >= logout_deadline_) {
    announce_lost(cid_, parameters_.default_time2wait_s, 0);
    service_.log().warning("connection drop peer={} reason=\"no Logout after it was asked for\"",
                           endpoints_.remote());
    close_after_output("no Logout after it was asked for");
  } else if (now >= data_deadline_) {
    look_for_lost_data();
  } else if (session_ && session_->is_discovery()) {
    drop("a discovery session without requests");
  } else {
    ping();
    ping_deadline_ = now + seconds(std::max(session_->nop_in_response_timeout_s(), 1u));
    service_.note_deadline(ping_deadline_);
  }
}

std::uint32_t Connection::exp_cmd_sn() const { return session_->window().exp_cmd_sn(); }
std::uint32_t Connection::max_cmd_sn() const { return session_->window().max_cmd_sn(); }

void Connection::ping() {
  if (state_ != State::full_feature) return;
  wire::NopInBhs bhs;
  bhs.target_transfer_tag = next_ping_tag_;
  if (++next_ping_tag_ == wire::kReservedTag) next_ping_tag_ = 1;
  send(bhs, false);
}

}  // namespace tsihd::session
