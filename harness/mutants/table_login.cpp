// Login rules broken one by one, and the cases that have to say so.

#include "harness/mutants/mutation.h"
#include "harness/mutants/table.h"
#include "harness/wire/text.h"

namespace tsih::mutants {

using namespace tsih::wire;

namespace {

void login_answers(Table& table) {
  const Opcode login = Opcode::login_response;
  const Row rows[] = {
      {"login.start.portal_group_tag", {with_key("TargetPortalGroupTag", std::nullopt)}},
      {"login.start.portal_group_tag_after_continued_text",
       {with_key("TargetPortalGroupTag", std::nullopt)}},
      {"login.start.session_type_has_a_default", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (!parse_text(passing.last_request.data).keys.has("SessionType") &&
             pdu.is(Opcode::login_response))
           pdu.set(field::status, 0x0207);
         return std::vector{pdu};
       }}},
      {"login.start.ping_during_login", {failing_with(0x0200)}},
      {"login.stage.reserved_csg", {login_always_succeeds()}},
      {"login.stage.reserved_nsg", {login_always_succeeds()}},
      {"login.stage.starts_in_full_feature", {login_always_succeeds()}},
      {"login.stage.transit_with_continue", {login_always_succeeds()}},
      {"login.stage.no_way_back", {login_always_succeeds()}},
      {"login.stage.next_stage_not_beyond", {setting(login, field::nsg, 3)}},
      {"login.stage.no_transit_unasked", {setting(login, field::transit, 1)}},
      {"login.answer.versions_stay", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (pdu.is(Opcode::login_response)) pdu.set(field::version_max, passing.number);
         return std::vector{pdu};
       }}},
      {"login.answer.final_answer", {setting(login, field::tsih, 0)}},
      {"login.answer.status_numbers_rise", {setting(login, field::stat_sn, 9)}},
      {"login.answer.command_number_is_taken_over", {adding(Opcode::nop_in, field::exp_cmd_sn, 1)}},
      {"login.answer.reserved_fields_are_zero", {setting(login, Field{"reserved", 38, 0, 16}, 1)}},
      {"login.session.unknown_handle_new_port", {failing_with(0x0200)}},
      {"login.session.unknown_handle_known_port", {failing_with(0x0203)}},
  };
  table.add(Target::plain, rows);
}

void login_text(Table& table) {
  const Row rows[] = {
      {"login.text.unknown_key", {with_key("X-example.tsih.unheard_of", "1")}},
      {"login.text.key_twice_in_one_request", {login_always_succeeds()}},
      {"login.text.key_twice_in_two_requests", {login_always_succeeds()}},
      {"login.text.name_declared_twice", {login_always_succeeds()}},
      {"login.text.eight_kib_in_pieces",
       {only(Opcode::login_response,
             [](Pdu pdu, const Passing& passing) {
               if (passing.last_request[field::continues]) pdu.data = encode_text({{"A", "1"}});
               return std::vector{pdu};
             })}},
      {"login.text.answers_are_well_formed",
       {with_data(Opcode::login_response,
                  [](Bytes& data) {
                    if (!data.empty()) data.pop_back();
                  })}},
  };
  table.add(Target::plain, rows);
}

void login_keys(Table& table) {
  const Row rows[] = {
      {"login.key.max_connections", {with_key("MaxConnections", "2")}},
      {"login.key.max_connections_many", {with_key("MaxConnections", "0")}},
      {"login.key.max_burst_length_least", {with_key("MaxBurstLength", "1024")}},
      {"login.key.max_burst_length_most", {with_key("MaxBurstLength", "NotUnderstood")}},
      {"login.key.max_burst_length_hexadecimal", {with_key("MaxBurstLength", "8192")}},
      {"login.key.default_time2wait_most", {with_key("DefaultTime2Wait", "2")}},
      {"login.key.default_time2retain_least", {with_key("DefaultTime2Retain", "20")}},
      {"login.key.max_outstanding_r2t", {with_key("MaxOutstandingR2T", std::nullopt)}},
      {"login.key.error_recovery_level_zero", {with_key("ErrorRecoveryLevel", "1")}},
      {"login.key.error_recovery_level_two", {with_key("ErrorRecoveryLevel", "3")}},
      {"login.key.first_burst_length", {with_key("FirstBurstLength", "65536")}},
      {"login.key.first_burst_within_max_burst", {with_key("FirstBurstLength", "8192")}},
      {"login.key.outside_the_bounds", {with_key("MaxBurstLength", "511")}},
      {"login.key.initial_r2t_no", {with_key("InitialR2T", "Reject")}},
      {"login.key.immediate_data_yes", {with_key("ImmediateData", std::nullopt)}},
      {"login.key.data_pdu_in_order_no", {with_key("DataPDUInOrder", "NotUnderstood")}},
      {"login.key.data_sequence_in_order_no", {with_key("DataSequenceInOrder", "maybe")}},
      {"login.key.header_digest_none", {with_key("HeaderDigest", "Reject")}},
      {"login.key.digest_first_wins", {[](const Passing& passing) {
         // Only the list is answered wrongly; alone it is still agreed to.
         const bool list =
             parse_text(passing.last_request.data).keys.value("HeaderDigest") == "CRC32C,None";
         return list ? with_key("HeaderDigest", "None")(passing) : std::vector{passing.pdu};
       }}},
      {"login.key.digest_unknown_skipped", {with_key("HeaderDigest", "Reject")}},
      {"login.key.all_keys_at_once", {with_key("DefaultTime2Wait", "NotUnderstood")}},
  };
  table.add(Target::plain, rows);
}

