// Who logs in, and into which session: names, handles, versions, portal groups; repeated keys
// (RFC 3720 5.3, 5.4, 10.12.6).
#include "harness/judge/parameters.h"
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kRequest = pdus(Opcode::login_request);
constexpr std::uint64_t kResponse = pdus(Opcode::login_response);

const LoginState& login(const Moment& m) { return m.connection.login; }
unsigned status_class(const Moment& m) { return m.pdu.header[36]; }

/// The first whole text of a login.
bool is_first_text(const Moment& m) {
  return m.keys && m.connection.negotiation.known && m.connection.negotiation.declared[0].empty() &&
         (m.connection.phase == Phase::before_login || m.connection.phase == Phase::login);
}

Ruling initiator_is_named(const Moment& m) {
  if (!is_first_text(m)) return Ruling::aside();
  if (m.keys->has("InitiatorName")) return Ruling::kept();
  return Ruling::broken("InitiatorName in the first text of a login", m.keys->describe());
}

Ruling target_is_named(const Moment& m) {
  if (!is_first_text(m) || m.keys->value("SessionType") == std::string("Discovery"))
    return Ruling::aside();
  if (m.keys->has("TargetName")) return Ruling::kept();
  return Ruling::broken("TargetName in the first text of a login that is not for discovery",
                        m.keys->describe());
}

// The first response to a request without C.
Ruling portal_group_is_told(const Moment& m) {
  if (status_class(m) != 0 || !m.connection.negotiation.known) return Ruling::aside();
  const auto& negotiation = m.connection.negotiation;
  if (negotiation.last_continues[0] || !negotiation.declared[0].contains("TargetName"))
    return Ruling::aside();
  const bool said = negotiation.declared[1].contains("TargetPortalGroupTag");
  if (!m.keys || said) return Ruling::aside();
  if (m.keys->has("TargetPortalGroupTag")) return Ruling::kept();
  return Ruling::broken("TargetPortalGroupTag in the first response of the login",
                        m.keys->describe());
}

// A handle other than 0 names the session of this initiator and ISID that lives, if there is one.
Ruling handle_is_the_sessions(const Moment& m) {
  const auto handle = m.pdu[field::tsih];
  if (handle == 0 || !is_first_text(m)) return Ruling::aside();
  const auto& session = login(m).predecessor;
  if (!session || !session->known_from_start) return Ruling::unseen();
  return equal("the session's TSIH", session->handle, handle);
}

Ruling reinstatement_keeps_the_cid_and_handle(const Moment& m) {
  const auto handle = m.pdu[field::tsih];
  const auto& session = login(m).predecessor;
  if (handle == 0 || !is_first_text(m) || !session || !session->known_from_start)
    return Ruling::aside();
  if (!session->connection_of_cid.contains(static_cast<std::uint16_t>(m.pdu[field::cid])))
    return Ruling::aside();  // a further connection
  return equal("the TSIH of the session whose connection is reinstated,", session->handle, handle);
}

// Where the last session is over, a login begins a new one.
Ruling new_session_has_no_handle(const Moment& m) {
  if (!is_first_text(m)) return Ruling::aside();
  if (m.pdu[field::tsih] == 0) return Ruling::kept();
  const auto& session = login(m).predecessor;
  if (!session || !session->over) return Ruling::aside();
  return Ruling::broken("TSIH 0, since the session of that ISID is over",
                        fmt::format("{}", m.pdu[field::tsih]));
}

Ruling version_is_the_targets(const Moment& m) {
  if (login(m).responses == 0 || login(m).requests == 0) return Ruling::aside();
  const unsigned active = login(m).last_response.header[3];
  const unsigned least = m.pdu.header[3], most = m.pdu.header[2];
  if (active >= least && active <= most) return Ruling::kept();
  return Ruling::broken(
      fmt::format("to go on only with the target's version {} within reach", active),
      fmt::format("versions {}..{}", least, most));
}

// Repetitions.

