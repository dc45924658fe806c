// Red when: a rule sees nothing wrong where it is broken, sees something wrong in a conversation by
// the RFC, or names a clause that does not exist.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <iterator>
#include <set>
#include <sstream>

#include "harness/catalogue/catalogue.h"
#include "harness/judge/rule.h"
#include "harness/judge/tests/story.h"

using namespace tsih;
using namespace tsih::judge;
using namespace tsih::judge::testing;

namespace {

struct Row {
  const char* label;  ///< the PDU that is changed
  Change change;
  const char* broken;  ///< exactly these rules
};

Change set(const wire::Field& field, std::uint64_t value) {
  return [field, value](Pdu& pdu) { pdu.set(field, value); };
}
Change add(const wire::Field& field, std::uint64_t value) {
  return [field, value](Pdu& pdu) { pdu.set(field, pdu[field] + value); };
}
Change resize(std::size_t bytes) {
  return [bytes](Pdu& pdu) { pdu.data.resize(bytes, 1); };
}
Change both(Change first, Change second) {
  return [first, second](Pdu& pdu) {
    first(pdu);
    second(pdu);
  };
}

constexpr wire::Field kReservedByte{"", 2, 0, 8};

const Row kRows[] = {
    // Numbers.
    {"read", add(field::cmd_sn, 1), "numbering.cmd_sn numbering.acknowledged_with_status"},
    {"read.data2", add(field::stat_sn, 1), "numbering.stat_sn"},
    {"short.status", add(field::stat_sn, -1), "numbering.exp_stat_sn numbering.stat_sn"},
    {"ping", add(field::exp_stat_sn, 1), "numbering.exp_stat_sn"},
    {"ping.answer", add(field::max_cmd_sn, -9), "numbering.max_cmd_sn"},
    {"short.status", add(field::exp_cmd_sn, 1), "numbering.exp_cmd_sn"},
    {"short.status", add(field::exp_cmd_sn, -1), "numbering.acknowledged_with_status"},
    {"pong.answer", add(field::cmd_sn, -1), "numbering.immediate_cmd_sn"},
    // Form.
    {"read", set(kReservedByte, 1), "form.reserved_zero"},
    {"read.data1", set(kReservedByte, 1), "form.reserved_zero"},
    {"ping", [](Pdu& pdu) { pdu.padding_is_zero = false; }, "form.padding_zero"},
    {"short.data", [](Pdu& pdu) { pdu.padding_is_zero = false; }, "form.padding_zero"},
    {"ping.answer", [](Pdu& pdu) { pdu.ahs.assign(4, 0); }, "form.no_additional_headers"},
    {"abort", resize(4), "form.management_request_bare form.no_data_segment"},
    {"abort.answer", resize(4), "form.management_response_bare form.no_data_segment"},
    {"logout", resize(4), "form.logout_request_bare form.no_data_segment"},
    {"logout.answer", resize(4), "form.logout_response_bare form.no_data_segment"},
    {"write.r2t", resize(4), "form.no_data_segment form.r2t_bare"},
    {"ask", resize(516), "form.text_request_fits_receiver keys.format"},
    // Login.
    {"login1", set(field::version_max, 1), "login.version login.same_version_max"},
    {"login2", set(field::version_max, 1), "login.version login.same_version_max"},
    {"login1", [](Pdu& pdu) { pdu.header[8] = 0xc0; }, "login.isid"},
    {"login2", [](Pdu& pdu) { pdu.header[8] = 0x81; }, "login.isid"},
    {"login2", set(field::cid, 2), "login.same_cid"},
    {"login2", set(field::tsih, 2), "login.same_tsih"},
    {"login2", set(field::csg, 0), "login.stage_order login.response_stage keys.security_stage"},
    {"login1.answer", set(field::nsg, 3),
     "login.only_in_login login.once login.stage_order "
     "login.response_stage login.next_stage_asked "
     "login.tsih_at_the_end command.not_final "
     "data_out.unsolicited data_out.whole_first_burst keys.leading_only"},
    {"login1.answer", set(field::tsih, 4), "login.tsih_at_the_end"},
    {"login2.answer", set(field::tsih, 0), "login.tsih_at_the_end"},
    {"login2.answer", set(field::csg, 0), "login.response_stage keys.security_stage"},
    {"login1.answer", add(field::exp_cmd_sn, -1), "login.exp_cmd_sn"},
    {"login1.answer", set(field::continues, 1),
     "login.response_continues text.request_while_continued"},
    // Commands.
    {"short", set(field::initiator_task_tag, 10), "response.of_living_task"},
    {"read", set(field::read, 0), "command.direction data_in.of_a_read"},
    {"read", set(field::final, 0), "command.final_or_write command.not_final"},
    {"write", resize(1028),
     "form.data_fits_receiver command.immediate_data_fits data_out.offset "
     "data_out.first_burst data_out.whole_first_burst r2t.order"},
    {"solicited13", set(field::final, 0), "r2t.order"},
    // Data-In.
    {"read.data2", add(field::data_sn, 1), "data_in.data_sn"},
    {"read.data2", add(field::buffer_offset, 4), "data_in.offset data_in.expected_length"},
    {"read.data1", set(field::acknowledge, 1), "data_in.no_ack_at_level_0 data_in.tag_with_ack"},
    {"read.data2", set(field::final, 0), "data_in.status_final"},
    {"read.data2", set(field::scsi_status, 2), "data_in.status_good"},
    {"read.data1", set(field::target_transfer_tag, 3),
     "data_in.tag_with_ack data_in.lun_of_command"},
    {"read.data1", set(field::lun, 3), "data_in.lun_reserved"},
    {"read.data1", resize(510), "data_in.offset data_in.words response.short_read"},
    // R2T.
    {"write.r2t", set(field::target_transfer_tag, wire::kReservedTag), "data_out.tag r2t.tag"},
    {"write.r2t", set(field::desired_length, 0), "data_out.range data_out.final r2t.length"},
    {"write.r2t", set(field::r2t_sn, 1), "r2t.r2t_sn"},
    {"write.r2t", set(field::lun, 2), "r2t.lun"},
    // Data-Out.
    {"write.unsolicited", set(field::data_sn, 1), "data_out.data_sn"},
    {"write.data2", set(field::data_sn, 0), "data_out.data_sn"},
    {"write.data1", add(field::buffer_offset, 4), "data_out.offset"},
    {"write.data2", set(field::final, 0), "data_out.final"},
    {"write.data1", set(field::final, 1), "data_out.tag data_out.whole_range"},
    {"write.unsolicited", resize(508), "data_out.whole_first_burst r2t.order"},
    {"write.unsolicited", set(field::lun, 1), "data_out.lun_reserved"},
    {"write.data1", set(field::lun, 0), "data_out.lun_of_command"},
    {"solicited13.data",
     both(set(field::initiator_task_tag, 14), set(field::target_transfer_tag, 114)),
     "data_out.tag data_out.r2t_order"},
    // Responses.
    {"short.status", set(field::residual, 217), "response.residual"},
    {"short.status", set(field::overflow, 1), "response.residual_bits"},
    {"short.status", both(set(field::underflow, 0), set(field::residual, 0)),
     "response.short_read"},
    {"short.status", set(field::exp_data_sn, 2), "response.exp_data_sn"},
    {"write.status", set(field::exp_data_sn, 1), "response.exp_data_sn"},
    {"bad.status", set(field::response, 1), "response.residual_bits_zero"},
    {"bad.status", resize(0), "response.sense"},
    {"write.status", set(field::initiator_task_tag, 99), "response.of_living_task"},
    {"write.status", set(field::initiator_task_tag, 10), "response.one_status"},
    {"reset.answer",
     [](Pdu& pdu) {
       const Pdu late = pdu;
       pdu = Pdu(Opcode::scsi_response);
       pdu.header = late.header;
       pdu.header[0] = 0x21;
       pdu.set(field::initiator_task_tag, 16);
     },
     "response.nothing_after_abort"},
    // Task management.
    {"abort", add(field::ref_cmd_sn, 1), "management.ref_cmd_sn"},
    {"reset", set(field::referenced_task_tag, 16), "management.no_referenced_tag"},
    {"abort.answer", set(field::initiator_task_tag, 98), "management.answer"},
    // NOPs.
    {"pong.answer", set(field::target_transfer_tag, 6), "nop_out.answers_ping"},
    {"pong.answer", set(field::lun, 0), "nop_out.lun"},
    {"ping.answer", set(field::initiator_task_tag, 21), "nop_in.tag"},
    {"ping.answer", set(field::target_transfer_tag, 1), "nop_in.transfer_tag"},
    {"ping.answer", resize(32), "nop_in.data"},
    {"pong", resize(4), "nop_in.unasked_bare"},
    {"ping.answer", set(field::lun, 1), "nop.lun_reserved"},
    // Text.
    {"ask.part", set(field::final, 1), "text.response_continues text.tag_with_final"},
    {"ask.part", set(field::target_transfer_tag, wire::kReservedTag),
     "text.copies_transfer_tag text.tag_with_final"},
    {"ask.more", resize(4), "text.request_while_continued keys.format"},
    {"ask.more", set(field::initiator_task_tag, 31), "text.same_tag"},
    {"ask.more", set(field::target_transfer_tag, 89), "text.copies_transfer_tag"},
    {"ask.last", set(field::target_transfer_tag, 7), "text.tag_with_final"},
};

/// What wrong_digests_are_seen breaks.
constexpr const char* kBrokenByDigests =
    "form.header_digest form.data_digest form.padding_zero_under_digest";

}  // namespace

