// The wire: Basic Header Segments of RFC 3720 section 10 as typed structs of exactly 48 bytes.
// Pure: no I/O, no state, and no validation. A struct says where a field is, never whether its
// value is legal: reserved bits, lengths and tags are the session's to judge.
//
// Fields not named by the RFC are called reserved_N after their offset and start as zero, as
// 10-01 wants of a sender. Flag bits are constants of their struct and are tested and set through
// has() and the `flags` byte (BHS byte 1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "target/wire/big_endian.h"

namespace tsihd::wire {

enum class Opcode : std::uint8_t {
  // what an initiator sends
  nop_out = 0x00,
  scsi_command = 0x01,
  task_management_request = 0x02,
  login_request = 0x03,
  text_request = 0x04,
  data_out = 0x05,
  logout_request = 0x06,
  snack_request = 0x10,
  // what a target sends
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

inline constexpr std::size_t kBhsBytes = 48;
inline constexpr std::size_t kMaxAhsBytes = 255 * 4;  ///< TotalAHSLength is one byte of words
inline constexpr std::size_t kDigestBytes = 4;
inline constexpr std::uint32_t kMaxDataSegmentBytes = 0xffffff;  ///< 24 bits
inline constexpr std::uint32_t kReservedTag = 0xffffffff;        ///< "no tag", ITT and TTT alike
inline constexpr std::uint8_t kImmediateBit = 0x40;
inline constexpr std::uint8_t kOpcodeMask = 0x3f;
inline constexpr std::uint8_t kFinalBit = 0x80;

/// Bytes of padding that bring `bytes` to a multiple of four (10.1).
constexpr std::size_t padding_bytes(std::size_t bytes) { return (4 - bytes % 4) % 4; }
constexpr std::size_t padded_bytes(std::size_t bytes) { return bytes + padding_bytes(bytes); }

using Lun = std::array<std::byte, 8>;      ///< as on the wire (SAM)
using Isid = std::array<std::uint8_t, 6>;  ///< 10.12.5
using Cdb = std::array<std::uint8_t, 16>;

/// Bytes 0..7, which all BHS begin with.
struct BhsStart {
  std::uint8_t opcode_byte = 0;  ///< I bit and opcode
  std::uint8_t flags = 0;        ///< byte 1: F and what the opcode makes of the rest
  std::uint8_t specific_2 = 0;
  std::uint8_t specific_3 = 0;
  std::uint8_t total_ahs_words = 0;  ///< TotalAHSLength, in four-byte words
  U24 data_segment_bytes;            ///< DataSegmentLength, without padding

  Opcode opcode() const { return static_cast<Opcode>(opcode_byte & kOpcodeMask); }
  bool is_immediate() const { return (opcode_byte & kImmediateBit) != 0; }
  bool is_final() const { return (flags & kFinalBit) != 0; }
  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

/// Any PDU: what the opcodes have in common (10.2.1).
struct GenericBhs : BhsStart {
  Lun lun{};
  U32 initiator_task_tag;
  std::array<std::byte, 28> specific_20{};
};

/// What the request PDUs that bear a CmdSN have in common.
struct RequestBhs : BhsStart {
  Lun lun{};
  U32 initiator_task_tag;
  U32 specific_20;
  U32 cmd_sn;
  U32 exp_stat_sn;
  std::array<std::byte, 16> specific_32{};
};

/// What all response PDUs have in common.
struct ResponseBhs : BhsStart {
  Lun lun{};
  U32 initiator_task_tag;
  U32 specific_20;
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  std::array<std::byte, 12> specific_36{};
};

struct ScsiCommandBhs : BhsStart {  // 10.3
  static constexpr std::uint8_t kRead = 0x40, kWrite = 0x20, kAttributeMask = 0x07;
  ScsiCommandBhs() { opcode_byte = static_cast<std::uint8_t>(Opcode::scsi_command); }
  std::uint8_t attribute() const { return flags & kAttributeMask; }
  Lun lun{};
  U32 initiator_task_tag;
  U32 expected_data_transfer_bytes;  ///< Expected Data Transfer Length
  U32 cmd_sn;
  U32 exp_stat_sn;
  Cdb cdb{};
};

struct ScsiResponseBhs : BhsStart {  // 10.4; response() is byte 2, status byte 3
  static constexpr std::uint8_t kBidirectionalOverflow = 0x10, kBidirectionalUnderflow = 0x08,
                                kOverflow = 0x04, kUnderflow = 0x02;
  ScsiResponseBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::scsi_response);
    flags = kFinalBit;
  }
  std::uint8_t response() const { return specific_2; }
  void set_response(std::uint8_t value) { specific_2 = value; }
  std::uint8_t status() const { return specific_3; }
  void set_status(std::uint8_t value) { specific_3 = value; }
  Lun reserved_8{};
  U32 initiator_task_tag;
  U32 snack_tag;
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  U32 exp_data_sn;
  U32 bidirectional_read_residual_bytes;
  U32 residual_bytes;
};

struct TaskManagementRequestBhs : BhsStart {  // 10.5
  static constexpr std::uint8_t kFunctionMask = 0x7f;
  TaskManagementRequestBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::task_management_request);
    flags = kFinalBit;
  }
  std::uint8_t function() const { return flags & kFunctionMask; }
  Lun lun{};
  U32 initiator_task_tag;
  U32 referenced_task_tag;
  U32 cmd_sn;
  U32 exp_stat_sn;
  U32 ref_cmd_sn;
  U32 exp_data_sn;
  std::array<std::byte, 8> reserved_40{};
};

