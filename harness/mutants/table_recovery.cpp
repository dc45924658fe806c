// Mutants for the cases about several connections and error recovery: what tsihd says is changed on
// one connection or on all, and the case has to notice. Red when a case passes whatever the target
// does.
#include <algorithm>
#include <atomic>
#include <memory>

#include "harness/mutants/mutation.h"
#include "harness/mutants/table.h"
#include "harness/wire/text.h"

namespace tsih::mutants {

using namespace tsih::wire;

namespace {

constexpr Field kResponse = field::response;

/// No PDU of this kind is like another one in this field.
Mutation changing(Opcode opcode, Field where) {
  return only(opcode, [=](Pdu pdu, const Passing& passing) {
    return std::vector{pdu.set(where, passing.number)};
  });
}

/// Of the cases here, those that reassign tasks have no other task management.
Mutation after_reassignment(const Mutation& change) {
  return after(Opcode::task_management_request, change);
}

/// A status within Data-In comes by itself, with a SNACK Tag.
Mutation tagged_status() {
  return only(Opcode::data_in, [](Pdu pdu, const Passing&) {
    if (!pdu[field::has_status]) return std::vector{pdu};
    Pdu response(Opcode::scsi_response);
    response.set(field::final, 1).set(field::snack_tag, 7);
    for (const Field& same :
         {field::initiator_task_tag, field::stat_sn, field::exp_cmd_sn, field::max_cmd_sn})
      response.set(same, pdu[same]);
    return std::vector{pdu.set(field::has_status, 0), response};
  });
}

/// Logins of new sessions, or into sessions that exist, fail but for the first ones.
Mutation logins_fail_after(int spared, bool into_a_session) {
  const auto seen = std::make_shared<std::atomic<int>>(0);
  return only(Opcode::login_response, [=](Pdu pdu, const Passing& passing) {
    if ((passing.last_request[field::tsih] != 0) == into_a_session && ++*seen > spared)
      pdu.set(field::status, 0x0300).set(field::transit, 0);
    return std::vector{pdu};
  });
}

/// After the first login every challenge is the same.
Mutation one_challenge_for_all() {
  const auto seen = std::make_shared<std::atomic<int>>(0);
  const Mutation same = with_key("CHAP_C", "0x0102030405060708");
  return [=](const Passing& passing) {
    const bool bears_one = parse_text(passing.pdu.data).keys.has("CHAP_C");
    return bears_one && ++*seen > 1 ? same(passing) : std::vector{passing.pdu};
  };
}

/// An authentication failure for whoever writes this.
Mutation refusing_proofs_with(const std::string& words) {
  return only(Opcode::login_response, [=](Pdu pdu, const Passing& passing) {
    const Bytes& text = passing.last_request.data;
    if (std::string(text.begin(), text.end()).find(words) != std::string::npos)
      pdu.set(field::status, 0x0201).set(field::transit, 0);
    return std::vector{pdu};
  });
}

/// Only the R2Ts for the first time: no recovery.
Mutation without_recovery_r2ts() {
  return only(Opcode::r2t, [](const Pdu& pdu, const Passing&) {
    return pdu[field::r2t_sn] == 0 ? std::vector{pdu} : std::vector<Pdu>{};
  });
}

void several_connections(Table& table) {
  const Opcode login = Opcode::login_response, pong = Opcode::nop_in;
  const Row rows[] = {
      {"connections.a_second_one_joins", "another_handle", {adding(login, field::tsih, 1)}},
      {"connections.answers_come_where_the_command_came", "no_r2t", {dropping(Opcode::r2t)}},
      {"connections.order_spans_connections",
       "passes_over_the_gap",
       {adding(pong, field::exp_cmd_sn, 1)}},
      {"connections.commands_are_counted_together",
       "acknowledges_too_little",
       {adding(pong, field::exp_cmd_sn, -1)}},
      {"connections.statuses_are_counted_apart",
       "counts_over_connections",
       {only(pong,
             [](Pdu pdu, const Passing& passing) {
               return std::vector{pdu.set(field::stat_sn, pdu[field::stat_sn] + passing.number)};
             })}},
      {"connections.no_more_than_negotiated", "takes_one_too_many", {login_always_succeeds()}},
      {"connections.session_of_someone_else", "lets_in", {login_always_succeeds()}},
      {"connections.session_keys_stay", "takes_new_session_keys", {login_always_succeeds()}},
      {"connections.digests_are_of_the_connection",
       "wrong_header_digest",
       {[](const Passing& passing) { return std::vector{passing.pdu}; }, true, false}},
      {"connections.segment_limits_are_of_the_connection",
       "too_much_for_the_limit",
       {long_data_in(513)}},
      {"connections.a_dropped_one_is_told_of",
       "another_connection_is_named",
       {setting(Opcode::async_message, field::parameter1, 99)}},
      {"connections.abort_task_set_over_two",
       "answers_too_early",
       {only(pong,
             [](const Pdu& pdu, const Passing&) {
               Pdu early(Opcode::task_management_response);
               early.set(field::final, 1).set(field::stat_sn, pdu[field::stat_sn]);
               return std::vector{early, pdu};
             })}},
  };
  table.add(Target::plain, rows);
}

void logouts(Table& table) {
  const Opcode logout = Opcode::logout_response;
  const Row rows[] = {
      {"logout.one_connection_of_two", "connection_not_found", {setting(logout, kResponse, 1)}},
      {"logout.one_connection_of_two",
       "no_sense_data",
       {with_data(Opcode::scsi_response, [](Bytes& data) { data.clear(); })}},
      {"logout.whole_session_of_two", "connection_not_found", {setting(logout, kResponse, 1)}},
      {"logout.no_such_connection", "says_it_is_closed", {setting(logout, kResponse, 0)}},
      {"logout.for_a_dropped_connection", "says_cleanup_failed", {setting(logout, kResponse, 3)}},
      {"logout.unacknowledged_commands_go_too",
       "counts_what_is_gone",
       {adding(Opcode::nop_in, field::exp_cmd_sn, 1)}},
      {"logout.recovery_below_level_two", "says_it_recovers", {setting(logout, kResponse, 0)}},
  };
  table.add(Target::plain, rows);
}

void reinstatements(Table& table) {
  const Row rows[] = {
      {"reinstatement.ends_the_tasks_of_the_connection",
       "no_sense_data",
       {with_data(Opcode::scsi_response, [](Bytes& data) { data.clear(); })}},
      {"reinstatement.of_one_connection_of_two", "refuses", {logins_fail_after(1, true)}},
      {"reinstatement.of_a_dropped_connection", "refuses", {logins_fail_after(1, true)}},
      // The look at the target before the case is the first new session.
      {"reinstatement.of_the_session_ends_all_its_connections",
       "refuses",
       {logins_fail_after(2, false)}},
      {"reinstatement.of_a_session_that_lost_all_its_connections",
       "refuses",
       {logins_fail_after(2, false)}},
  };
  table.add(Target::plain, rows);
}

void commands_sent_again(Table& table) {
  const Row rows[] = {
      {"retry.of_a_running_write", "status_before_the_data", {good_before_pong()}},
      {"retry.after_a_wrong_data_digest",
       "another_reason",
       {setting(Opcode::reject, field::reject_reason, 4)}},
  };
  table.add(Target::plain, rows);
}

void lost_data_out(Table& table) {
  const Row rows[] = {
      {"recovery_r2t.after_a_wrong_data_digest",
       "another_reason",
       {setting(Opcode::reject, field::reject_reason, 4)}},
      {"recovery_r2t.after_a_wrong_data_digest",
       "numbers_stand_still",
       {only(Opcode::r2t,
             [](Pdu pdu, const Passing&) { return std::vector{pdu.set(field::r2t_sn, 0)}; })}},
      {"recovery_r2t.the_end_waits_for_the_final_data",
       "status_before_the_data",
       {good_before_pong()}},
      {"recovery_r2t.after_a_lost_data_out", "asks_for_nothing_again", {without_recovery_r2ts()}},
      {"recovery_r2t.one_at_a_time",
       "asks_twice_at_once",
       {only(Opcode::nop_in,
             [](const Pdu& pdu, const Passing&) {
               Pdu second(Opcode::r2t);
               second.set(field::final, 1).set(field::stat_sn, pdu[field::stat_sn]);
               return std::vector{second, pdu};
             })}},
  };
  table.add(Target::plain, rows);
}

void snacks(Table& table) {
  const Mutation other_reason = setting(Opcode::reject, field::reject_reason, 9);
  const Mutation other_data = changing(Opcode::data_in, field::residual);
  const Mutation other_status = changing(Opcode::scsi_response, field::residual);
  const Row rows[] = {
      {"snack.an_r2t",
       "another_tag_when_sent_again",
       {changing(Opcode::r2t, field::target_transfer_tag)}},
      {"snack.an_r2t", "another_status_number", {setting(Opcode::r2t, field::stat_sn, 7)}},
      {"snack.one_data_in", "other_data_when_sent_again", {other_data}},
      {"snack.a_run_of_data_in", "other_data_when_sent_again", {other_data}},
      {"snack.data_in_to_the_end", "other_data_when_sent_again", {other_data}},
      {"snack.all_data_in", "other_data_when_sent_again", {other_data}},
      {"snack.a_status", "other_status_when_sent_again", {other_status}},
      {"snack.all_statuses", "other_status_when_sent_again", {other_status}},
      {"snack.on_the_connection_of_the_command", "other_data_when_sent_again", {other_data}},
      {"snack.data_never_sent", "another_reason", {other_reason}},
      {"snack.r2t_never_sent", "another_reason", {other_reason}},
      {"snack.status_never_sent", "another_reason", {other_reason}},
      {"snack.status_acknowledged", "another_reason", {other_reason}},
      {"snack.data_acknowledged", "another_reason", {other_reason}},
      {"snack.resegmented_data",
       "another_snack_tag",
       {setting(Opcode::scsi_response, field::snack_tag, 1)}},
      {"snack.resegmented_data",
       "no_status_after_it",
       {after(Opcode::snack_request, dropping(Opcode::scsi_response))}},
      {"snack.an_unknown_data_ack",
       "reserved_word_is_set",
       {setting(Opcode::reject, Field{"reserved", 44, 0, 32}, 1)}},
      {"snack.below_level_one",
       "reserved_word_is_set",
       {setting(Opcode::reject, Field{"reserved", 44, 0, 32}, 1)}},
      {"snack.reserved_type", "ping_instead_of_reject", {instead_of_reject(Opcode::nop_in)}},
  };
  table.add(Target::plain, rows);
}

void reassignments(Table& table) {
  const Mutation no_such_task = setting(Opcode::task_management_response, kResponse, 1);
  const Mutation complete = setting(Opcode::task_management_response, kResponse, 0);
  const Mutation no_data = after_reassignment(dropping(Opcode::data_in));
  const Row rows[] = {
      {"reassign.a_write_after_a_logout", "no_such_task", {no_such_task}},
      {"reassign.a_write_after_a_logout",
       "no_r2t_after_it",
       {after_reassignment(dropping(Opcode::r2t))}},
      {"reassign.a_write_without_a_logout", "says_it_is_complete", {complete}},
      {"reassign.a_read_after_a_logout", "no_such_task", {no_such_task}},
      {"reassign.a_read_after_a_logout", "no_data_after_it", {no_data}},
      {"reassign.a_read_without_a_logout", "says_it_is_complete", {complete}},
      {"reassign.after_a_drop_alone", "says_it_is_complete", {complete}},
      {"reassign.after_a_drop_and_a_logout", "no_such_task", {no_such_task}},
      {"reassign.after_a_reinstatement", "no_such_task", {no_such_task}},
      {"reassign.from_the_acknowledged_number", "no_data_after_it", {no_data}},
      {"reassign.number_out_of_bounds", "no_such_task", {no_such_task}},
      {"reassign.a_status_alone",
       "no_status_after_it",
       {after_reassignment(dropping(Opcode::scsi_response))}},
      {"reassign.without_its_snack_tag",
       "status_with_a_snack_tag",
       {after_reassignment(tagged_status())}},
      {"reassign.of_an_immediate_command", "says_it_is_complete", {complete}},
      {"reassign.of_a_text_negotiation", "no_such_task", {no_such_task}},
      {"reassign.when_nothing_is_retained", "says_it_is_complete", {complete}},
      {"reassign.an_abort_after_a_logout", "no_such_task", {no_such_task}},
      {"logout.unacknowledged_commands_go_for_recovery",
       "counts_what_is_gone",
       {adding(Opcode::nop_in, field::exp_cmd_sn, 1)}},
      {"logout.nothing_comes_after_one_for_recovery",
       "says_recovery_is_not_supported",
       {setting(Opcode::logout_response, kResponse, 2)}},
      {"reinstatement.of_a_session_that_lost_its_connection",
       "refuses",
       {logins_fail_after(0, true)}},
  };
  table.add(Target::plain, rows);
}

void forms_and_task_sets(Table& table) {
  const Opcode pong = Opcode::nop_in;
  const Row rows[] = {
      {"format.of_every_pdu",
       "additional_header",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               pdu.ahs = {0, 1, 0, 0};
               return std::vector{pdu};
             })}},
      {"format.padding_under_a_digest",
       "wrong_data_digest",
       {[](const Passing& passing) { return std::vector{passing.pdu}; }, false, true}},
      {"task_management.task_set_with_an_r2t", "status_before_the_abort", {good_before_pong()}},
      {"task_management.task_set_with_an_r2t",
       "no_such_task",
       {setting(Opcode::task_management_response, kResponse, 1)}},
      {"login.stage.security_to_full_feature",
       "no_handle",
       {setting(Opcode::login_response, field::tsih, 0)}},
      {"login.key.no_recovery_is_for_everyone",
       "asks_for_more_than_zero",
       {with_key("ErrorRecoveryLevel", "1")}},
      {"login.stage.last_answer_asks_nothing",
       "proposes_in_the_last_answer",
       {only(Opcode::login_response,
             [](Pdu pdu, const Passing&) {
               TextKeys keys = parse_text(pdu.data).keys;
               if (keys.has("InitialR2T")) keys.add("MaxConnections", "4");
               pdu.data = encode_text(keys);
               return std::vector{pdu};
             })}},
  };
  table.add(Target::plain, rows);
}

