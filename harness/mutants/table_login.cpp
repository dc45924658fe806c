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
      {"login.start.portal_group_tag", "no_tag", {with_key("TargetPortalGroupTag", std::nullopt)}},
      {"login.start.portal_group_tag_after_continued_text",
       "no_tag",
       {with_key("TargetPortalGroupTag", std::nullopt)}},
      {"login.start.session_type_has_a_default", "wants_the_key", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (!parse_text(passing.last_request.data).keys.has("SessionType") &&
             pdu.is(Opcode::login_response))
           pdu.set(field::status, 0x0207);
         return std::vector{pdu};
       }}},
      {"login.start.ping_during_login", "another_status", {failing_with(0x0200)}},
      {"login.stage.reserved_csg", "reserved_stage_passes", {login_always_succeeds()}},
      {"login.stage.reserved_nsg", "reserved_stage_passes", {login_always_succeeds()}},
      {"login.stage.starts_in_full_feature",
       "full_feature_at_once_passes",
       {login_always_succeeds()}},
      {"login.stage.transit_with_continue",
       "transit_with_continue_passes",
       {login_always_succeeds()}},
      {"login.stage.no_way_back", "way_back_passes", {login_always_succeeds()}},
      {"login.stage.next_stage_not_beyond",
       "full_feature_at_once",
       {setting(login, field::nsg, 3)}},
      {"login.stage.no_transit_unasked", "transits_unasked", {setting(login, field::transit, 1)}},
      {"login.answer.versions_stay", "version_max_changes", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (pdu.is(Opcode::login_response)) pdu.set(field::version_max, passing.number);
         return std::vector{pdu};
       }}},
      {"login.answer.final_answer", "no_handle", {setting(login, field::tsih, 0)}},
      {"login.answer.status_numbers_rise",
       "numbers_stand_still",
       {setting(login, field::stat_sn, 9)}},
      {"login.answer.command_number_is_taken_over",
       "number_is_counted_on",
       {adding(Opcode::nop_in, field::exp_cmd_sn, 1)}},
      {"login.answer.reserved_fields_are_zero",
       "reserved_byte_is_set",
       {setting(login, Field{"reserved", 38, 0, 16}, 1)}},
      {"login.session.unknown_handle_new_port", "another_status", {failing_with(0x0200)}},
      {"login.session.unknown_handle_known_port", "another_status", {failing_with(0x0203)}},
  };
  table.add(Target::plain, rows);
}

void login_text(Table& table) {
  const Row rows[] = {
      {"login.text.unknown_key",
       "answers_with_its_value",
       {with_key("X-example.tsih.unheard_of", "1")}},
      {"login.text.key_twice_in_one_request", "takes_the_second", {login_always_succeeds()}},
      {"login.text.key_twice_in_two_requests", "takes_the_second", {login_always_succeeds()}},
      {"login.text.name_declared_twice", "takes_the_second", {login_always_succeeds()}},
      {"login.text.eight_kib_in_pieces",
       "speaks_into_the_pieces",
       {only(Opcode::login_response,
             [](Pdu pdu, const Passing& passing) {
               if (passing.last_request[field::continues]) pdu.data = encode_text({{"A", "1"}});
               return std::vector{pdu};
             })}},
      {"login.text.answers_are_well_formed",
       "last_byte_is_missing",
       {with_data(Opcode::login_response,
                  [](Bytes& data) {
                    if (!data.empty()) data.pop_back();
                  })}},
  };
  table.add(Target::plain, rows);
}

void login_keys(Table& table) {
  const Row rows[] = {
      {"login.key.max_connections", "more_than_offered", {with_key("MaxConnections", "2")}},
      {"login.key.max_connections_many", "zero_is_chosen", {with_key("MaxConnections", "0")}},
      {"login.key.max_burst_length_least",
       "more_than_offered",
       {with_key("MaxBurstLength", "1024")}},
      {"login.key.max_burst_length_most",
       "does_not_know_the_key",
       {with_key("MaxBurstLength", "NotUnderstood")}},
      {"login.key.max_burst_length_hexadecimal",
       "hexadecimal_is_misread",
       {with_key("MaxBurstLength", "8192")}},
      {"login.key.default_time2wait_most",
       "less_than_offered",
       {with_key("DefaultTime2Wait", "2")}},
      {"login.key.default_time2retain_least",
       "more_than_offered",
       {with_key("DefaultTime2Retain", "20")}},
      {"login.key.max_outstanding_r2t",
       "leaves_the_key_unanswered",
       {with_key("MaxOutstandingR2T", std::nullopt)}},
      {"login.key.error_recovery_level_zero",
       "more_than_offered",
       {with_key("ErrorRecoveryLevel", "1")}},
      {"login.key.error_recovery_level_two",
       "outside_the_bounds",
       {with_key("ErrorRecoveryLevel", "3")}},
      {"login.key.first_burst_length",
       "more_than_offered",
       {with_key("FirstBurstLength", "65536")}},
      {"login.key.first_burst_within_max_burst",
       "beyond_the_max_burst",
       {with_key("FirstBurstLength", "8192")}},
      {"login.key.outside_the_bounds", "below_the_bounds", {with_key("MaxBurstLength", "511")}},
      {"login.key.initial_r2t_no", "rejects_the_key", {with_key("InitialR2T", "Reject")}},
      {"login.key.immediate_data_yes",
       "leaves_the_key_unanswered",
       {with_key("ImmediateData", std::nullopt)}},
      {"login.key.data_pdu_in_order_no",
       "does_not_know_the_key",
       {with_key("DataPDUInOrder", "NotUnderstood")}},
      {"login.key.data_sequence_in_order_no",
       "neither_yes_nor_no",
       {with_key("DataSequenceInOrder", "maybe")}},
      {"login.key.header_digest_none", "rejects_the_key", {with_key("HeaderDigest", "Reject")}},
      {"login.key.digest_first_wins", "takes_the_second", {[](const Passing& passing) {
         // Only the list is answered wrongly; alone it is still agreed to.
         const bool list =
             parse_text(passing.last_request.data).keys.value("HeaderDigest") == "CRC32C,None";
         return list ? with_key("HeaderDigest", "None")(passing) : std::vector{passing.pdu};
       }}},
      {"login.key.digest_unknown_skipped",
       "rejects_the_list",
       {with_key("HeaderDigest", "Reject")}},
      {"login.key.all_keys_at_once",
       "does_not_know_the_key",
       {with_key("DefaultTime2Wait", "NotUnderstood")}},
  };
  table.add(Target::plain, rows);
}

