// The login phase: stages, transitions, versions, handles, what its ends say (RFC 3720 5.3, 10.12,
// 10.13).
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kRequest = pdus(Opcode::login_request);
constexpr std::uint64_t kResponse = pdus(Opcode::login_response);
constexpr unsigned kSecurity = 0, kOperational = 1, kReservedStage = 2, kFullFeature = 3;

const LoginState& login(const Moment& m) { return m.connection.login; }
bool is_first_request(const Moment& m) { return login(m).requests == 0; }
bool in_login(const Moment& m) { return m.connection.phase == Phase::login; }
bool succeeds(const Moment& m) { return m.pdu[field::status] == 0; }
unsigned status_class(const Moment& m) { return m.pdu.header[36]; }

Ruling login_comes_first(const Moment& m) {
  if (m.connection.phase != Phase::before_login) return Ruling::aside();
  if (m.pdu.is(Opcode::login_request)) return Ruling::kept();
  return Ruling::broken("a Login Request as the first PDU of a connection",
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

Ruling login_pdus_belong_to_the_login(const Moment& m) {
  const bool of_login = m.pdu.is(Opcode::login_request) || m.pdu.is(Opcode::login_response);
  if (m.connection.phase == Phase::unknown || m.connection.phase == Phase::before_login)
    return Ruling::aside();
  if (of_login == in_login(m)) return Ruling::kept();
  return Ruling::broken(in_login(m) ? "only login PDUs until the login is over"
                                    : "no login PDU in full feature phase",
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

Ruling one_login_a_connection(const Moment& m) {
  if (m.connection.phase != Phase::full_feature) return Ruling::kept();
  return Ruling::broken("one login on a connection", "a Login Request in full feature phase");
}

Ruling version_is_zero(const Moment& m) {
  if (m.pdu.header[2] == 0 && m.pdu.header[3] == 0) return Ruling::kept();
  return Ruling::broken("version 0x00", fmt::format("{}, {}", m.pdu.header[2], m.pdu.header[3]));
}

template <unsigned Byte>
Ruling version_stays(const Moment& m) {
  const bool request = m.pdu.is(Opcode::login_request);
  if (request ? is_first_request(m) : login(m).responses == 0) return Ruling::aside();
  const Pdu& before = request ? login(m).first_request : login(m).last_response;
  return equal("the same version as in the PDU before,", before.header[Byte], m.pdu.header[Byte]);
}

template <const wire::Field& Which>
Ruling request_field_stays(const Moment& m) {
  if (is_first_request(m)) return Ruling::aside();
  return equal(fmt::format("the same {} as in the first Login Request,", Which.name),
               login(m).first_request[Which], m.pdu[Which]);
}

Ruling stage_is_one_of_login(const Moment& m) {
  const auto stage = m.pdu[field::csg];
  if (stage == kSecurity || stage == kOperational) return Ruling::kept();
  return Ruling::broken("current stage 0 or 1", fmt::format("{}", stage));
}

// A stage ends when a request and its response both had T; the next request is in the next one.
Ruling stages_go_on(const Moment& m) {
  if (is_first_request(m) || login(m).responses == 0) return Ruling::aside();
  const Pdu& response = login(m).last_response;
  if (login(m).refused) return Ruling::aside();
  const auto wanted = response[field::transit] ? response[field::nsg] : response[field::csg];
  return equal("current stage", wanted, m.pdu[field::csg]);
}

Ruling response_is_of_the_requests_stage(const Moment& m) {
  if (!succeeds(m) || login(m).requests == 0) return Ruling::aside();
  return equal("the request's current stage", login(m).last_request[field::csg], m.pdu[field::csg]);
}

Ruling next_stage_is_further(const Moment& m) {
  if (!m.pdu[field::transit]) return Ruling::aside();
  if (m.pdu.is(Opcode::login_response) && !succeeds(m)) return Ruling::aside();
  const auto current = m.pdu[field::csg], next = m.pdu[field::nsg];
  if (next > current && next != kReservedStage) return Ruling::kept();
  return Ruling::broken("a next stage behind the current one",
                        fmt::format("{} after {}", next, current));
}

Ruling next_stage_is_reserved_without_transit(const Moment& m) {
  if (m.pdu[field::transit]) return Ruling::aside();
  if (m.pdu.is(Opcode::login_response) && !succeeds(m)) return Ruling::aside();
  return equal("NSG, reserved without T,", 0, m.pdu[field::nsg]);
}

Ruling transit_was_asked_for(const Moment& m) {
  if (!succeeds(m) || !m.pdu[field::transit] || login(m).requests == 0) return Ruling::aside();
  if (login(m).last_request[field::transit]) return Ruling::kept();
  return Ruling::broken("T only in answer to a request with T", "T for a request without");
}

Ruling next_stage_is_not_beyond_the_asked(const Moment& m) {
  if (!succeeds(m) || !m.pdu[field::transit] || login(m).requests == 0) return Ruling::aside();
  if (!login(m).last_request[field::transit]) return Ruling::aside();
  const auto asked = login(m).last_request[field::nsg];
  if (m.pdu[field::nsg] <= asked) return Ruling::kept();
  return Ruling::broken(fmt::format("a next stage of at most {}", asked),
                        fmt::format("{}", m.pdu[field::nsg]));
}

// Whose number it is shows nowhere; that T names a format, and that the format is kept, does.
Ruling isid_has_a_format(const Moment& m) {
  enum Format : unsigned { kOui = 0, kEnterprise = 1, kRandom = 2 };
  const unsigned format = m.pdu.header[8] >> 6, a = m.pdu.header[8] & 0x3f;
  if (format == kOui) return Ruling::kept();
  if (format > kRandom)
    return Ruling::broken("an ISID by OUI, enterprise number or chance", "T = 11b");
  if (a == 0) return Ruling::kept();
  return Ruling::broken("A, reserved in an ISID without OUI, to be 0", hex(a));
}

bool is_final(const Moment& m) {
  return succeeds(m) && m.pdu[field::transit] && m.pdu[field::nsg] == kFullFeature;
}

Ruling session_gets_its_handle_at_the_end(const Moment& m) {
  if (!succeeds(m) || login(m).requests == 0) return Ruling::aside();
  if (login(m).first_request[field::tsih] != 0) return Ruling::aside();
  const auto handle = m.pdu[field::tsih];
  if (is_final(m) == (handle != 0)) return Ruling::kept();
  return Ruling::broken(is_final(m) ? "a TSIH other than 0 in the final Login Response"
                                    : "TSIH 0 before the final Login Response",
                        fmt::format("{}", handle));
}

Ruling session_keeps_its_handle(const Moment& m) {
  if (!succeeds(m) || login(m).requests == 0) return Ruling::aside();
  const auto asked = login(m).first_request[field::tsih];
  if (asked == 0) return Ruling::aside();
  return equal("the session's TSIH", asked, m.pdu[field::tsih]);
}

Ruling command_numbers_begin_with_the_login(const Moment& m) {
  if (!succeeds(m) || login(m).requests == 0 || !login(m).leading) return Ruling::aside();
  return equal("ExpCmdSN as the leading login's CmdSN,", login(m).first_request.u32(field::cmd_sn),
               m.pdu.u32(field::exp_cmd_sn));
}

Ruling redirection_has_an_address(const Moment& m) {
  if (status_class(m) != 1) return Ruling::aside();
  if (!m.keys) return Ruling::unseen();
  const auto address = m.keys->value("TargetAddress");
  if (address && !address->empty()) return Ruling::kept();
  return Ruling::broken("TargetAddress in a redirection", m.keys->describe());
}

Ruling redirection_has_no_group(const Moment& m) {
  if (status_class(m) != 1 || !m.keys) return Ruling::aside();
  for (const std::string& address : m.keys->values("TargetAddress"))
    if (address.find(',') != std::string::npos)
      return Ruling::broken("a TargetAddress without comma and tag in a redirection", address);
  return Ruling::kept();
}

Ruling nothing_follows_a_refusal(const Moment& m) {
  if (!login(m).refused) return Ruling::aside();
  return Ruling::broken("the end of the connection behind a login that failed",
                        fmt::format("a {}", wire::opcode_name(m.pdu.opcode())));
}

constexpr Rule kRules[] = {
    {"login.first_pdu",
     {"R3720-10.12-01", "R3720-3.2.3-04", "R3720-7.1.3-T4"},
     Judged::initiator,
     kFromInitiator,
     login_comes_first},
    {"login.only_in_login",
     {"R3720-3.2.3-03", "R3720-7.1.3-T5", "R3720-7.3.1-N1"},
     Judged::both,
     kFromInitiator | kFromTarget,
     login_pdus_belong_to_the_login},
    {"login.once", {"R3720-3.2.3-04"}, Judged::initiator, kRequest, one_login_a_connection},
    {"login.version", {"R3720-10.12.4-01"}, Judged::both, kRequest | kResponse, version_is_zero},
    {"login.same_version_max",
     {"R3720-10.12.4.1-01"},
     Judged::initiator,
     kRequest,
     version_stays<2>},
    {"login.same_version_min",
     {"R3720-10.12.4.2-01"},
     Judged::initiator,
     kRequest,
     version_stays<3>},
    {"login.same_target_version_max",
     {"R3720-10.13.1-01"},
     Judged::target,
     kResponse,
     version_stays<2>},
    {"login.same_version_active",
     {"R3720-10.13.2-01"},
     Judged::target,
     kResponse,
     version_stays<3>},
    {"login.same_tsih",
     {"R3720-10.12.6-03"},
     Judged::initiator,
     kRequest,
     request_field_stays<field::tsih>},
    {"login.same_cid",
     {"R3720-10.12.7-01"},
     Judged::initiator,
     kRequest,
     request_field_stays<field::cid>},
    {"login.isid", {"R3720-10.12.5-01"}, Judged::initiator, kRequest, isid_has_a_format},
    {"login.stage", {"R3720-5.3-04"}, Judged::initiator, kRequest, stage_is_one_of_login},
    {"login.stage_order", {"R3720-5.3-06"}, Judged::initiator, kRequest, stages_go_on},
    {"login.response_stage",
     {"R3720-5.3-06"},
     Judged::target,
     kResponse,
     response_is_of_the_requests_stage},
    {"login.next_stage",
     {"R3720-5.3-06", "R3720-5.3-11"},
     Judged::both,
     kRequest | kResponse,
     next_stage_is_further},
    {"login.next_stage_reserved",
     {"R3720-10-01"},
     Judged::both,
     kRequest | kResponse,
     next_stage_is_reserved_without_transit},
    {"login.transit_asked",
     {"R3720-10.13.6-02", "R3720-5.3.3-03"},
     Judged::target,
     kResponse,
     transit_was_asked_for},
    {"login.next_stage_asked",
     {"R3720-5.3-09"},
     Judged::target,
     kResponse,
     next_stage_is_not_beyond_the_asked},
    {"login.tsih_at_the_end",
     {"R3720-10.13.3-01", "R3720-5.3.2-03"},
     Judged::target,
     kResponse,
     session_gets_its_handle_at_the_end},
    {"login.tsih_kept", {"R3720-3.4.3-01"}, Judged::target, kResponse, session_keeps_its_handle},
    {"login.exp_cmd_sn",
     {"R3720-10.12.8-01"},
     Judged::target,
     kResponse,
     command_numbers_begin_with_the_login},
    {"login.redirection",
     {"R3720-10.13.5-01"},
     Judged::target,
     kResponse,
     redirection_has_an_address},
    {"login.redirection_address",
     {"R3720-12.8-01"},
     Judged::target,
     kResponse,
     redirection_has_no_group},
    {"login.ends_when_refused",
     {"R3720-10.13.5-05", "R3720-7.1.3-T7"},
     Judged::both,
     kFromInitiator | kFromTarget,
     nothing_follows_a_refusal},
};

}  // namespace

std::span<const Rule> login_rules() { return kRules; }

}  // namespace tsih::judge
