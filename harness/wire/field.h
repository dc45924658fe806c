// The fields of the Basic Header Segments, written down the way the RFC's figures draw them: which
// byte, which bit of it (bit 0 is the most significant), how many bits. One table serves for
// setting, reading, printing and for knowing which bits are reserved. The target in this repository
// describes the same headers in a wholly different manner, on purpose: see harness/CMakeLists.txt.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tsih::wire {

enum class Opcode : std::uint8_t {
  nop_out = 0x00,
  scsi_command = 0x01,
  task_management_request = 0x02,
  login_request = 0x03,
  text_request = 0x04,
  data_out = 0x05,
  logout_request = 0x06,
  snack_request = 0x10,
  nop_in = 0x20,
  scsi_response = 0x21,
  task_management_response = 0x22,
  login_response = 0x23,
  text_response = 0x24,
  data_in = 0x25,
  logout_response = 0x26,
  r2t = 0x31,
  async_message = 0x32,
  reject = 0x3f,
};

/// At most 64 bits, not crossing more than eight bytes.
struct Field {
  std::string_view name;
  unsigned byte;
  unsigned bit;   ///< of that byte; 0 is the most significant
  unsigned bits;  ///< its width
  bool operator==(const Field&) const = default;
};

inline constexpr std::uint32_t kReservedTag = 0xffffffff;

namespace field {
// In every PDU (10.2.1).
inline constexpr Field immediate{"I", 0, 1, 1};
inline constexpr Field opcode{"opcode", 0, 2, 6};
inline constexpr Field final{"F", 1, 0, 1};
inline constexpr Field total_ahs_length{"TotalAHSLength", 4, 0, 8};
inline constexpr Field data_segment_length{"DataSegmentLength", 5, 0, 24};
inline constexpr Field lun{"LUN", 8, 0, 64};
inline constexpr Field initiator_task_tag{"ITT", 16, 0, 32};
inline constexpr Field target_transfer_tag{"TTT", 20, 0, 32};
// Numbering: of requests, then of responses (3.2.2).
inline constexpr Field cmd_sn{"CmdSN", 24, 0, 32};
inline constexpr Field exp_stat_sn{"ExpStatSN", 28, 0, 32};
inline constexpr Field stat_sn{"StatSN", 24, 0, 32};
inline constexpr Field exp_cmd_sn{"ExpCmdSN", 28, 0, 32};
inline constexpr Field max_cmd_sn{"MaxCmdSN", 32, 0, 32};
// Login (10.12, 10.13) and text (10.10, 10.11).
inline constexpr Field transit{"T", 1, 0, 1};
inline constexpr Field continues{"C", 1, 1, 1};
inline constexpr Field csg{"CSG", 1, 4, 2};
inline constexpr Field nsg{"NSG", 1, 6, 2};
inline constexpr Field version_max{"VersionMax", 2, 0, 8};
inline constexpr Field version_min{"VersionMin", 3, 0, 8};
inline constexpr Field version_active{"VersionActive", 3, 0, 8};
inline constexpr Field isid{"ISID", 8, 0, 48};
inline constexpr Field tsih{"TSIH", 14, 0, 16};
inline constexpr Field cid{"CID", 20, 0, 16};
inline constexpr Field status{"Status", 36, 0, 16};  ///< class in the high byte, detail in the low
// SCSI command, its response, its data (10.3, 10.4, 10.7, 10.8).
inline constexpr Field read{"R", 1, 1, 1};
inline constexpr Field write{"W", 1, 2, 1};
inline constexpr Field attribute{"ATTR", 1, 5, 3};
inline constexpr Field expected_data_transfer_length{"ExpectedDataTransferLength", 20, 0, 32};
inline constexpr Field cdb_high{"CDB0-7", 32, 0, 64};
inline constexpr Field cdb_low{"CDB8-15", 40, 0, 64};
inline constexpr Field bidi_overflow{"o", 1, 3, 1};
inline constexpr Field bidi_underflow{"u", 1, 4, 1};
inline constexpr Field overflow{"O", 1, 5, 1};
inline constexpr Field underflow{"U", 1, 6, 1};
inline constexpr Field response{"Response", 2, 0, 8};
inline constexpr Field scsi_status{"SCSIStatus", 3, 0, 8};
inline constexpr Field snack_tag{"SNACKTag", 20, 0, 32};
inline constexpr Field exp_data_sn{"ExpDataSN", 36, 0, 32};
inline constexpr Field bidi_residual{"BidiResidualCount", 40, 0, 32};
inline constexpr Field residual{"ResidualCount", 44, 0, 32};
inline constexpr Field acknowledge{"A", 1, 1, 1};
inline constexpr Field has_status{"S", 1, 7, 1};
inline constexpr Field data_sn{"DataSN", 36, 0, 32};
inline constexpr Field buffer_offset{"BufferOffset", 40, 0, 32};
inline constexpr Field r2t_sn{"R2TSN", 36, 0, 32};
inline constexpr Field desired_length{"DesiredDataTransferLength", 44, 0, 32};
// Task management, logout, reject, asynchronous message, SNACK (10.5, 10.6, 10.9, 10.14-10.17).
inline constexpr Field function{"Function", 1, 1, 7};
inline constexpr Field referenced_task_tag{"ReferencedTaskTag", 20, 0, 32};
inline constexpr Field ref_cmd_sn{"RefCmdSN", 32, 0, 32};
inline constexpr Field logout_reason{"Reason", 1, 1, 7};
inline constexpr Field time2wait{"Time2Wait", 40, 0, 16};
inline constexpr Field time2retain{"Time2Retain", 42, 0, 16};
inline constexpr Field reject_reason{"Reason", 2, 0, 8};
inline constexpr Field async_event{"AsyncEvent", 36, 0, 8};
inline constexpr Field async_vcode{"AsyncVCode", 37, 0, 8};
inline constexpr Field parameter1{"Parameter1", 38, 0, 16};
inline constexpr Field parameter2{"Parameter2", 40, 0, 16};
inline constexpr Field parameter3{"Parameter3", 42, 0, 16};
inline constexpr Field snack_type{"Type", 1, 4, 4};
inline constexpr Field beg_run{"BegRun", 40, 0, 32};
inline constexpr Field run_length{"RunLength", 44, 0, 32};
}  // namespace field

/// "Login Request"; "opcode 0x1f" has no name and gives an empty view.
std::string_view opcode_name(std::uint8_t opcode);

/// Every field that PDUs of this opcode may bear, in the order of the figure. Empty for an opcode
/// that RFC 3720 does not define.
std::span<const Field> layout(std::uint8_t opcode);

/// Bits that no field of this PDU uses: the RFC's "Reserved" (R3720-10-01, R3720-10-02). A bit that
/// is 1 in the result is reserved. Bits that are fixed to 1 by a figure count as used.
using HeaderMask = std::uint8_t[48];
void reserved_bits(std::uint8_t opcode, HeaderMask& mask);

}  // namespace tsih::wire