BOOST_AUTO_TEST_SUITE(rules)

BOOST_AUTO_TEST_CASE(every_clause_exists) {
  const auto catalogue = catalogue::Catalogue::load(catalogue::built_in_sources());
  BOOST_REQUIRE(catalogue.has_value());
  std::set<std::string_view> names;
  for (const Rule& rule : all_rules()) {
    BOOST_TEST(names.insert(rule.name).second, "rule " << rule.name << " is there twice");
    BOOST_TEST(!rule.clauses[0].empty(), rule.name << " names no clause");
    for (std::string_view id : rule.clauses) {
      if (id.empty()) continue;
      const catalogue::Clause* clause = catalogue->find(id);
      BOOST_TEST(clause, rule.name << " names " << id << ", which the catalogue does not know");
      if (!clause) continue;
      const bool told =
          clause->check != catalogue::Check::none &&
          std::ranges::all_of(clause->not_testable, [&](const auto& of) {
            return rule.party ==
                   (of.first == catalogue::Party::target ? Judged::initiator : Judged::target);
          });
      BOOST_TEST(told, rule.name << " judges " << id << ", which it says nobody can tell");
    }
  }
}

// A rule that no test breaks may as well not be there.
BOOST_AUTO_TEST_CASE(every_rule_is_broken_by_a_test) {
  std::string broken = kBrokenByDigests;
  for (const Row& row : kRows) broken += std::string(" ") + row.broken;
  broken += broken_by_exchange_test() + broken_by_keys_test() + broken_by_recovery_test() +
            broken_by_again_test() + broken_by_markers_test();
  std::istringstream words(broken);
  const std::set<std::string> seen{std::istream_iterator<std::string>(words), {}};
  for (const Rule& rule : all_rules())
    BOOST_TEST(seen.contains(std::string(rule.name)), "no test breaks " << rule.name);
}