struct TaskManagementResponseBhs : BhsStart {  // 10.6
  TaskManagementResponseBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::task_management_response);
    flags = kFinalBit;
  }
  std::uint8_t response() const { return specific_2; }
  void set_response(std::uint8_t value) { specific_2 = value; }
  Lun reserved_8{};
  U32 initiator_task_tag;
  U32 reserved_20;
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  std::array<std::byte, 12> reserved_36{};
};

struct DataOutBhs : BhsStart {  // 10.7
  DataOutBhs() { opcode_byte = static_cast<std::uint8_t>(Opcode::data_out); }
  Lun lun{};
  U32 initiator_task_tag;
  U32 target_transfer_tag;
  U32 reserved_24;
  U32 exp_stat_sn;
  U32 reserved_32;
  U32 data_sn;
  U32 buffer_offset_bytes;
  U32 reserved_44;
};

struct DataInBhs : BhsStart {  // 10.7; status is byte 3
  static constexpr std::uint8_t kAcknowledge = 0x40, kOverflow = 0x04, kUnderflow = 0x02,
                                kStatus = 0x01;
  DataInBhs() { opcode_byte = static_cast<std::uint8_t>(Opcode::data_in); }
  std::uint8_t status() const { return specific_3; }
  void set_status(std::uint8_t value) { specific_3 = value; }
  Lun lun{};
  U32 initiator_task_tag;
  U32 target_transfer_tag{kReservedTag};
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  U32 data_sn;
  U32 buffer_offset_bytes;
  U32 residual_bytes;
};

struct R2tBhs : BhsStart {  // 10.8
  R2tBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::r2t);
    flags = kFinalBit;
  }
  Lun lun{};
  U32 initiator_task_tag;
  U32 target_transfer_tag;
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  U32 r2t_sn;
  U32 buffer_offset_bytes;
  U32 desired_data_transfer_bytes;  ///< Desired Data Transfer Length
};

struct AsyncMessageBhs : BhsStart {  // 10.9
  AsyncMessageBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::async_message);
    flags = kFinalBit;
  }
  Lun lun{};
  U32 initiator_task_tag{kReservedTag};
  U32 reserved_20;
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  std::uint8_t async_event = 0;
  std::uint8_t async_vcode = 0;
  U16 parameter_1;
  U16 parameter_2;
  U16 parameter_3;
  U32 reserved_44;
};

struct TextRequestBhs : BhsStart {  // 10.10
  static constexpr std::uint8_t kContinue = 0x40;
  TextRequestBhs() { opcode_byte = static_cast<std::uint8_t>(Opcode::text_request); }
  Lun lun{};
  U32 initiator_task_tag;
  U32 target_transfer_tag{kReservedTag};
  U32 cmd_sn;
  U32 exp_stat_sn;
  std::array<std::byte, 16> reserved_32{};
};

struct TextResponseBhs : BhsStart {  // 10.11
  static constexpr std::uint8_t kContinue = 0x40;
  TextResponseBhs() { opcode_byte = static_cast<std::uint8_t>(Opcode::text_response); }
  Lun lun{};
  U32 initiator_task_tag;
  U32 target_transfer_tag{kReservedTag};
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  std::array<std::byte, 12> reserved_36{};
};

