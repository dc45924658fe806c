// Rules of numbering, pings, texts, task management and logout broken one by one, and the cases
// that have to say so.
#include <algorithm>

#include "harness/mutants/mutation.h"
#include "harness/mutants/table.h"
#include "harness/wire/text.h"

namespace tsih::mutants {

using namespace tsih::wire;

namespace {

Mutation twice(Opcode opcode) {
  return only(opcode, [](const Pdu& pdu, const Passing&) { return std::vector{pdu, pdu}; });
}

Mutation names_a_target(const std::string& name) {
  return with_data(Opcode::text_response, [=](Bytes& data) {
    data = encode_text({{"TargetName", name}});
  });
}

void sequence(Table& table) {
  const Opcode pong = Opcode::nop_in;
  const Row rows[] = {
      {"sequence.acknowledged_with_the_answer",
       "acknowledges_too_little",
       {adding(pong, field::exp_cmd_sn, -1)}},
      {"sequence.immediate_does_not_advance", "advances", {adding(pong, field::exp_cmd_sn, 1)}},
      {"sequence.window_is_sane",
       "window_is_closed_beyond_itself",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               return std::vector{pdu.set(field::max_cmd_sn, pdu[field::exp_cmd_sn] - 2)};
             })}},
      {"sequence.status_numbers_rise_by_one",
       "status_number_stands_still",
       {setting(pong, field::stat_sn, 77)}},
      {"sequence.number_wraps_around",
       "counts_no_further_than_the_wrap",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               if (pdu[field::exp_cmd_sn] < 8) pdu.set(field::exp_cmd_sn, 0xffffffff);
               return std::vector{pdu};
             })}},
      {"sequence.gap_holds_later_commands_back",
       "passes_over_the_gap",
       {adding(pong, field::exp_cmd_sn, 1)}},
      {"sequence.window_over_ten_writes",
       "window_is_closed_beyond_itself",
       {only(Opcode::scsi_response,
             [](Pdu pdu, const Passing&) {
               return std::vector{pdu.set(field::max_cmd_sn, pdu[field::exp_cmd_sn] - 2)};
             })}},
      {"sequence.status_numbers_from_the_login_on",
       "status_number_jumps",
       {adding(Opcode::scsi_response, field::stat_sn, 1)}},
      {"sequence.write_beyond_the_window", "carries_it_out", {good_before_pong()}},
      {"sequence.write_with_a_used_number", "carries_it_out", {good_before_pong()}},
      {"sequence.write_again_amid_its_data", "carries_it_out_twice", {good_before_pong()}},
      {"sequence.write_again_after_its_r2t", "carries_it_out_twice", {good_before_pong()}},
      {"sequence.old_number_is_ignored", "answers_it", {twice(pong)}},
      {"sequence.number_beyond_the_window_is_ignored", "answers_it", {twice(pong)}},
      {"sequence.duplicate_in_the_window_is_ignored", "answers_it", {twice(pong)}},
      {"sequence.immediate_of_each_kind",
       "rejects_task_management",
       {only(Opcode::task_management_response,
             [](const Pdu& pdu, const Passing&) {
               Pdu reject(Opcode::reject);
               reject.set(field::stat_sn, pdu[field::stat_sn]);
               return std::vector{reject};
             })}},
  };
  table.add(Target::plain, rows);
}