void logins_that_are_refused(Table& table) {
  // The first look at the target, the first connection, has to succeed.
  const Mutation refusing = setting(Opcode::login_response, field::status, 0x0200);
  const Row rows[] = {
      {"login.stage.both_stages", "refuses", {from_connection(2, refusing)}},
      {"login.stage.security_to_full_feature", "refuses", {from_connection(2, refusing)}},
      {"login.start.long_initiator_name", "refuses", {from_connection(2, refusing)}},
      {"login.start.reserved_bits_are_ignored", "refuses", {from_connection(2, refusing)}},
      {"login.text.eight_kib_in_one_pdu", "refuses", {from_connection(2, refusing)}},
      {"login.session.two_ports_two_sessions", "refuses", {from_connection(3, refusing)}},
      {"login.session.reinstatement", "refuses", {from_connection(3, refusing)}},
      {"login.session.connection_reinstatement", "refuses", {from_connection(3, refusing)}},
  };
  table.add(Target::plain, rows);
}

void connections_that_stay_open(Table& table) {
  const Mutant open{.mutate = unchanged(), .keeps_open = true};
  for (const char* test_case : {"login.start.ping_before_login", "login.start.command_before_login",
                                "login.start.refused_login_closes", "task_management.cold_reset"})
    table.add(Target::plain, {test_case, "stays_open", open});
}

void lists(Table& table) {
  const auto chosen = [](const char* key, const char* value) {
    return both(login_always_succeeds(), with_key(key, value));
  };
  const Row rows[] = {
      {"login.auth.none_is_chosen", "chooses_another", {chosen("AuthMethod", "CHAP")}},
      {"login.auth.unknown_method_skipped", "rejects_the_list", {chosen("AuthMethod", "Reject")}},
      {"login.auth.no_known_method", "chooses_none", {chosen("AuthMethod", "None")}},
      {"login.key.data_digest_none", "rejects_the_list", {chosen("DataDigest", "Reject")}},
      {"login.key.header_digest_crc32c", "takes_the_second", {chosen("HeaderDigest", "None")}},
      {"login.key.data_digest_crc32c", "takes_the_second", {chosen("DataDigest", "None")}},
      {"login.key.digest_first_wins_none", "rejects_the_list", {chosen("HeaderDigest", "Reject")}},
      {"login.key.digest_not_offered",
       "chooses_what_is_not_offered",
       {chosen("HeaderDigest", "None")}},
      {"login.key.no_number", "answers_with_no_number", {chosen("MaxBurstLength", "many")}},
      {"login.key.default_time2wait_least",
       "outside_the_bounds",
       {chosen("DefaultTime2Wait", "3601")}},
      {"login.key.default_time2retain_most",
       "rejects_the_key",
       {chosen("DefaultTime2Retain", "Reject")}},
      {"login.key.initial_r2t_yes", "no_instead_of_yes", {chosen("InitialR2T", "No")}},
      {"login.key.immediate_data_no", "yes_instead_of_no", {chosen("ImmediateData", "Yes")}},
  };
  table.add(Target::plain, rows);
}

void chap(Table& table) {
  const Row rows[] = {
      {"login.auth.chap_challenge", "another_algorithm", {with_key("CHAP_A", "7")}},
      {"login.auth.chap_right_secret",
       "refuses",
       {from_connection(2, setting(Opcode::login_response, field::status, 0x0201))}},
      {"login.auth.chap_wrong_secret", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_unknown_user", "another_status", {failing_with(0x0202)}},
      {"login.auth.chap_response_missing", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_unknown_algorithm", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_reflected_challenge", "lets_in", {login_always_succeeds()}},
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