BOOST_AUTO_TEST_CASE(a_good_conversation_breaks_nothing) {
  for (bool digests : {false, true})
    for (bool discovery : {false, true}) {
      Story story;
      story.digests = digests;
      story.discovery = discovery;
      BOOST_TEST(story.broken() == "");
      BOOST_TEST(story.judge().pdus == (discovery ? 10u : 41u));
    }
}

BOOST_AUTO_TEST_CASE(each_breach_is_seen_by_its_rule) {
  for (const Row& row : kRows) {
    Story story;
    story.changes[row.label] = row.change;
    const std::string broken = story.broken();
    BOOST_TEST(broken == row.broken,
               row.label << ": expected \"" << row.broken << "\", got \"" << broken << "\"");
  }
}

BOOST_AUTO_TEST_CASE(wrong_digests_are_seen) {
  Story header;
  header.digests = true;
  header.spoils["pong"].spoil_header = true;
  BOOST_TEST(header.broken() == "form.header_digest nop_out.answers_ping");
  Story padding;
  padding.digests = true;
  padding.changes["short.data"] = [](Pdu& pdu) { pdu.padding_is_zero = false; };
  BOOST_TEST(padding.broken() ==
             "form.padding_zero form.padding_zero_under_digest form.data_digest");
  Story data;
  data.digests = true;
  data.spoils["read.data1"].spoil_data = true;
  BOOST_TEST(data.broken() == "form.data_digest");
}

BOOST_AUTO_TEST_SUITE_END()