void nop_and_text(Table& table) {
  const Opcode pong = Opcode::nop_in;
  const Row rows[] = {
      {"nop.ping_is_answered", "tag_in_the_answer", {setting(pong, field::target_transfer_tag, 5)}},
      {"nop.ping_without_data",
       "data_of_its_own",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               if (pdu.data.empty()) pdu.data = {1};
               return std::vector{pdu};
             })}},
      {"nop.odd_ping_is_padded",
       "data_with_the_padding",
       {with_data(pong, [](Bytes& data) { data.resize(8); })}},
      {"nop.long_ping_is_cut",
       "whole_ping_comes_back",
       {with_data(pong, [](Bytes& data) { data.resize(2048); })}},
      {"nop.no_answer_wanted",
       "echo_of_what_wants_none",
       {only(pong,
             [](const Pdu& pdu, const Passing&) {
               Pdu echo = pdu;
               echo.set(field::initiator_task_tag, kReservedTag).data = {1, 2, 3, 4};
               return std::vector{echo, pdu};
             })}},
      {"nop.reserved_bits_are_ignored",
       "reserved_bits_change_the_tag",
       {only(pong,
             [](Pdu pdu, const Passing& passing) {
               if (passing.last_request.header[2] != 0) pdu.set(field::initiator_task_tag, 5);
               return std::vector{pdu};
             })}},
      {"nop.reserved_fields_are_zero",
       "reserved_word_is_set",
       {setting(pong, Field{"reserved", 36, 0, 32}, 1)}},
      {"text.final_answer",
       "tag_in_the_final_answer",
       {setting(Opcode::text_response, field::target_transfer_tag, 3)}},
      {"text.unknown_key",
       "leaves_the_key_unanswered",
       {with_key("X-example.tsih.question", std::nullopt)}},
      {"text.not_final_is_not_ended",
       "ends_unasked",
       {setting(Opcode::text_response, field::final, 1)}},
      {"text.key_twice",
       "answers_instead_of_rejecting",
       {instead_of_reject(Opcode::text_response)}},
      {"text.continued_text",
       "speaks_into_the_pieces",
       {with_data(Opcode::text_response,
                  [](Bytes& data) {
                    data = encode_text({{"A", "1"}});
                  })}},
      {"text.tag_of_the_answer",
       "another_tag",
       {setting(Opcode::text_response, field::initiator_task_tag, 5)}},
      {"text.reserved_fields_are_zero",
       "reserved_word_is_set",
       {setting(Opcode::text_response, Field{"reserved", 44, 0, 32}, 1)}},
      {"discovery.all_targets",
       "address_without_a_tag",
       {with_key("TargetAddress", "127.0.0.1:3260")}},
      {"discovery.one_target",
       "another_target",
       {with_key("TargetName", "iqn.2026-01.example:other")}},
      {"discovery.send_targets_on_a_normal_session", "no_such_opcode", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (pdu.is(Opcode::text_response)) pdu.set(field::opcode, 0x3f);
         return std::vector{pdu};
       }}},
      {"discovery.own_target_on_a_normal_session",
       "another_target",
       {with_key("TargetName", "iqn.2026-01.example:other")}},
      {"discovery.commands_are_rejected",
       "status_instead_of_reject",
       {instead_of_reject(Opcode::scsi_response)}},
      {"discovery.session_is_had", "refuses", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (parse_text(passing.last_request.data).keys.value("SessionType") == "Discovery")
           pdu.set(field::status, 0x0200);
         return std::vector{pdu};
       }}},
      {"discovery.only_targets_and_addresses",
       "names_what_is_not_there",
       {names_a_target("iqn.2026-01.example.tsih:no-such-target")}},
      {"discovery.all_on_a_normal_session",
       "names_another_target",
       {names_a_target("iqn.2026-01.example:mutant")}},
      {"discovery.open_request", "ends_unasked", {setting(Opcode::text_response, field::final, 1)}},
      {"discovery.other_keys_are_turned_down",
       "answers_instead_of_rejecting",
       {instead_of_reject(Opcode::text_response)}},
      {"discovery.logout_for_recovery_is_turned_down",
       "logs_out",
       {instead_of_reject(Opcode::logout_response)}},
      {"discovery.logout_is_taken",
       "logs_out_for_recovery",
       {setting(Opcode::logout_response, field::response, 3)}},
  };
  table.add(Target::plain, rows);
}

