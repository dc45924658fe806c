// The typed headers: fields where RFC 3720 section 10 draws them; AHS; serial numbers.
#include "target/wire/pdu.h"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "target/wire/serial.h"
#include "target/wire/writer.h"

namespace tsihd::wire {
namespace {

template <Bhs T>
std::array<std::uint8_t, kBhsBytes> bytes_of(const T& bhs) {
  std::array<std::uint8_t, kBhsBytes> bytes;
  std::memcpy(bytes.data(), &bhs, kBhsBytes);
  return bytes;
}

template <class T>
std::size_t offset_of(const T& bhs, const void* field) {
  return static_cast<std::size_t>(static_cast<const char*>(field) -
                                  reinterpret_cast<const char*>(&bhs));
}

// Red when: a field is at the wrong offset. Offsets are the diagrams' byte numbers.
BOOST_AUTO_TEST_CASE(fields_are_where_section_10_draws_them) {
  const ScsiCommandBhs command;
  BOOST_TEST(offset_of(command, &command.lun) == 8u);
  BOOST_TEST(offset_of(command, &command.initiator_task_tag) == 16u);
  BOOST_TEST(offset_of(command, &command.expected_data_transfer_bytes) == 20u);
  BOOST_TEST(offset_of(command, &command.cmd_sn) == 24u);
  BOOST_TEST(offset_of(command, &command.exp_stat_sn) == 28u);
  BOOST_TEST(offset_of(command, &command.cdb) == 32u);
  const ScsiResponseBhs response;
  BOOST_TEST(offset_of(response, &response.snack_tag) == 20u);
  BOOST_TEST(offset_of(response, &response.stat_sn) == 24u);
  BOOST_TEST(offset_of(response, &response.exp_data_sn) == 36u);
  BOOST_TEST(offset_of(response, &response.residual_bytes) == 44u);
  const TaskManagementRequestBhs management;
  BOOST_TEST(offset_of(management, &management.referenced_task_tag) == 20u);
  BOOST_TEST(offset_of(management, &management.ref_cmd_sn) == 32u);
  const DataOutBhs out;
  BOOST_TEST(offset_of(out, &out.target_transfer_tag) == 20u);
  BOOST_TEST(offset_of(out, &out.exp_stat_sn) == 28u);
  BOOST_TEST(offset_of(out, &out.data_sn) == 36u);
  BOOST_TEST(offset_of(out, &out.buffer_offset_bytes) == 40u);
  const DataInBhs in;
  BOOST_TEST(offset_of(in, &in.stat_sn) == 24u);
  BOOST_TEST(offset_of(in, &in.data_sn) == 36u);
  BOOST_TEST(offset_of(in, &in.residual_bytes) == 44u);
  const R2tBhs r2t;
  BOOST_TEST(offset_of(r2t, &r2t.r2t_sn) == 36u);
  BOOST_TEST(offset_of(r2t, &r2t.desired_data_transfer_bytes) == 44u);
  const AsyncMessageBhs async;
  BOOST_TEST(offset_of(async, &async.async_event) == 36u);
  BOOST_TEST(offset_of(async, &async.parameter_3) == 42u);
  const LoginRequestBhs login;
  BOOST_TEST(offset_of(login, &login.isid) == 8u);
  BOOST_TEST(offset_of(login, &login.tsih) == 14u);
  BOOST_TEST(offset_of(login, &login.cid) == 20u);
  BOOST_TEST(offset_of(login, &login.cmd_sn) == 24u);
  const LoginResponseBhs reply;
  BOOST_TEST(offset_of(reply, &reply.tsih) == 14u);
  BOOST_TEST(offset_of(reply, &reply.status_class) == 36u);
  BOOST_TEST(offset_of(reply, &reply.status_detail) == 37u);
  const LogoutRequestBhs logout;
  BOOST_TEST(offset_of(logout, &logout.cid) == 20u);
  const LogoutResponseBhs bye;
  BOOST_TEST(offset_of(bye, &bye.time2wait_s) == 40u);
  BOOST_TEST(offset_of(bye, &bye.time2retain_s) == 42u);
  const SnackRequestBhs snack;
  BOOST_TEST(offset_of(snack, &snack.beg_run) == 40u);
  const RejectBhs reject;
  BOOST_TEST(offset_of(reject, &reject.data_sn) == 36u);
}

// Red when: integers are not big-endian, or 24-bit lengths spill into their neighbour.
BOOST_AUTO_TEST_CASE(integers_are_big_endian) {
  LoginResponseBhs bhs;
  bhs.data_segment_bytes = 0x123456;
  bhs.tsih = 0xabcd;
  bhs.stat_sn = 0x01020304;
  const auto bytes = bytes_of(bhs);
  BOOST_TEST(bytes[4] == 0);
  BOOST_TEST((bytes[5] == 0x12 && bytes[6] == 0x34 && bytes[7] == 0x56));
  BOOST_TEST((bytes[14] == 0xab && bytes[15] == 0xcd));
  BOOST_TEST((bytes[24] == 1 && bytes[25] == 2 && bytes[26] == 3 && bytes[27] == 4));
  BOOST_TEST(bhs.data_segment_bytes == 0x123456u);
}

// R3720-10-01: a response as it is made has its opcode, the F bit where it is constant, the
// reserved tags, and zeroes. Red when a constructor forgets one.
BOOST_AUTO_TEST_CASE(new_responses_are_well_formed) {
  const auto check = [](const auto& bhs, int opcode, int flags) {
    const auto bytes = bytes_of(bhs);
    BOOST_TEST(bytes[0] == opcode);
    BOOST_TEST(bytes[1] == flags);
    for (std::size_t i : {2u, 3u, 4u, 5u, 6u, 7u, 8u, 15u, 24u, 28u, 32u, 36u, 44u, 47u})
      BOOST_TEST(bytes[i] == 0);
  };
  check(NopInBhs{}, 0x20, 0x80);
  check(ScsiResponseBhs{}, 0x21, 0x80);
  check(TaskManagementResponseBhs{}, 0x22, 0x80);
  check(LoginResponseBhs{}, 0x23, 0);
  check(TextResponseBhs{}, 0x24, 0);
  check(DataInBhs{}, 0x25, 0);
  check(LogoutResponseBhs{}, 0x26, 0x80);
  check(R2tBhs{}, 0x31, 0x80);
  check(AsyncMessageBhs{}, 0x32, 0x80);
  check(RejectBhs{}, 0x3f, 0x80);
  BOOST_TEST(NopInBhs{}.initiator_task_tag == kReservedTag);
  BOOST_TEST(RejectBhs{}.initiator_task_tag == kReservedTag);
  BOOST_TEST(AsyncMessageBhs{}.initiator_task_tag == kReservedTag);
}

BOOST_AUTO_TEST_CASE(login_flags) {
  LoginRequestBhs bhs;
  bhs.flags = LoginFlags::kTransit | LoginFlags::stages(Stage::operational, Stage::full_feature);
  BOOST_TEST(bhs.flags == 0x87);
  BOOST_TEST((bhs.transit() && !bhs.continues()));
  BOOST_TEST((bhs.current_stage() == Stage::operational));
  BOOST_TEST((bhs.next_stage() == Stage::full_feature));
}

// R3720-10.2.2: AHS chains; one that claims more than there is ends the walk.
BOOST_AUTO_TEST_CASE(additional_header_segments) {
  const auto chain = [](std::initializer_list<int> values) {
    std::vector<std::byte> bytes;
    for (int value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
  };
  const auto two = chain({0, 5, 2, 0, 0, 0, 2, 0, 0, 2, 1, 0, 0xaa, 0, 0, 0});
  std::span<const std::byte> rest(two);
  Ahs ahs;
  BOOST_TEST(next_ahs(rest, ahs));
  BOOST_TEST((ahs.type == AhsType::bidirectional_read_length && ahs.specific.size() == 5));
  BOOST_TEST(next_ahs(rest, ahs));
  BOOST_TEST((ahs.type == AhsType::extended_cdb && ahs.specific.size() == 2));
  BOOST_TEST((ahs.specific[1] == std::byte{0xaa}));
  BOOST_TEST(!next_ahs(rest, ahs));
  BOOST_TEST(rest.empty());
  const auto too_long = chain({0, 6, 2, 0, 0, 0, 2, 0});
  rest = too_long;
  BOOST_TEST(!next_ahs(rest, ahs));
  BOOST_TEST(!rest.empty());
}

// R3720-3.2.2: numbers wrap. Red when plain comparison is used.
BOOST_AUTO_TEST_CASE(serial_numbers_wrap) {
  BOOST_TEST(serial_less(0xffffffffu, 0u));
  BOOST_TEST(!serial_less(0u, 0xffffffffu));
  BOOST_TEST(!serial_less(5u, 5u));
  BOOST_TEST(serial_less_equal(5u, 5u));
  BOOST_TEST(!serial_less(0u, 0x80000000u));  // RFC 1982 leaves these two unordered
  BOOST_TEST(!serial_less(0x80000000u, 0u));
  BOOST_TEST(serial_in_window(0xfffffffeu, 0xfffffff0u, 3u));
  BOOST_TEST(serial_in_window(2u, 0xfffffff0u, 3u));
  BOOST_TEST(!serial_in_window(4u, 0xfffffff0u, 3u));
  BOOST_TEST(!serial_in_window(7u, 7u, 6u));  // a closed command window
}

}  // namespace
}  // namespace tsihd::wire
