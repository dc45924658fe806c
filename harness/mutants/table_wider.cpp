// Names, events, texts, resets and windows: the rules whose cases look at more than one answer.
#include <algorithm>

#include "harness/mutants/mutation.h"
#include "harness/mutants/table.h"
#include "harness/wire/text.h"

namespace tsih::mutants {

using namespace tsih::wire;

namespace {

constexpr std::uint64_t kLun5 = std::uint64_t{5} << 48;

/// From the first case on every text of the target says this as well.
Mutation saying(Opcode opcode, const std::string& key, const std::string& value) {
  return from_connection(2, only(opcode, [=](Pdu pdu, const Passing&) {
                           const Bytes more = encode_text({{key, value}});
                           pdu.data.insert(pdu.data.end(), more.begin(), more.end());
                           return std::vector{pdu};
                         }));
}

/// Wherever these words stand in read data, others of the same length stand there.
Mutation reading(const std::string& words, const std::string& others) {
  return with_data(Opcode::data_in, [=](Bytes& data) {
    for (auto at = data.begin();;) {
      at = std::search(at, data.end(), words.begin(), words.end());
      if (at == data.end()) return;
      at = std::copy(others.begin(), others.end(), at);
    }
  });
}

void names(Table& table) {
  const Opcode login = Opcode::login_response;
  const auto target_named = [](const char* name) {
    return Mutant{in_reply_to("SendTargets", {{"TargetName", name}})};
  };
  const auto login_key = [](const char* key, const char* value) {
    return Mutant{from_connection(2, with_key(key, value))};
  };
  const Row rows[] = {
      {"names.of_the_target",
       "address_without_a_name",
       {in_reply_to("SendTargets", {{"TargetAddress", "192.0.2.1,1"}})}},
      {"names.of_the_target", "forbidden_character", target_named("iqn.2026-01.example:what!")},
      {"names.of_the_target", "iqn_in_capitals", target_named("IQN.2026-01.example:x")},
      {"names.of_the_scsi_device", "no_name_of_that_type", {reading("iqn.", "iqm.")}},
      {"names.of_the_scsi_port", "no_name_of_that_type", {reading("iqn.", "iqm.")}},
      {"names.of_the_scsi_port", "port_of_an_initiator", {reading(",t,0x", ",i,0x")}},
      {"names.of_keys", "key_begins_small", {saying(login, "lowerCase", "1")}},
      {"names.of_keys", "key_too_long", {saying(login, "X-" + std::string(64, 'x'), "1")}},
      {"names.of_keys", "extension_begins_small", {saying(login, "X#lowerCase", "1")}},
      {"names.extensions_in_discovery",
       "extension_unasked",
       {saying(login, "X-com.example.key", "1")}},
      {"names.decimal_numbers", "number_too_large",
       login_key("MaxBurstLength", "18446744073709551616")},
      {"names.reserved_values", "irrelevant_without_a_reason",
       login_key("MaxBurstLength", "Irrelevant")},
      {"names.reserved_values", "rejects_what_it_has", login_key("HeaderDigest", "Reject")},
      {"names.of_keys_in_the_security_stage",
       "operational_key",
       {saying(login, "MaxBurstLength", "512")}},
      {"names.of_keys_in_the_security_stage",
       "space_in_a_key",
       {saying(login, "X-com.example key", "1")}},
  };
  table.add(Target::plain, rows);
}

void events(Table& table) {
  const Opcode message = Opcode::async_message;
  const Row rows[] = {
      {"async.a_logout_is_asked_for_on_its_connection",
       "another_event",
       {setting(message, field::async_event, 3)}},
      {"async.an_event_names_its_logical_unit",
       "no_lun_of_the_event",
       {setting(message, field::lun, kLun5)}},
      {"async.reserved_fields_are_zero",
       "reserved_word_is_set",
       {setting(message, Field{"reserved", 44, 0, 32}, 1)}},
  };
  table.add(Target::provoked, rows);
  table.add(Target::pinging, {"nop.ping_of_the_target",
                              "lun_in_the_ping",
                              {only(Opcode::nop_in, [](Pdu pdu, const Passing&) {
                                if (pdu[field::initiator_task_tag] == kReservedTag)
                                  pdu.set(field::lun, kLun5);
                                return std::vector{pdu};
                              })}});
  table.add(Target::plain,
            {"connections.window_is_told_when_it_opens", "says_nothing", {dropping(message)}});
}

void logins(Table& table) {
  const Opcode login = Opcode::login_response;
  const Row rows[] = {
      {"login.start.snack_during_login", "lets_in", {login_always_succeeds()}},
      {"login.start.first_values_hold", "another_status", {failing_with(0x0205)}},
      {"login.start.first_values_hold", "takes_the_last_values", {login_always_succeeds()}},
      {"login.session.one_connection",
       "refuses",
       {from_connection(2, setting(login, field::status, 0x0300))}},
      {"login.answer.final_answer",
       "continues_and_transits",
       {from_connection(2, only(login,
                                [](Pdu pdu, const Passing&) {
                                  if (pdu[field::transit]) pdu.set(field::continues, 1);
                                  return std::vector{pdu};
                                }))}},
      {"login.auth.no_known_method",
       "failure_keeps_open",
       {.mutate = from_connection(2, setting(login, field::status, 0x0201)), .keeps_open = true}},
      {"reinstatement.nothing_is_remembered",
       "remembers_limits",
       {from_connection(3, long_data_in(16384))}},
  };
  table.add(Target::plain, rows);
  const Row with_chap[] = {
      {"login.start.portal_group_tag",
       "no_method_is_chosen",
       {from_connection(2, with_key("AuthMethod", std::nullopt))}},
      {"login.auth.chap_right_secret",
       "challenge_is_no_binary",
       {from_connection(2, with_key("CHAP_C", "12345"))}},
  };
  table.add(Target::chap, with_chap);
}

void texts(Table& table) {
  const Opcode text = Opcode::text_response;
  const Mutation not_again = only(text, [](Pdu pdu, const Passing& passing) {
    const auto asked = std::ranges::count_if(
        passing.requests, [](const Pdu& request) { return request.is(Opcode::text_request); });
    if (asked > 1) pdu.set(field::opcode, static_cast<std::uint8_t>(Opcode::reject));
    return std::vector{pdu};
  });
  const Mutation elsewhere = [](const Passing& passing) {
    const auto asked = parse_text(passing.last_request.data).keys.value("SendTargets");
    return asked && *asked != "All" ? with_key("TargetAddress", "192.0.2.1:3260,1")(passing)
                                    : std::vector{passing.pdu};
  };
  const Row rows[] = {
      {"text.final_answer", "continues_and_ends", {setting(text, field::continues, 1)}},
      {"text.final_answer_asks_nothing",
       "proposes_in_the_last_answer",
       {saying(text, "MaxBurstLength", "512")}},
      {"text.security_is_of_the_login",
       "method_is_chosen_again",
       {both(instead_of_reject(text), in_reply_to("AuthMethod", {{"AuthMethod", "CHAP"}}))}},
      {"text.not_final_is_not_ended", "does_not_go_on", {not_again}},
      {"discovery.one_target", "address_elsewhere", {elsewhere}},
      {"reject.second_login",
       "login_response_instead_of_reject",
       {instead_of_reject(Opcode::login_response)}},
  };
  table.add(Target::plain, rows);
}

void commands(Table& table) {
  const Opcode response = Opcode::scsi_response;
  const Mutation status_in_data = only(response, [](Pdu pdu, const Passing& passing) {
    if (!passing.last_request[field::read] || !passing.last_request[field::write])
      return std::vector{pdu};
    Pdu data(Opcode::data_in);
    data.set(field::final, 1).set(field::has_status, 1);
    data.set(field::initiator_task_tag, pdu[field::initiator_task_tag]);
    data.set(field::stat_sn, pdu[field::stat_sn]);
    return std::vector{data};
  });
  const Mutation failed_delivery = only(response, [](Pdu pdu, const Passing& passing) {
    if (passing.last_request[field::write]) pdu.set(field::response, 1).set(field::underflow, 1);
    return std::vector{pdu};
  });
  const Row rows[] = {
      {"command.bidirectional", "status_in_data_in", {status_in_data}},
      {"command.bidirectional",
       "bidirectional_residual",
       {setting(response, field::bidi_residual, 1)}},
      {"command.response_of_a_failed_delivery",
       "residual_of_what_was_not_carried_out",
       {failed_delivery}},
      {"r2t.first_request", "no_r2t", {dropping(Opcode::r2t)}},
      {"task_management.warm_reset",
       "no_such_response",
       {setting(Opcode::task_management_response, field::response, 77)}},
      {"task_management.logical_unit_reset",
       "no_sense_data",
       {with_data(response, [](Bytes& data) { data.clear(); })}},
  };
  table.add(Target::plain, rows);
}

/// Clauses that a case judges after another one has been kept.
void second_clauses(Table& table) {
  const Opcode text = Opcode::text_response, login = Opcode::login_response;
  const Mutation late_login = only(Opcode::reject, [login](const Pdu& reject, const Passing&) {
    Pdu pdu(login);
    pdu.set(field::status, 0x0200).set(field::stat_sn, reject[field::stat_sn]);
    return std::vector{pdu};
  });
  const auto four_bytes = [](Bytes& data) { data = {1, 2, 3, 4}; };
  const Row rows[] = {
      {"nop.ping_without_data",
       "another_tag",
       {from_connection(2, setting(Opcode::nop_in, field::initiator_task_tag, 5))}},
      {"r2t.first_request", "data_in_the_r2t", {with_data(Opcode::r2t, four_bytes)}},
      {"discovery.all_targets",
       "another_target",
       {in_reply_to("SendTargets", {{"TargetName", "iqn.2026-01.example:other"}})}},
      {"discovery.open_request",
       "too_much_for_the_limit",
       {with_data(text, [](Bytes& data) { data.resize(600); })}},
      {"reject.second_login", "login_response_too_late", {late_login}},
      {"login.text.key_twice_in_one_request", "another_status", {failing_with(0x0300)}},
      {"login.answer.versions_stay",
       "version_max_differs",
       {setting(login, field::version_max, 1)}},
      {"task_management.finished_task",
       "data_in_the_response",
       {with_data(Opcode::task_management_response, four_bytes)}},
  };
  table.add(Target::plain, rows);
}

}  // namespace

void add_wider_rows(Table& table) {
  second_clauses(table);
  names(table);
  events(table);
  logins(table);
  texts(table);
  commands(table);
}

}  // namespace tsih::mutants
