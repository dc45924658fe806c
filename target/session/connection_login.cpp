// The login phase of a connection: drives login.h's exchange, asks the guard, and opens full
// feature phase.
#include <algorithm>
#include <utility>

#include "target/session/connection.h"
#include "target/session/guard.h"
#include "target/session/registry.h"
#include "target/session/session.h"

namespace tsihd::session {

void Connection::on_login_pdu(const wire::Pdu& pdu) {
  std::vector<std::byte> response;
  const LoginState state = login_->on_pdu(pdu, response);
  if (const PortalGroup* group = login_->identity().portal_group)
    login_deadline_ = std::min(
        login_deadline_,
        service_.now() + std::chrono::seconds(std::max(group->attributes.login_timeout_s, 1u)));
  login_progress(state, std::move(response));
}

void Connection::login_progress(LoginState state, std::vector<std::byte>&& response) {
  if (!response.empty()) {
    ++service_.counters().pdus_sent;
    output_.push_raw(std::move(response));
    ready_to_send();
  }
  switch (state) {
    case LoginState::exchanging:
    case LoginState::established:
      break;
    case LoginState::awaiting_admission:
      state_ = State::admission;
      service_.guard().ask(*this);
      break;
    case LoginState::failed:
      service_.counters().login_failed(login_->refusal_status(), login_->limit_hit());
      close_after_output("the login has failed");
      break;
  }
}

void Connection::admit(Session& session) {
  session_ = &session;
  cid_ = login_->identity().cid;
  parameters_ = login_->parameters();
  link_ = session.bind(*this);
  std::vector<std::byte> response;
  const LoginState state = login_->admit(session.tsih(), response);
  login_progress(state, std::move(response));
  ++service_.counters().logins_succeeded;
  service_.login_ended(*this);
  enter_full_feature_phase();
  const LoginIdentity& who = session.identity();
  service_.log().info(
      "{} initiator={} isid={:02x}{:02x}{:02x}{:02x}{:02x}{:02x} tsih={} cid={} peer={} target={} "
      "type={}",
      link_ == 1 ? "session start" : "connection join", who.initiator_name, who.isid[0],
      who.isid[1], who.isid[2], who.isid[3], who.isid[4], who.isid[5], session.tsih(), cid_,
      endpoints_.remote(), who.target ? who.target->name : "-",
      session.is_discovery() ? "discovery" : "normal");
}

void Connection::refuse(std::uint16_t status) {
  std::vector<std::byte> response;
  login_progress(login_->refuse(status, response), std::move(response));
}

void Connection::enter_full_feature_phase() {
  stat_sn_ = login_->next_stat_sn();
  acknowledged_stat_sn_ = stat_sn_;
  digests_ = {parameters_.header_digest, parameters_.data_digest};
  reader_.set_digests(digests_);
  reader_.set_max_data_segment_bytes(parameters_.target_max_recv_data_segment_length_bytes);
  text_ =
      std::make_unique<TextExchange>(TextContext{service_.inventory(), session_->identity(),
                                                 endpoints_.local_address, endpoints_.local_port},
                                     parameters_);
  update_data_in_limit();
  login_.reset();
  state_ = State::full_feature;
  service_.note_deadline(next_deadline());
}

}  // namespace tsihd::session