Ruling repetition_is_refused(const Moment& m) {
  const auto& repeated = m.connection.negotiation.repeated[0];
  if (repeated.empty()) return Ruling::aside();
  if (status_class(m) == 2) return Ruling::kept();
  return Ruling::broken(fmt::format("a login reject, since {} came twice", repeated),
                        fmt::format("status 0x{:04x}", m.pdu[field::status]));
}

Ruling repetition_ends_it(const Moment& m) {
  const auto& repeated = m.connection.negotiation.repeated[1];
  if (repeated.empty() || m.connection.phase == Phase::full_feature) return Ruling::aside();
  return Ruling::broken(fmt::format("the end of the connection, since {} came twice", repeated),
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

Ruling text_repetition_is_rejected(const Moment& m) {
  const auto& repeated = m.connection.negotiation.repeated[0];
  if (repeated.empty()) return Ruling::aside();
  if (m.pdu.is(Opcode::text_response))
    return Ruling::broken(fmt::format("a Reject, since {} came twice", repeated),
                          "a Text Response");
  if (m.pdu.data.empty() ||
      (m.pdu.data[0] & 0x3f) != static_cast<std::uint8_t>(Opcode::text_request))
    return Ruling::aside();
  constexpr unsigned kProtocolError = 4;
  // Another reason may tell of another mistake in the same request.
  return m.pdu[field::reject_reason] == kProtocolError ? Ruling::kept() : Ruling::unseen();
}

Ruling negotiation_starts_over(const Moment& m) {
  if (!m.connection.text_reset_due) return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::target_transfer_tag);
  if (tag == wire::kReservedTag) return Ruling::kept();
  return Ruling::broken("a negotiation from its beginning, Target Transfer Tag 0xffffffff",
                        hex(tag));
}

constexpr Rule kRules[] = {
    {"login.initiator_name",
     {"R3720-5.3-01", "R3720-12.5-01", "R3720-3.2.6.1-01", "R3720-3.2.6.1-03", "R3720-10.12.10-01"},
     Judged::initiator,
     kRequest,
     initiator_is_named},
    {"login.target_name",
     {"R3720-5.3-03", "R3720-12.4-01", "R3720-3.2.6.1-03"},
     Judged::initiator,
     kRequest,
     target_is_named},
    {"login.portal_group",
     {"R3720-5.3.1-01", "R3720-10.13.8-01"},
     Judged::target,
     kResponse,
     portal_group_is_told},
    {"login.handle_of_session",
     {"R3720-10.12.6-02", "R3720-3.4.3-01"},
     Judged::initiator,
     kRequest,
     handle_is_the_sessions},
    {"login.reinstates_by_handle",
     {"R3720-5.3.4-01"},
     Judged::initiator,
     kRequest,
     reinstatement_keeps_the_cid_and_handle},
    {"login.new_session",
     {"R3720-10.12.6-01", "R3720-5.3.5-01", "R3720-10.12.6-l01"},
     Judged::initiator,
     kRequest,
     new_session_has_no_handle},
    {"login.version_of_target",
     {"R3720-10.13.1-02", "R3720-10.13.2-02"},
     Judged::initiator,
     kRequest,
     version_is_the_targets},
    {"login.repetition_refused",
     {"R3720-5.3-12", "R3720-5.3-13"},
     Judged::target,
     kResponse,
     repetition_is_refused},
    {"login.repetition_ends",
     {"R3720-5.3-12", "R3720-5.3-13"},
     Judged::initiator,
     kFromInitiator,
     repetition_ends_it},
    {"text.repetition_rejected",
     {"R3720-5.4-07"},
     Judged::target,
     pdus(Opcode::text_response, Opcode::reject),
     text_repetition_is_rejected},
    {"text.starts_over",
     {"R3720-5.4-08"},
     Judged::initiator,
     pdus(Opcode::text_request),
     negotiation_starts_over},
};

}  // namespace

std::span<const Rule> identity_rules() { return kRules; }

}  // namespace tsih::judge
