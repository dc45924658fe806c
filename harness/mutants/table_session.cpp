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
      {"sequence.acknowledged_with_the_answer", {adding(pong, field::exp_cmd_sn, -1)}},
      {"sequence.immediate_does_not_advance", {adding(pong, field::exp_cmd_sn, 1)}},
      {"sequence.window_is_sane",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               return std::vector{pdu.set(field::max_cmd_sn, pdu[field::exp_cmd_sn] - 2)};
             })}},
      {"sequence.status_numbers_rise_by_one", {setting(pong, field::stat_sn, 77)}},
      {"sequence.number_wraps_around",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               if (pdu[field::exp_cmd_sn] < 8) pdu.set(field::exp_cmd_sn, 0xffffffff);
               return std::vector{pdu};
             })}},
      {"sequence.gap_holds_later_commands_back", {adding(pong, field::exp_cmd_sn, 1)}},
      {"sequence.window_over_ten_writes",
       {only(Opcode::scsi_response,
             [](Pdu pdu, const Passing&) {
               return std::vector{pdu.set(field::max_cmd_sn, pdu[field::exp_cmd_sn] - 2)};
             })}},
      {"sequence.status_numbers_from_the_login_on",
       {adding(Opcode::scsi_response, field::stat_sn, 1)}},
      {"sequence.write_beyond_the_window", {good_before_pong()}},
      {"sequence.write_with_a_used_number", {good_before_pong()}},
      {"sequence.write_again_amid_its_data", {good_before_pong()}},
      {"sequence.write_again_after_its_r2t", {good_before_pong()}},
      {"sequence.old_number_is_ignored", {twice(pong)}},
      {"sequence.number_beyond_the_window_is_ignored", {twice(pong)}},
      {"sequence.duplicate_in_the_window_is_ignored", {twice(pong)}},
      {"sequence.immediate_of_each_kind",
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
      {"nop.ping_is_answered", {setting(pong, field::target_transfer_tag, 5)}},
      {"nop.ping_without_data",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               if (pdu.data.empty()) pdu.data = {1};
               return std::vector{pdu};
             })}},
      {"nop.odd_ping_is_padded", {with_data(pong, [](Bytes& data) { data.resize(8); })}},
      {"nop.long_ping_is_cut", {with_data(pong, [](Bytes& data) { data.resize(2048); })}},
      {"nop.no_answer_wanted",
       {only(pong,
             [](const Pdu& pdu, const Passing&) {
               Pdu echo = pdu;
               echo.set(field::initiator_task_tag, kReservedTag).data = {1, 2, 3, 4};
               return std::vector{echo, pdu};
             })}},
      {"nop.reserved_bits_are_ignored",
       {only(pong,
             [](Pdu pdu, const Passing& passing) {
               if (passing.last_request.header[2] != 0) pdu.set(field::initiator_task_tag, 5);
               return std::vector{pdu};
             })}},
      {"nop.reserved_fields_are_zero", {setting(pong, Field{"reserved", 36, 0, 32}, 1)}},
      {"text.final_answer", {setting(Opcode::text_response, field::target_transfer_tag, 3)}},
      {"text.unknown_key", {with_key("X-example.tsih.question", std::nullopt)}},
      {"text.not_final_is_not_ended", {setting(Opcode::text_response, field::final, 1)}},
      {"text.key_twice", {instead_of_reject(Opcode::text_response)}},
      {"text.continued_text",
       {with_data(Opcode::text_response,
                  [](Bytes& data) {
                    data = encode_text({{"A", "1"}});
                  })}},
      {"text.tag_of_the_answer", {setting(Opcode::text_response, field::initiator_task_tag, 5)}},
      {"text.reserved_fields_are_zero",
       {setting(Opcode::text_response, Field{"reserved", 44, 0, 32}, 1)}},
      {"discovery.all_targets", {with_key("TargetAddress", "127.0.0.1:3260")}},
      {"discovery.one_target", {with_key("TargetName", "iqn.2026-01.example:other")}},
      {"discovery.send_targets_on_a_normal_session", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (pdu.is(Opcode::text_response)) pdu.set(field::opcode, 0x3f);
         return std::vector{pdu};
       }}},
      {"discovery.own_target_on_a_normal_session",
       {with_key("TargetName", "iqn.2026-01.example:other")}},
      {"discovery.commands_are_rejected", {instead_of_reject(Opcode::scsi_response)}},
      {"discovery.session_is_had", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (parse_text(passing.last_request.data).keys.value("SessionType") == "Discovery")
           pdu.set(field::status, 0x0200);
         return std::vector{pdu};
       }}},
      {"discovery.only_targets_and_addresses",
       {names_a_target("iqn.2026-01.example.tsih:no-such-target")}},
      {"discovery.all_on_a_normal_session", {names_a_target("iqn.2026-01.example:mutant")}},
      {"discovery.open_request", {setting(Opcode::text_response, field::final, 1)}},
      {"discovery.other_keys_are_turned_down", {instead_of_reject(Opcode::text_response)}},
      {"discovery.logout_for_recovery_is_turned_down",
       {instead_of_reject(Opcode::logout_response)}},
      {"discovery.logout_is_taken", {setting(Opcode::logout_response, field::response, 3)}},
  };
  table.add(Target::plain, rows);
}