void text_negotiation(Table& table) {
  const std::string long_key = "X-example.tsih." + std::string(40, 'q');
  const Row rows[] = {
      {"text.negotiation.takes_effect_at_its_end", "too_much_for_the_limit", {long_data_in(1024)}},
      {"text.negotiation.left_open", "too_much_for_the_limit", {long_data_in(1024)}},
      {"text.negotiation.other_tag",
       "reject_without_the_header",
       {with_data(Opcode::reject, [](Bytes& data) { data.clear(); })}},
      {"text.negotiation.key_twice_then_anew",
       "answers_instead_of_rejecting",
       {instead_of_reject(Opcode::text_response)}},
      {"text.negotiation.reset_by_the_initiator", "too_much_for_the_limit", {long_data_in(1024)}},
      {"text.negotiation.value_out_of_bounds",
       "too_little_for_the_limit",
       {only(Opcode::data_in,
             [](Pdu pdu, const Passing& passing) {
               const bool told = std::ranges::any_of(passing.requests, [](const Pdu& request) {
                 return request.is(Opcode::text_request);
               });
               if (told) pdu.data.resize(508);
               return std::vector{pdu};
             })}},
      {"text.negotiation.continued_key",
       "leaves_the_key_unanswered",
       {with_key(long_key, std::nullopt)}},
      {"text.negotiation.continued_and_final", "too_much_for_the_limit", {long_data_in(1024)}},
      {"text.negotiation.continued_value", "too_much_for_the_limit", {long_data_in(1024)}},
  };
  table.add(Target::plain, rows);
}

void window_told_by_itself(Table& table) {
  table.add(Target::plain,
            {"nop.window_told_by_itself", "data_with_the_window", {telling_the_window({1})}});
}

void ping_of_the_target(Table& table) {
  const Mutation with_bytes = only(Opcode::nop_in, [](Pdu pdu, const Passing&) {
    if (pdu[field::initiator_task_tag] == kReservedTag) pdu.data = {1};
    return std::vector{pdu};
  });
  table.add(Target::pinging, {"nop.ping_of_the_target", "data_in_the_ping", {with_bytes}});
}

void task_management_logout_reject(Table& table) {
  const Opcode management = Opcode::task_management_response;
  const Row rows[] = {
      {"task_management.finished_task",
       "complete_for_a_finished_task",
       {setting(management, field::response, 0)}},
      {"task_management.missing_command",
       "no_such_task",
       {setting(management, field::response, 1)}},
      {"task_management.aborted_write", "status_after_the_abort", {good_before_pong()}},
      {"task_management.first_of_two_writes", "status_after_the_abort", {good_before_pong(2)}},
      {"task_management.first_of_two_writes",
       "no_such_task",
       {setting(management, field::response, 1)}},
      {"task_management.task_set", "status_after_the_abort", {good_before_pong()}},
      {"task_management.unknown_task",
       "complete_for_an_unknown_task",
       {setting(management, field::response, 0)}},
      {"task_management.warm_reset", "status_after_the_reset", {good_before_pong()}},
      {"task_management.reserved_function",
       "complete_for_a_reserved_function",
       {setting(management, field::response, 0)}},
      {"logout.close_the_session",
       "connection_not_found",
       {setting(Opcode::logout_response, field::response, 1)}},
      {"logout.close_the_connection",
       "connection_not_found",
       {setting(Opcode::logout_response, field::response, 1)}},
      {"logout.pending_commands_end", "answers_twice", {twice(Opcode::logout_response)}},
      {"logout.response_has_no_data",
       "data_in_the_response",
       {with_data(Opcode::logout_response,
                  [](Bytes& data) {
                    data = {1, 2, 3, 4};
                  })}},
      {"reject.unknown_opcode", "ping_instead_of_reject", {instead_of_reject(Opcode::nop_in)}},
      {"reject.second_login", "ping_instead_of_reject", {instead_of_reject(Opcode::nop_in)}},
      {"reject.reserved_logout_reason", "logs_out", {instead_of_reject(Opcode::logout_response)}},
      {"reject.number_stays_free",
       "uses_up_the_number",
       {adding(Opcode::nop_in, field::exp_cmd_sn, 1)}},
      {"reject.reserved_fields_are_zero",
       "reserved_word_is_set",
       {setting(Opcode::reject, Field{"reserved", 44, 0, 32}, 1)}},
  };
  table.add(Target::plain, rows);
}

void reassignment(Table& table) {
  table.add(Target::without_recovery,
            {"task_management.reassignment",
             "another_response",
             {setting(Opcode::task_management_response, field::response, 5)}});
}

}  // namespace

void add_session_rows(Table& table) {
  sequence(table);
  nop_and_text(table);
  text_negotiation(table);
  window_told_by_itself(table);
  ping_of_the_target(table);
  task_management_logout_reject(table);
  reassignment(table);
}

}  // namespace tsih::mutants