void logins_that_are_refused(Table& table) {
  // The first look at the target, the first connection, has to succeed.
  const Mutation refusing = setting(Opcode::login_response, field::status, 0x0200);
  const Row rows[] = {
      {"login.stage.both_stages", {from_connection(2, refusing)}},
      {"login.stage.security_to_full_feature", {from_connection(2, refusing)}},
      {"login.start.long_initiator_name", {from_connection(2, refusing)}},
      {"login.start.reserved_bits_are_ignored", {from_connection(2, refusing)}},
      {"login.text.eight_kib_in_one_pdu", {from_connection(2, refusing)}},
      {"login.session.two_ports_two_sessions", {from_connection(3, refusing)}},
      {"login.session.reinstatement", {from_connection(3, refusing)}},
      {"login.session.connection_reinstatement", {from_connection(3, refusing)}},
  };
  table.add(Target::plain, rows);
}

void connections_that_stay_open(Table& table) {
  const Mutant open{.mutate = unchanged(), .keeps_open = true};
  for (const char* test_case : {"login.start.ping_before_login", "login.start.command_before_login",
                                "login.start.refused_login_closes", "task_management.cold_reset"})
    table.add(Target::plain, {test_case, open});
}

void lists(Table& table) {
  const auto chosen = [](const char* key, const char* value) {
    return both(login_always_succeeds(), with_key(key, value));
  };
  const Row rows[] = {
      {"login.auth.none_is_chosen", {chosen("AuthMethod", "CHAP")}},
      {"login.auth.unknown_method_skipped", {chosen("AuthMethod", "Reject")}},
      {"login.auth.no_known_method", {chosen("AuthMethod", "None")}},
      {"login.key.data_digest_none", {chosen("DataDigest", "Reject")}},
      {"login.key.header_digest_crc32c", {chosen("HeaderDigest", "None")}},
      {"login.key.data_digest_crc32c", {chosen("DataDigest", "None")}},
      {"login.key.digest_first_wins_none", {chosen("HeaderDigest", "Reject")}},
      {"login.key.digest_not_offered", {chosen("HeaderDigest", "None")}},
      {"login.key.no_number", {chosen("MaxBurstLength", "many")}},
      {"login.key.default_time2wait_least", {chosen("DefaultTime2Wait", "3601")}},
      {"login.key.default_time2retain_most", {chosen("DefaultTime2Retain", "Reject")}},
      {"login.key.initial_r2t_yes", {chosen("InitialR2T", "No")}},
      {"login.key.immediate_data_no", {chosen("ImmediateData", "Yes")}},
  };
  table.add(Target::plain, rows);
}

void chap(Table& table) {
  const Row rows[] = {
      {"login.auth.chap_challenge", {with_key("CHAP_A", "7")}},
      {"login.auth.chap_right_secret",
       {from_connection(2, setting(Opcode::login_response, field::status, 0x0201))}},
      {"login.auth.chap_wrong_secret", {login_always_succeeds()}},
      {"login.auth.chap_unknown_user", {failing_with(0x0202)}},
      {"login.auth.chap_response_missing", {login_always_succeeds()}},
      {"login.auth.chap_unknown_algorithm", {login_always_succeeds()}},
      {"login.auth.chap_reflected_challenge", {login_always_succeeds()}},
  };
  table.add(Target::chap, rows);
}

}  // namespace

void add_login_rows(Table& table) {
  login_answers(table);
  login_text(table);
  login_keys(table);
  logins_that_are_refused(table);
  connections_that_stay_open(table);
  lists(table);
  chap(table);
}

}  // namespace tsih::mutants