void proofs(Table& table) {
  const Row rows[] = {
      {"login.auth.none_is_not_enough", "lets_in", {login_always_succeeds()}},
      {"login.auth.security_is_not_skipped", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_premature_transition", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_transition_after_the_challenge", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_algorithm_from_a_list", "another_algorithm", {with_key("CHAP_A", "250")}},
      {"login.auth.chap_algorithm_is_no_number", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_response_before_the_challenge", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_challenge_is_new", "challenge_comes_again", {one_challenge_for_all()}},
      {"login.auth.chap_response_in_base64", "refuses_base64", {refusing_proofs_with("CHAP_R=0b")}},
      {"login.auth.chap_response_in_capitals",
       "refuses_capitals",
       {refusing_proofs_with("CHAP_R=0X")}},
      {"login.auth.chap_wrong_response_in_base64", "another_status", {failing_with(0x0202)}},
      {"login.auth.chap_response_too_short", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_response_too_long", "lets_in", {login_always_succeeds()}},
      {"login.auth.chap_response_is_no_binary", "lets_in", {login_always_succeeds()}},
      {"login.mutual_chap.target_answers", "wrong_response", {with_key("CHAP_R", "0x00")}},
      {"login.mutual_chap.challenge_in_base64", "wrong_response", {with_key("CHAP_R", "0x00")}},
      {"login.mutual_chap.long_challenge", "wrong_response", {with_key("CHAP_R", "0x00")}},
      {"login.mutual_chap.challenge_too_long", "lets_in", {login_always_succeeds()}},
      {"login.mutual_chap.challenge_missing", "lets_in", {login_always_succeeds()}},
      {"login.mutual_chap.identifier_out_of_bounds", "lets_in", {login_always_succeeds()}},
      {"login.mutual_chap.answer_of_its_own", "lets_in", {login_always_succeeds()}},
  };
  table.add(Target::mutual_chap, rows);
}

}  // namespace

void add_recovery_rows(Table& table) {
  several_connections(table);
  logouts(table);
  reinstatements(table);
  commands_sent_again(table);
  lost_data_out(table);
  snacks(table);
  reassignments(table);
  forms_and_task_sets(table);
  proofs(table);
}

}  // namespace tsih::mutants
