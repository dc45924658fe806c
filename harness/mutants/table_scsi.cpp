// Rules of commands, data and digests broken one by one, and the cases that have to say so.

#include "harness/mutants/mutation.h"
#include "harness/mutants/table.h"

namespace tsih::mutants {

using namespace tsih::wire;

namespace {

/// Where a residual is told, it is 1.
Mutation wrong_residual() {
  return [](const Passing& passing) {
    Pdu pdu = passing.pdu;
    const bool status =
        pdu.is(Opcode::scsi_response) || (pdu.is(Opcode::data_in) && pdu[field::has_status]);
    if (status && (pdu[field::overflow] || pdu[field::underflow])) pdu.set(field::residual, 1);
    return std::vector{pdu};
  };
}

void commands(Table& table) {
  const Opcode response = Opcode::scsi_response;
  const Opcode data_in = Opcode::data_in;
  const Row rows[] = {
      {"command.sense_data_come_along",
       "no_sense_data",
       {with_data(response, [](Bytes& data) { data.clear(); })}},
      {"command.response_is_clean",
       "reserved_word_is_set",
       {setting(response, Field{"reserved", 8, 0, 32}, 1)}},
      {"command.underflow_is_counted",
       "residual_of_one",
       {only(data_in,
             [](Pdu pdu, const Passing&) {
               if (pdu[field::underflow]) pdu.set(field::residual, 1);
               return std::vector{pdu};
             })}},
      {"command.overflow_is_counted", "residual_of_one", {wrong_residual()}},
      {"command.inquiry_overflow_is_counted", "residual_of_one", {wrong_residual()}},
      {"command.no_data_unless_expected",
       "counts_data_that_never_came",
       {setting(response, field::exp_data_sn, 1)}},
      {"command.reserved_bits_are_ignored",
       "reserved_bits_fail_it",
       {only(response,
             [](Pdu pdu, const Passing& passing) {
               if ((passing.last_request.header[1] & 0x18) != 0) pdu.set(field::scsi_status, 2);
               return std::vector{pdu};
             })}},
      {"data_in.each_read_counts_from_zero",
       "counts_from_one",
       {adding(data_in, field::data_sn, 1)}},
      {"data_in.last_is_final", "last_one_is_not_final", {setting(data_in, field::final, 0)}},
      {"data_in.no_tag_without_a_question", "lun_without_a_tag", {setting(data_in, field::lun, 1)}},
      {"data_in.no_tag_without_a_question",
       "tag_without_a_question",
       {setting(data_in, field::target_transfer_tag, 1)}},
      {"data_in.segment_limit", "too_much_for_the_limit", {long_data_in(1024)}},
      {"data_in.whole_words",
       "odd_pieces",
       {only(data_in,
             [](Pdu pdu, const Passing&) {
               if (!pdu[field::final]) pdu.data.resize(515);
               return std::vector{pdu};
             })}},
      {"data_in.no_data_with_an_error",
       "status_in_data_in",
       {only(response,
             [](const Pdu& pdu, const Passing& passing) {
               if (!passing.last_request[field::read]) return std::vector{pdu};
               Pdu status(Opcode::data_in);
               status.set(field::final, 1).set(field::has_status, 1).set(field::scsi_status, 2);
               status.set(field::initiator_task_tag, pdu[field::initiator_task_tag]);
               status.set(field::stat_sn, pdu[field::stat_sn]);
               return std::vector{status};
             })}},
      {"data_in.numbers_and_offsets_rise",
       "numbers_stand_still",
       {setting(data_in, field::data_sn, 0)}},
      {"data_in.no_acknowledgement_at_level_zero",
       "asks_for_acknowledgement",
       {setting(data_in, field::acknowledge, 1)}},
      {"data_in.segment_limit_by_default",
       "empty_data_in",
       {only(data_in,
             [](const Pdu& pdu, const Passing&) {
               Pdu empty = pdu;
               empty.data.clear();
               return std::vector{empty.set(field::has_status, 0), pdu};
             })}},
      {"data_in.reserved_fields_are_zero",
       "reserved_byte_is_set",
       {setting(data_in, Field{"reserved", 2, 0, 8}, 1)}},
      {"data_in.burst_limit",
       "burst_has_no_end",
       {only(data_in,
             [](Pdu pdu, const Passing&) {
               if (!pdu[field::has_status]) pdu.set(field::final, 0);
               return std::vector{pdu};
             })}},
      {"data_in.status_comes_once",
       "status_comes_twice",
       {only(data_in,
             [](const Pdu& pdu, const Passing&) {
               Pdu again(Opcode::scsi_response);
               again.set(field::final, 1);
               again.set(field::initiator_task_tag, pdu[field::initiator_task_tag]);
               again.set(field::stat_sn, pdu[field::stat_sn]);
               return pdu[field::has_status] ? std::vector{pdu, again} : std::vector{pdu};
             })}},
  };
  table.add(Target::plain, rows);
}

void writes(Table& table) {
  const Row rows[] = {
      {"r2t.first_request",
       "no_tag",
       {setting(Opcode::r2t, field::target_transfer_tag, kReservedTag)}},
      {"r2t.burst_limit",
       "asks_for_more_than_a_burst",
       {only(Opcode::r2t,
             [](Pdu pdu, const Passing& passing) {
               const auto all = passing.last_request[field::expected_data_transfer_length];
               return std::vector{pdu.set(field::desired_length, all)};
             })}},
      {"r2t.requests_follow_one_another",
       "numbers_stand_still",
       {setting(Opcode::r2t, field::r2t_sn, 0)}},
      {"r2t.data_without_bytes", "fails_the_write", {write_status(2)}},
      {"r2t.each_write_counts_from_zero",
       "counts_from_one",
       {adding(Opcode::r2t, field::r2t_sn, 1)}},
      {"r2t.every_field", "another_lun", {setting(Opcode::r2t, field::lun, 5)}},
      {"r2t.every_field",
       "status_number_jumps",
       {only(Opcode::scsi_response,
             [](Pdu pdu, const Passing& passing) {
               if (passing.last_request.is(Opcode::data_out))
                 pdu.set(field::stat_sn, pdu[field::stat_sn] + 1);
               return std::vector{pdu};
             })}},
      {"r2t.more_than_asked_for", "good_all_the_same", {write_status(0)}},
      {"r2t.data_for_no_task", "status_before_the_data", {good_before_pong()}},
      {"r2t.error_waits_for_the_last_data", "status_before_the_data", {good_before_pong()}},
      {"r2t.written_is_read",
       "one_byte_is_wrong",
       {with_data(Opcode::data_in,
                  [](Bytes& data) {
                    if (data.size() > 512) data[5] ^= 1;
                  })}},
      {"unsolicited.immediate_data_refused",
       "good_all_the_same",
       {setting(Opcode::scsi_response, field::scsi_status, 0)}},
      {"unsolicited.data_out_refused", "good_all_the_same", {write_status(0)}},
      {"unsolicited.error_waits_for_the_data", "status_before_the_data", {good_before_pong()}},
      {"unsolicited.immediate_then_asked_for",
       "asks_for_what_it_has",
       {adding(Opcode::r2t, field::buffer_offset, -512)}},
      {"unsolicited.too_much_immediate_data", "good_all_the_same", {write_status(0)}},
      {"unsolicited.too_much_first_burst", "good_all_the_same", {write_status(0)}},
      {"unsolicited.incorrect_amount_of_data", "good_all_the_same", {write_status(0)}},
      {"unsolicited.too_little_first_burst",
       "good_before_the_data",
       {only(Opcode::r2t,
             [](const Pdu& r2t, const Passing&) {
               Pdu good(Opcode::scsi_response);
               good.set(field::final, 1).set(field::stat_sn, r2t[field::stat_sn]);
               good.set(field::initiator_task_tag, r2t[field::initiator_task_tag]);
               return std::vector{good};
             })}},
      {"unsolicited.all_in_the_first_burst", "fails_the_write", {write_status(2)}},
      {"unsolicited.immediate_data_taken",
       "one_byte_is_wrong",
       {only(Opcode::data_in,
             [](Pdu pdu, const Passing&) {
               if (pdu.data.size() == 512) pdu.data[0] ^= 1;
               return std::vector{pdu};
             })}},
      {"unsolicited.first_burst_taken",
       "asks_for_what_it_has",
       {adding(Opcode::r2t, field::buffer_offset, -512)}},
      {"digest.on_every_pdu",
       "wrong_header_digest",
       {[](const Passing& p) { return std::vector{p.pdu}; }, true, false}},
      {"digest.data_in_with_digests",
       "wrong_data_digest",
       {[](const Passing& p) { return std::vector{p.pdu}; }, false, true}},
      {"digest.header_only",
       "wrong_header_digest",
       {[](const Passing& p) { return std::vector{p.pdu}; }, true, false}},
      {"digest.wrong_digest_of_immediate_data",
       "another_reason",
       {setting(Opcode::reject, field::reject_reason, 4)}},
      {"digest.wrong_digest_amid_written_data",
       "another_reason",
       {setting(Opcode::reject, field::reject_reason, 4)}},
      {"digest.wrong_digest_amid_written_data", "status_before_the_data", {good_before_pong()}},
      {"digest.wrong_data_digest", "ping_instead_of_reject", {instead_of_reject(Opcode::nop_in)}},
      {"digest.wrong_digest_of_written_data",
       "another_reason",
       {setting(Opcode::reject, field::reject_reason, 4)}},
  };
  table.add(Target::plain, rows);
}

}  // namespace

void add_scsi_rows(Table& table) {
  commands(table);
  writes(table);
}

}  // namespace tsih::mutants
