// One more look at cases that judge several clauses: the rows here break those that no other row
// does, in a way that the clauses judged before them do not see.
#include <algorithm>

#include "harness/mutants/mutation.h"
#include "harness/mutants/table.h"
#include "harness/wire/text.h"

namespace tsih::mutants {

using namespace tsih::wire;

namespace {

/// A PDU that answers the same request as another one, by kind and numbers alone.
Pdu beside(const Pdu& pdu, Opcode opcode) {
  Pdu other(opcode);
  other.set(field::final, 1).set(field::initiator_task_tag, pdu[field::initiator_task_tag]);
  for (const Field& same : {field::stat_sn, field::exp_cmd_sn, field::max_cmd_sn})
    other.set(same, pdu[same]);
  return other;
}

/// Before an answer of this kind comes another PDU for the same task.
Mutation preceded_by(Opcode opcode, Opcode first) {
  return only(opcode, [=](const Pdu& pdu, const Passing&) {
    return std::vector{beside(pdu, first), pdu};
  });
}

/// A ping is answered together with the request before it, which has not been carried out.
Mutation answering_the_request_before() {
  return only(Opcode::nop_in, [](const Pdu& pong, const Passing& passing) {
    if (passing.requests.size() < 2) return std::vector{pong};
    const Pdu& before = passing.requests[passing.requests.size() - 2];
    Pdu early = beside(pong, Opcode::nop_in).set(field::target_transfer_tag, kReservedTag);
    early.set(field::initiator_task_tag, before[field::initiator_task_tag]);
    return before.is(Opcode::nop_out) ? std::vector{early, pong} : std::vector{pong};
  });
}

/// All that comes of the request that this one is, later ones of its kind aside.
Mutation without_data_of(std::size_t bytes) {
  return only(Opcode::nop_in, [=](const Pdu& pdu, const Passing&) {
    return pdu.data.size() == bytes ? std::vector<Pdu>{} : std::vector{pdu};
  });
}

void login(Table& table) {
  const Opcode response = Opcode::login_response;
  const Mutation both_bits = only(response, [](Pdu pdu, const Passing& passing) {
    if (passing.last_request[field::continues]) pdu.set(field::continues, 1).set(field::transit, 1);
    return std::vector{pdu};
  });
  const Mutation versions = only(response, [](Pdu pdu, const Passing& passing) {
    return std::vector{pdu.set(field::version_active, passing.number)};
  });
  const Mutation said_twice = only(response, [](Pdu pdu, const Passing&) {
    pdu.data = encode_text({{"TargetAlias", "mutant"}});
    return std::vector{pdu};
  });
  const Mutation refusing_by_number = only(response, [](Pdu pdu, const Passing& passing) {
    if (parse_text(passing.last_request.data).keys.has("FirstBurstLength"))
      pdu.set(field::status, 0x0200);
    return std::vector{pdu};
  });
  const Row rows[] = {
      {"login.start.portal_group_tag_after_continued_text", "continues_and_transits", {both_bits}},
      {"login.answer.versions_stay", "version_active_changes", {versions}},
      {"login.text.nothing_said_twice", "alias_comes_twice", {said_twice}},
      {"login.key.first_burst_before_max_burst", "refuses_by_order", {refusing_by_number}},
      {"login.session.reinstatement",
       "old_connection_stays_open",
       {.mutate = unchanged(), .keeps_open = true}},
      {"names.date_of_the_target",
       "no_date",
       {in_reply_to("SendTargets", {{"TargetName", "iqn.example:nameless"}})}},
      {"names.date_of_the_target",
       "year_of_two_digits",
       {in_reply_to("SendTargets", {{"TargetName", "iqn.26-01.example:x"}})}},
      {"names.date_of_the_target",
       "no_hyphen",
       {in_reply_to("SendTargets", {{"TargetName", "iqn.202601.example:x"}})}},
      {"names.date_of_the_target",
       "slash_in_the_date",
       {in_reply_to("SendTargets", {{"TargetName", "iqn.2026/01.example:x"}})}},
      {"names.date_of_the_target",
       "month_13",
       {in_reply_to("SendTargets", {{"TargetName", "iqn.2026-13.example:x"}})}},
  };
  table.add(Target::plain, rows);
}

void numbers_and_pings(Table& table) {
  const Opcode pong = Opcode::nop_in;
  const Row rows[] = {
      {"nop.ping_is_answered", "long_ping_is_lost", {without_data_of(512)}},
      {"nop.odd_ping_is_padded",
       "padding_is_not_zero",
       {.mutate = unchanged(), .spoil_padding = true}},
      {"format.of_every_pdu",
       "padding_is_not_zero",
       {.mutate = unchanged(), .spoil_padding = true}},
      {"format.of_every_pdu",
       "another_opcode",
       {from_connection(2, setting(pong, field::opcode, 0x1f))}},
      {"sequence.gap_holds_later_commands_back",
       "answers_beyond_the_gap",
       {answering_the_request_before()}},
      {"connections.answers_come_where_the_command_came",
       "status_before_the_pong",
       {preceded_by(pong, Opcode::scsi_response)}},
      {"text.negotiation.nothing_said_twice",
       "alias_comes_twice",
       {only(Opcode::text_response,
             [](Pdu pdu, const Passing&) {
               pdu.data = encode_text({{"TargetAlias", "mutant"}});
               return std::vector{pdu};
             })}},
      {"logout.whole_session_of_two",
       "second_connection_stays_open",
       {.mutate = unchanged(), .keeps_open = true, .keeps_open_only = 2}},
      {"reinstatement.ends_the_tasks_of_the_connection",
       "refuses",
       {only(Opcode::login_response,
             [](Pdu pdu, const Passing& passing) {
               if (passing.last_request[field::tsih] != 0) pdu.set(field::status, 0x0300);
               return std::vector{pdu};
             })}},
      {"reinstatement.ends_the_tasks_of_the_connection",
       "status_after_the_end",
       {preceded_by(pong, Opcode::scsi_response)}},
  };
  table.add(Target::plain, rows);
  const Mutation status_after = only(Opcode::async_message, [](const Pdu& pdu, const Passing&) {
    return std::vector{pdu, beside(pdu, Opcode::scsi_response)};
  });
  const Row provoked[] = {
      {"async.a_logout_is_asked_for_on_its_connection",
       "logout_fails",
       {setting(Opcode::logout_response, field::response, 1)}},
      {"async.a_dropped_session_brings_nothing_more", "status_after_it", {status_after}},
      {"async.a_dropped_connection_brings_nothing_more", "status_after_it", {status_after}},
      {"async.a_dropped_connection_brings_nothing_more",
       "whole_session_is_dropped",
       {setting(Opcode::async_message, field::async_event, 3)}},
  };
  table.add(Target::provoked, provoked);
}

void commands_and_data(Table& table) {
  const Opcode response = Opcode::scsi_response, data_in = Opcode::data_in;
  const Mutation in_all_data = both(setting(data_in, field::acknowledge, 1),
                                    setting(data_in, field::target_transfer_tag, 5));
  const Mutation empty_first = only(data_in, [](const Pdu& pdu, const Passing&) {
    Pdu empty = pdu;
    empty.data.clear();
    return std::vector{empty.set(field::has_status, 0), pdu};
  });
  const Mutation overlapping = only(Opcode::r2t, [](Pdu pdu, const Passing&) {
    return std::vector{pdu.set(field::buffer_offset, 0)};
  });
  const Mutation contradictory = [](const Passing& passing) {
    Pdu pdu = passing.pdu;
    if (pdu[field::overflow] && (pdu.is(Opcode::data_in) || pdu.is(Opcode::scsi_response)))
      pdu.set(field::underflow, 1);
    return std::vector{pdu};
  };
  const Row rows[] = {
      {"command.overflow_is_counted", "overflow_and_underflow", {contradictory}},
      {"command.response_is_clean", "snack_tag_is_set", {setting(response, field::snack_tag, 5)}},
      {"data_in.status_comes_once", "status_is_not_final", {setting(data_in, field::final, 0)}},
      {"data_in.numbers_and_offsets_rise",
       "offsets_jump",
       {adding(data_in, field::buffer_offset, 4)}},
      {"data_in.numbers_and_offsets_rise", "burst_too_long", {long_data_in(65536)}},
      {"data_in.segment_limit", "empty_data_in", {empty_first}},
      {"snack.data_acknowledged", "asks_in_every_data_in", {in_all_data}},
      {"r2t.requests_follow_one_another", "starts_again_at_zero", {overlapping}},
      {"r2t.first_request", "another_lun", {setting(Opcode::r2t, field::lun, 5)}},
      {"reject.reason_for_a_wrong_tag",
       "another_reason",
       {setting(Opcode::reject, field::reject_reason, 4)}},
      {"unsolicited.immediate_data_by_default", "fails_the_write", {write_status(2)}},
      {"task_management.missing_command",
       "reject_before_the_answer",
       {only(Opcode::task_management_response,
             [](const Pdu& pdu, const Passing&) {
               return std::vector{beside(pdu, Opcode::reject)};
             })}},
      {"task_management.cold_reset",
       "no_sense_data",
       {with_data(response, [](Bytes& data) { data.clear(); })}},
  };
  table.add(Target::plain, rows);
}

void recovery(Table& table) {
  const Opcode response = Opcode::scsi_response, management = Opcode::task_management_response;
  const auto after_data = [](const Mutation& change) { return after(Opcode::data_out, change); };
  const auto after_snack = [](const Mutation& change) {
    return after(Opcode::snack_request, change);
  };
  // Said before the request for it has come: whenever that comes, a status without sense follows.
  const Mutation turning_down = only(Opcode::data_in, [](const Pdu& pdu, const Passing&) {
    if (pdu[field::data_sn] != 0) return std::vector{pdu};
    return std::vector{pdu, beside(pdu, Opcode::reject).set(field::reject_reason, 3)};
  });
  const Mutation from_the_beginning = after(
      Opcode::task_management_request, only(Opcode::data_in, [](const Pdu& pdu, const Passing&) {
        Pdu first = pdu;
        first.set(field::buffer_offset, 0).set(field::has_status, 0);
        return std::vector{first, pdu};
      }));
  const Mutant trusting{.mutate = unchanged(), .mends_digests = true};
  const Row rows[] = {
      {"snack.a_status",
       "another_status_number",
       {after_snack(adding(response, field::stat_sn, 1))}},
      {"snack.resegmented_data",
       "another_status_number",
       {after_snack(adding(response, field::stat_sn, 1))}},
      {"snack.turned_down_before_the_status", "rejects_before_the_status", {turning_down}},
      {"snack.below_level_one", "no_status_after_it", {after_snack(dropping(response))}},
      {"reassign.a_write_after_a_logout",
       "r2t_before_the_answer",
       {preceded_by(management, Opcode::r2t)}},
      {"reassign.from_the_acknowledged_number", "starts_again_at_zero", {from_the_beginning}},
      {"recovery_r2t.the_end_waits_for_the_final_data",
       "no_sense_data",
       {after_data(with_data(response, [](Bytes& data) { data.clear(); }))}},
      {"recovery_r2t.after_a_wrong_data_digest",
       "fails_the_write",
       {after_data(setting(response, field::scsi_status, 2))}},
      {"recovery_r2t.after_a_wrong_data_digest",
       "good_without_the_data",
       {both(after_data(dropping(Opcode::r2t)),
             after_data(setting(response, field::scsi_status, 0)))}},
      {"digest.wrong_header_digest", "trusts_the_header", trusting},
      {"digest.wrong_header_digest_of_a_write", "trusts_the_header", trusting},
      {"digest.wrong_data_digest", "trusts_the_data", trusting},
      {"digest.wrong_digest_of_immediate_data",
       "another_task_tag",
       {adding(Opcode::r2t, field::initiator_task_tag, 1)}},
      {"digest.wrong_digest_of_written_data",
       "good_all_the_same",
       {after_data(setting(response, field::scsi_status, 0))}},
      {"digest.wrong_digest_amid_written_data",
       "no_status_after_it",
       {after_data(dropping(response))}},
  };
  table.add(Target::plain, rows);
}

/// tsihd knows no markers: asked for none, it seems to agree to them.
Mutant marking(const Marking& how, const TextKeys& answers, bool spoil_digests = false) {
  constexpr const char* kMarkers[] = {"IFMarker", "OFMarker"};
  Mutation agreeing = unchanged();
  for (const auto& [key, value] : answers.pairs()) agreeing = both(agreeing, with_key(key, value));
  Mutant mutant{.mutate = agreeing, .spoil_header_digest = spoil_digests};
  mutant.rewrite = [=](TextKeys keys) {
    for (const char* key : kMarkers)
      if (keys.has(key)) keys.set(key, "No");
    return keys;
  };
  mutant.marking = how;
  return mutant;
}

void markers(Table& table) {
  constexpr std::uint32_t kIntervalBytes = 256;
  const TextKeys agreed{{"IFMarker", "Yes"}, {"IFMarkInt", "64"}};
  const Row rows[] = {
      {"markers.of_the_target", "pointer_is_skewed",
       marking({.interval_bytes = kIntervalBytes, .skew = 4}, agreed)},
      {"markers.of_the_target", "wrong_header_digest",
       marking({.interval_bytes = kIntervalBytes}, agreed, true)},
      {"markers.of_the_initiator", "wrong_header_digest",
       marking({.interval_bytes = kIntervalBytes}, {{"OFMarker", "Yes"}, {"OFMarkInt", "64"}},
               true)},
      {"markers.interval", "outside_the_range", {with_key("IFMarkInt", "2048")}},
      {"markers.interval", "upside_down", {with_key("IFMarkInt", "64~16")}},
      {"markers.interval", "does_not_know_the_key", {with_key("IFMarkInt", "NotUnderstood")}},
  };
  table.add(Target::plain, rows);
}

}  // namespace

void add_remaining_rows(Table& table) {
  login(table);
  numbers_and_pings(table);
  commands_and_data(table);
  recovery(table);
  markers(table);
}

}  // namespace tsih::mutants