void text_negotiation(Table& table) {
  const std::string long_key = "X-example.tsih." + std::string(40, 'q');
  const Row rows[] = {
      {"text.negotiation.takes_effect_at_its_end", {long_data_in(1024)}},
      {"text.negotiation.left_open", {long_data_in(1024)}},
      {"text.negotiation.other_tag",
       {with_data(Opcode::reject, [](Bytes& data) { data.clear(); })}},
      {"text.negotiation.key_twice_then_anew", {instead_of_reject(Opcode::text_response)}},
      {"text.negotiation.reset_by_the_initiator", {long_data_in(1024)}},
      {"text.negotiation.value_out_of_bounds",
       {only(Opcode::data_in,
             [](Pdu pdu, const Passing& passing) {
               const bool told = std::ranges::any_of(passing.requests, [](const Pdu& request) {
                 return request.is(Opcode::text_request);
               });
               if (told) pdu.data.resize(508);
               return std::vector{pdu};
             })}},
      {"text.negotiation.continued_key", {with_key(long_key, std::nullopt)}},
      {"text.negotiation.continued_and_final", {long_data_in(1024)}},
      {"text.negotiation.continued_value", {long_data_in(1024)}},
  };
  table.add(Target::plain, rows);
}

void window_told_by_itself(Table& table) {
  table.add(Target::plain, {"nop.window_told_by_itself", {telling_the_window({1})}});
}

void ping_of_the_target(Table& table) {
  const Mutation with_bytes = only(Opcode::nop_in, [](Pdu pdu, const Passing&) {
    if (pdu[field::initiator_task_tag] == kReservedTag) pdu.data = {1};
    return std::vector{pdu};
  });
  table.add(Target::pinging, {"nop.ping_of_the_target", {with_bytes}});
}

void task_management_logout_reject(Table& table) {
  const Opcode management = Opcode::task_management_response;
  const Row rows[] = {
      {"task_management.finished_task", {setting(management, field::response, 0)}},
      {"task_management.missing_command", {setting(management, field::response, 1)}},
      {"task_management.aborted_write", {good_before_pong()}},
      {"task_management.first_of_two_writes", {good_before_pong(2)}},
      {"task_management.first_of_two_writes", {setting(management, field::response, 1)}},
      {"task_management.task_set", {good_before_pong()}},
      {"task_management.unknown_task", {setting(management, field::response, 0)}},
      {"task_management.warm_reset", {good_before_pong()}},
      {"task_management.reserved_function", {setting(management, field::response, 0)}},
      {"logout.close_the_session", {setting(Opcode::logout_response, field::response, 1)}},
      {"logout.close_the_connection", {setting(Opcode::logout_response, field::response, 1)}},
      {"logout.pending_commands_end", {twice(Opcode::logout_response)}},
      {"logout.response_has_no_data",
       {with_data(Opcode::logout_response,
                  [](Bytes& data) {
                    data = {1, 2, 3, 4};
                  })}},
      {"reject.unknown_opcode", {instead_of_reject(Opcode::nop_in)}},
      {"reject.second_login", {instead_of_reject(Opcode::nop_in)}},
      {"reject.reserved_logout_reason", {instead_of_reject(Opcode::logout_response)}},
      {"reject.number_stays_free", {adding(Opcode::nop_in, field::exp_cmd_sn, 1)}},
      {"reject.reserved_fields_are_zero",
       {setting(Opcode::reject, Field{"reserved", 44, 0, 32}, 1)}},
  };
  table.add(Target::plain, rows);
}

void reassignment(Table& table) {
  table.add(Target::without_recovery,
            {"task_management.reassignment",
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
