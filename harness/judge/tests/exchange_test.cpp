// Red when: what a single exchange must look like (logins, commands, data, text) is not seen to be
// broken where the conversation of rules_test.cpp does not come by.
#include <boost/test/unit_test.hpp>

#include "harness/judge/tests/dialogue.h"

using namespace tsih;
using namespace tsih::judge;
using namespace tsih::judge::testing;

namespace {

const TextKeys kUnsolicited{{"InitialR2T", "No"},         {"ImmediateData", "Yes"},
                            {"FirstBurstLength", "1024"}, {"MaxBurstLength", "1024"},
                            {"MaxConnections", "4"},      {"MaxRecvDataSegmentLength", "8192"}};

Pdu login_request(unsigned stage) {
  Pdu pdu(Opcode::login_request);
  pdu.set(field::immediate, 1).set(field::csg, stage).set(field::isid, 1).set(field::cid, 1);
  pdu.set(field::initiator_task_tag, 1);
  pdu.data =
      wire::encode_text({{"InitiatorName", "iqn.2026-01.a:i"}, {"TargetName", "iqn.2026-01.a:t"}});
  return pdu;
}

Pdu login_response(unsigned stage) {
  Pdu pdu(Opcode::login_response);
  pdu.set(field::csg, stage).set(field::isid, 1).set(field::initiator_task_tag, 1);
  pdu.set(field::stat_sn, 100);
  pdu.data = wire::encode_text({{"TargetPortalGroupTag", "1"}});
  return pdu;
}

/// A login whose first response is changed, and a second request.
void answered(Dialogue& d, const Pdu& response) {
  d.connect(50000);
  d.initiator(login_request(kOperational));
  d.target(response);
}

Pdu again(unsigned stage) {
  Pdu pdu = login_request(stage);
  pdu.data.clear();
  return pdu.set(field::exp_stat_sn, 101);
}

Pdu redirection(const char* address) {
  Pdu pdu(Opcode::login_response);
  pdu.set(field::isid, 1).set(field::status, 0x0101);
  if (*address) pdu.data = wire::encode_text({{"TargetAddress", address}});
  return pdu;
}

Pdu data_out(Dialogue& d, std::uint32_t tag, std::uint32_t offset, std::size_t bytes) {
  Pdu pdu = d.request(Opcode::data_out, tag, true);
  pdu.set(field::immediate, 0).set(field::cmd_sn, 0);
  pdu.set(field::target_transfer_tag, wire::kReservedTag).set(field::buffer_offset, offset);
  pdu.data.assign(bytes, 1);
  return pdu;
}

Pdu text(Dialogue& d, std::uint32_t tag) {
  Pdu pdu = d.request(Opcode::text_request, tag);
  pdu.data = wire::encode_text({{"SendTargets", ""}});
  return pdu.set(field::target_transfer_tag, wire::kReservedTag);
}

const Tale kTales[] = {
    // The login.
    {"something else first",
     [](Dialogue& d) {
       d.connect(3260);
       d.initiator(
           d.request(Opcode::nop_out, 5).set(field::target_transfer_tag, wire::kReservedTag));
       d.initiator(login_request(kOperational));
     },
     "login.first_pdu"},
    {"other versions later",
     [](Dialogue& d) {
       answered(d, login_response(kOperational));
       d.initiator(again(kOperational).set(field::version_min, 1).set(field::version_max, 1));
       d.target(login_response(kOperational)
                    .set(field::version_max, 1)
                    .set(field::version_active, 1)
                    .set(field::stat_sn, 101));
     },
     "login.version login.same_version_max login.same_version_min login.same_target_version_max "
     "login.same_version_active login.version_of_target"},
    {"a login in no stage",
     [](Dialogue& d) {
       d.connect(50000);
       d.initiator(login_request(kFullFeature));
     },
     "login.stage"},
    {"a stage that leads back",
     [](Dialogue& d) {
       d.connect(50000);
       d.initiator(login_request(kOperational).set(field::transit, 1).set(field::nsg, 1));
     },
     "login.next_stage"},
    {"a next stage without T",
     [](Dialogue& d) {
       d.connect(50000);
       d.initiator(login_request(kOperational).set(field::nsg, 3));
     },
     "login.next_stage_reserved"},
    {"T that nobody asked for",
     [](Dialogue& d) {
       answered(d, login_response(kOperational)
                       .set(field::transit, 1)
                       .set(field::nsg, 3)
                       .set(field::tsih, 1));
     },
     "login.transit_asked"},
    {"a redirection to nowhere", [](Dialogue& d) { answered(d, redirection("")); },
     "login.redirection"},
    {"a redirection with a group", [](Dialogue& d) { answered(d, redirection("10.0.0.1:3260,1")); },
     "login.redirection_address"},
    {"more behind a refusal",
     [](Dialogue& d) {
       answered(d, Pdu(Opcode::login_response).set(field::isid, 1).set(field::status, 0x0200));
       d.initiator(again(kOperational).set(field::exp_stat_sn, 0));
     },
     "login.ends_when_refused"},
    {"C beside T",
     [](Dialogue& d) {
       d.connect(50000);
       d.initiator(login_request(kOperational)
                       .set(field::transit, 1)
                       .set(field::nsg, 3)
                       .set(field::continues, 1));
     },
     "login.request_continues"},
    {"text for a request that goes on",
     [](Dialogue& d) {
       d.connect(50000);
       d.initiator(login_request(kOperational).set(field::continues, 1));
       d.target(login_response(kOperational));
     },
     "text.response_while_continued"},
    {"a Login Response that is too long",
     [](Dialogue& d) {
       d.log_in();
       Pdu in = d.response(Opcode::text_response, 700);
       in.data = wire::encode_text({{"X-a", std::string(9000, 'x')}});
       d.initiator(text(d, 700));
       d.target(in.set(field::target_transfer_tag, wire::kReservedTag));
     },
     "form.text_response_fits_receiver numbering.exp_stat_sn"},
    {"a target that opens the connection",
     [](Dialogue& d) {
       d.connect(50000);
       d.target(login_request(kOperational));
     },
     "closing.opened_by_initiator"},
    // Commands and data.
    {"an opcode of the other side",
     [](Dialogue& d) {
       d.log_in();
       Pdu out(Opcode::r2t);
       d.initiator(out.set(field::final, 1));
     },
     "form.opcode_of_the_side"},
    {"a number beyond the window",
     [](Dialogue& d) {
       d.log_in();
       for (std::uint32_t tag = 10; tag < 20; ++tag) d.initiator(d.read(tag, 512));
     },
     "numbering.window"},
    {"a tag twice",
     [](Dialogue& d) {
       d.log_in();
       d.initiator(d.read(10, 512));
       d.initiator(d.read(10, 512));
     },
     "command.tag_unique"},
    {"all data, and F clear",
     [](Dialogue& d) {
       d.log_in(kUnsolicited, kUnsolicited);
       Pdu command = d.write(10, 512);
       command.data.assign(512, 1);
       d.initiator(command.set(field::final, 0));
     },
     "command.final_with_all_data"},
    {"immediate data that was not agreed",
     [](Dialogue& d) {
       d.log_in({{"ImmediateData", "No"}}, {{"ImmediateData", "No"}});
       Pdu command = d.write(10, 512);
       command.data.assign(512, 1);
       d.initiator(command);
     },
     "command.immediate_data_agreed"},
    {"immediate data of a read",
     [](Dialogue& d) {
       d.log_in();
       Pdu command = d.read(10, 512);
       command.data.assign(512, 1);
       d.initiator(command);
     },
     "command.immediate_data_of_write"},
    {"a burst that is too long",
     [](Dialogue& d) {
       d.log_in(kUnsolicited, kUnsolicited);
       d.initiator(d.read(10, 2048));
       for (std::uint32_t i = 0; i < 3; ++i) d.target(d.data_in(10, i, i * 512));
     },
     "data_in.burst"},
    {"a status of a bidirectional command in Data-In",
     [](Dialogue& d) {
       d.log_in();
       Pdu command = d.write(10, 512);
       command.set(field::read, 1);
       command.ahs = {0, 5, 2, 0, 0, 0, 2, 0};
       d.initiator(command);
       Pdu in = d.response(Opcode::data_in, 10);
       in.set(field::target_transfer_tag, wire::kReservedTag).set(field::has_status, 1);
       in.data.assign(512, 1);
       d.target(in);
     },
     "data_in.bidirectional_status"},
    {"acknowledgements asked for too often",
     [](Dialogue& d) {
       const TextKeys keys{{"ErrorRecoveryLevel", "1"}, {"MaxBurstLength", "4096"}};
       d.log_in(keys, keys);
       d.initiator(d.read(10, 4096));
       for (std::uint32_t i = 0; i < 2; ++i)
         d.target(d.data_in(10, i, i * 512)
                      .set(field::acknowledge, 1)
                      .set(field::lun, kLun)
                      .set(field::target_transfer_tag, 70 + i));
     },
     "data_in.ack_spacing"},
    {"unsolicited data in another order",
     [](Dialogue& d) {
       d.log_in(kUnsolicited, kUnsolicited);
       d.initiator(d.write(10, 1024).set(field::final, 0));
       d.initiator(d.write(11, 1024).set(field::final, 0));
       d.initiator(data_out(d, 11, 0, 1024));
     },
     "data_out.command_order"},
    {"data that the command has not, and not in words",
     [](Dialogue& d) {
       d.log_in(kUnsolicited, kUnsolicited);
       d.initiator(d.write(10, 512).set(field::final, 0));
       d.initiator(data_out(d, 10, 0, 514).set(field::final, 0));
     },
     "data_out.expected_length data_out.words"},
    {"data and answers on another connection",
     [](Dialogue& d) {
       d.log_in(kUnsolicited, kUnsolicited);
       d.initiator(d.write(10, 1024).set(field::final, 0));
       d.initiator(d.read(11, 512));
       d.connect(50001, 2);
       d.asked_handle = d.handle;
       d.log_in();
       d.initiator(data_out(d, 10, 0, 1024));
       d.target(d.data_in(11, 0, 0, true));
     },
     "data_out.connection response.connection"},
    {"an R2T beyond the command",
     [](Dialogue& d) {
       d.log_in();
       d.initiator(d.write(10, 512));
       d.target(d.r2t(10, 0, 0, 1024));
     },
     "r2t.range"},
    {"both bits of a bidirectional residual",
     [](Dialogue& d) {
       d.log_in();
       d.initiator(d.read(10, 512));
       d.target(d.data_in(10, 0, 0, true));
       d.target(d.response(Opcode::scsi_response, 10)
                    .set(field::exp_data_sn, 1)
                    .set(field::bidi_overflow, 1)
                    .set(field::bidi_underflow, 1));
     },
     "response.bidirectional_bits"},
    {"an untagged NOP-Out that is not immediate",
     [](Dialogue& d) {
       d.log_in();
       d.initiator(d.request(Opcode::nop_out, wire::kReservedTag)
                       .set(field::target_transfer_tag, wire::kReservedTag));
     },
     "nop_out.untagged_immediate"},
    // Text and logout.
    {"C beside F",
     [](Dialogue& d) {
       d.log_in();
       d.initiator(text(d, 700).set(field::continues, 1));
     },
     "text.request_continues"},
    {"two Text Requests",
     [](Dialogue& d) {
       d.log_in();
       d.initiator(text(d, 700));
       d.initiator(text(d, 701));
     },
     "text.one_request"},
    {"F for a request without, and I that changes",
     [](Dialogue& d) {
       d.log_in();
       d.initiator(text(d, 700).set(field::final, 0));
       d.target(d.response(Opcode::text_response, 700)
                    .set(field::final, 0)
                    .set(field::target_transfer_tag, 5));
       Pdu more = d.request(Opcode::text_request, 700, true);
       d.initiator(more.set(field::target_transfer_tag, 5).set(field::final, 0));
       d.target(d.response(Opcode::text_response, 700)
                    .set(field::target_transfer_tag, wire::kReservedTag));
     },
     "text.same_immediate text.final_answers_final"},
    {"a command behind the Logout Request, more behind its response",
     [](Dialogue& d) {
       d.log_in();
       d.initiator(d.request(Opcode::logout_request, 20, true));
       d.initiator(d.read(10, 512));
       d.target(d.response(Opcode::logout_response, 20));
       d.target(d.data_in(10, 0, 0));
     },
     "logout.no_new_request logout.closes"},
    {"a Logout Response to nobody",
     [](Dialogue& d) {
       d.log_in();
       d.target(d.response(Opcode::logout_response, 20));
     },
     "logout.answer"},
};

}  // namespace

std::string tsih::judge::testing::broken_by_exchange_test() { return rules_in(kTales); }

BOOST_AUTO_TEST_SUITE(exchange)

BOOST_AUTO_TEST_CASE(tales) { check(kTales); }

BOOST_AUTO_TEST_SUITE_END()