/// Login stages (CSG and NSG, 10.12.3). Code 2 is reserved.
enum class Stage : std::uint8_t { security = 0, operational = 1, reserved = 2, full_feature = 3 };

/// Byte 1 of both login PDUs.
struct LoginFlags {
  static constexpr std::uint8_t kTransit = 0x80, kContinue = 0x40;
  static constexpr Stage current(std::uint8_t flags) {
    return static_cast<Stage>((flags >> 2) & 3);
  }
  static constexpr Stage next(std::uint8_t flags) { return static_cast<Stage>(flags & 3); }
  static constexpr std::uint8_t stages(Stage current, Stage next) {
    return static_cast<std::uint8_t>((static_cast<unsigned>(current) << 2) |
                                     static_cast<unsigned>(next));
  }
};

struct LoginRequestBhs : BhsStart, LoginFlags {  // 10.12; versions are bytes 2 and 3
  LoginRequestBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::login_request) | kImmediateBit;
  }
  std::uint8_t version_max() const { return specific_2; }
  std::uint8_t version_min() const { return specific_3; }
  bool transit() const { return has(kTransit); }
  bool continues() const { return has(kContinue); }
  Stage current_stage() const { return current(flags); }
  Stage next_stage() const { return next(flags); }
  Isid isid{};
  U16 tsih;
  U32 initiator_task_tag;
  U16 cid;
  U16 reserved_22;
  U32 cmd_sn;
  U32 exp_stat_sn;
  std::array<std::byte, 16> reserved_32{};
};

struct LoginResponseBhs : BhsStart, LoginFlags {  // 10.13; versions are bytes 2 and 3
  LoginResponseBhs() { opcode_byte = static_cast<std::uint8_t>(Opcode::login_response); }
  void set_version_max(std::uint8_t value) { specific_2 = value; }
  void set_version_active(std::uint8_t value) { specific_3 = value; }
  Isid isid{};
  U16 tsih;
  U32 initiator_task_tag;
  U32 reserved_20;
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  std::uint8_t status_class = 0;
  std::uint8_t status_detail = 0;
  U16 reserved_38;
  std::array<std::byte, 8> reserved_40{};
};

struct LogoutRequestBhs : BhsStart {  // 10.14
  static constexpr std::uint8_t kReasonMask = 0x7f;
  LogoutRequestBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::logout_request);
    flags = kFinalBit;
  }
  std::uint8_t reason() const { return flags & kReasonMask; }
  Lun reserved_8{};
  U32 initiator_task_tag;
  U16 cid;
  U16 reserved_22;
  U32 cmd_sn;
  U32 exp_stat_sn;
  std::array<std::byte, 16> reserved_32{};
};

struct LogoutResponseBhs : BhsStart {  // 10.15
  LogoutResponseBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::logout_response);
    flags = kFinalBit;
  }
  std::uint8_t response() const { return specific_2; }
  void set_response(std::uint8_t value) { specific_2 = value; }
  Lun reserved_8{};
  U32 initiator_task_tag;
  U32 reserved_20;
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  U32 reserved_36;
  U16 time2wait_s;
  U16 time2retain_s;
  U32 reserved_44;
};

struct SnackRequestBhs : BhsStart {  // 10.16
  static constexpr std::uint8_t kTypeMask = 0x0f;
  SnackRequestBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::snack_request);
    flags = kFinalBit;
  }
  std::uint8_t type() const { return flags & kTypeMask; }
  Lun lun{};
  U32 initiator_task_tag;
  U32 target_transfer_tag;
  U32 reserved_24;
  U32 exp_stat_sn;
  std::array<std::byte, 8> reserved_32{};
  U32 beg_run;
  U32 run_length;
};

/// Why a PDU is rejected (10.17.1).
enum class RejectReason : std::uint8_t {
  data_digest_error = 0x02,
  snack_reject = 0x03,
  protocol_error = 0x04,
  command_not_supported = 0x05,
  too_many_immediate_commands = 0x06,
  task_in_progress = 0x07,
  invalid_data_ack = 0x08,
  invalid_pdu_field = 0x09,
  long_operation_reject = 0x0a,
  negotiation_reset = 0x0b,
  waiting_for_logout = 0x0c,
};

struct RejectBhs : BhsStart {  // 10.17; reason is byte 2
  RejectBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::reject);
    flags = kFinalBit;
  }
  std::uint8_t reason() const { return specific_2; }
  void set_reason(std::uint8_t value) { specific_2 = value; }
  Lun reserved_8{};
  U32 initiator_task_tag{kReservedTag};
  U32 reserved_20;
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  U32 data_sn;  ///< DataSN or R2TSN
  U32 reserved_40;
  U32 reserved_44;
};

struct NopOutBhs : BhsStart {  // 10.18
  NopOutBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::nop_out);
    flags = kFinalBit;
  }
  Lun lun{};
  U32 initiator_task_tag;
  U32 target_transfer_tag{kReservedTag};
  U32 cmd_sn;
  U32 exp_stat_sn;
  std::array<std::byte, 16> reserved_32{};
};

struct NopInBhs : BhsStart {  // 10.19
  NopInBhs() {
    opcode_byte = static_cast<std::uint8_t>(Opcode::nop_in);
    flags = kFinalBit;
  }
  Lun lun{};
  U32 initiator_task_tag{kReservedTag};
  U32 target_transfer_tag{kReservedTag};
  U32 stat_sn;
  U32 exp_cmd_sn;
  U32 max_cmd_sn;
  std::array<std::byte, 12> reserved_36{};
};

template <class T>
concept Bhs = std::is_base_of_v<BhsStart, T> && sizeof(T) == kBhsBytes &&
              alignof(T) == 1 && std::is_trivially_copyable_v<T>;
static_assert(Bhs<GenericBhs> && Bhs<RequestBhs> && Bhs<ResponseBhs> && Bhs<ScsiCommandBhs> &&
              Bhs<ScsiResponseBhs> && Bhs<TaskManagementRequestBhs> &&
              Bhs<TaskManagementResponseBhs> && Bhs<DataOutBhs> && Bhs<DataInBhs> && Bhs<R2tBhs> &&
              Bhs<AsyncMessageBhs> && Bhs<TextRequestBhs> && Bhs<TextResponseBhs> &&
              Bhs<LoginRequestBhs> && Bhs<LoginResponseBhs> && Bhs<LogoutRequestBhs> &&
              Bhs<LogoutResponseBhs> && Bhs<SnackRequestBhs> && Bhs<RejectBhs> && Bhs<NopOutBhs> &&
              Bhs<NopInBhs>);

/// A PDU as it lies in a receive buffer: nothing is copied, so it is valid only until the reader
/// that gave it is asked for the next one.
struct Pdu {
  std::span<const std::byte> header;  ///< BHS and AHS, without the digest; at least 48 bytes
  std::span<const std::byte> data;    ///< data segment without padding and digest
  bool data_digest_ok = true;         ///< false: the digest was there and did not match

  /// The header as one opcode's struct. Does not check that opcode() is that opcode.
  template <Bhs T>
  const T& as() const {
    return *reinterpret_cast<const T*>(header.data());
  }
  const GenericBhs& bhs() const { return as<GenericBhs>(); }
  Opcode opcode() const { return bhs().opcode(); }
  bool is_immediate() const { return bhs().is_immediate(); }
  bool is_final() const { return bhs().is_final(); }
  std::uint32_t initiator_task_tag() const { return bhs().initiator_task_tag; }
  std::span<const std::byte> ahs() const { return header.subspan(kBhsBytes); }
};

/// AHS types (10.2.2.1).
enum class AhsType : std::uint8_t { extended_cdb = 1, bidirectional_read_length = 2 };

/// One Additional Header Segment (10.2.2).
struct Ahs {
  AhsType type{};
  std::span<const std::byte> specific;  ///< byte 3 on: AHSLength bytes, without padding
};

/// Takes the first AHS off `rest`. False when the segment claims more than there is (10.2.2.2) or
/// nothing is left; then `rest` is empty exactly when the chain ended where it should.
inline bool next_ahs(std::span<const std::byte>& rest, Ahs& ahs) {
  constexpr std::size_t kAhsStart = 3;  // AHSLength and AHSType
  if (rest.size() < 4) return false;
  const std::size_t length =
      std::to_integer<std::size_t>(rest[0]) << 8 | std::to_integer<std::size_t>(rest[1]);
  const std::size_t whole = padded_bytes(kAhsStart + length);
  if (whole > rest.size()) return false;
  ahs.type = static_cast<AhsType>(std::to_integer<unsigned>(rest[2]) & 0x3f);
  ahs.specific = rest.subspan(kAhsStart, length);
  rest = rest.subspan(whole);
  return true;
}

}  // namespace tsihd::wire
