// Sense data: why a command did not end well, in both of SPC's formats.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace tsihd::scsi {

enum class SenseKey : std::uint8_t {
  no_sense = 0x0,
  not_ready = 0x2,
  medium_error = 0x3,
  hardware_error = 0x4,
  illegal_request = 0x5,
  unit_attention = 0x6,
  data_protect = 0x7,
  copy_aborted = 0xa,
  aborted_command = 0xb,
  miscompare = 0xe,
};

/// A sense key, an additional sense code and its qualifier (ASC in the high byte), and what SPC
/// lets a device server add.
struct Sense {
  SenseKey key = SenseKey::no_sense;
  std::uint16_t code = 0;
  /// The INFORMATION field: the first LBA in error, or the offset of a miscompare.
  std::optional<std::uint64_t> information = std::nullopt;
  /// FIELD POINTER: the offset of the byte at fault, in the CDB or in the parameter list. With
  /// COPY ABORTED it is the segment pointer (SPC-4 4.5.2.4.5), counted from the list's first byte.
  std::optional<std::uint16_t> field = std::nullopt;
  bool field_in_cdb = true;
  /// PROGRESS INDICATION, in 65536ths; never together with `field`.
  std::optional<std::uint16_t> progress = std::nullopt;
  /// COMMAND-SPECIFIC INFORMATION of a copy: the number of the segment descriptor at fault.
  std::optional<std::uint16_t> segment = std::nullopt;
  /// What the source or the destination of a copy answered, passed on as it came (SPC-4 5.16.7.4).
  struct Forwarded {
    bool from_destination = false;
    std::uint8_t status = 0;
    std::span<const std::byte> sense = {};  ///< valid as long as the copy's command is
  };
  std::optional<Forwarded> forwarded = std::nullopt;
};

namespace sense {
inline constexpr Sense kNone{};
inline constexpr Sense kUnitStopped{SenseKey::not_ready, 0x0402};
inline constexpr Sense kPortInStandby{SenseKey::not_ready, 0x040b};
inline constexpr Sense kPortUnavailable{SenseKey::not_ready, 0x040c};
inline constexpr Sense kSanitizeInProgress{SenseKey::not_ready, 0x041b};
inline constexpr Sense kSanitizeFailed{SenseKey::medium_error, 0x3103};
inline constexpr Sense kCommunicationFailure{SenseKey::hardware_error, 0x0800};
inline constexpr Sense kCommunicationTimeOut{SenseKey::aborted_command, 0x0801};
inline constexpr Sense kWriteError{SenseKey::medium_error, 0x0c00};
inline constexpr Sense kUnrecoveredReadError{SenseKey::medium_error, 0x1100};
inline constexpr Sense kMiscompare{SenseKey::miscompare, 0x1d00};
inline constexpr Sense kInternalTargetFailure{SenseKey::hardware_error, 0x4400};
inline constexpr Sense kOperationInProgress{SenseKey::illegal_request, 0x0016};
inline constexpr Sense kParameterListLength{SenseKey::illegal_request, 0x1a00};
inline constexpr Sense kInvalidOpcode{SenseKey::illegal_request, 0x2000};
inline constexpr Sense kLbaOutOfRange{SenseKey::illegal_request, 0x2100};
inline constexpr Sense kInvalidFieldInCdb{SenseKey::illegal_request, 0x2400};
inline constexpr Sense kUnitNotSupported{SenseKey::illegal_request, 0x2500};
inline constexpr Sense kUnsupportedTokenType{SenseKey::illegal_request, 0x2301};
inline constexpr Sense kTokenUnknown{SenseKey::illegal_request, 0x2304};
inline constexpr Sense kTokenRevoked{SenseKey::illegal_request, 0x2306};
inline constexpr Sense kInvalidTokenLength{SenseKey::illegal_request, 0x230a};
inline constexpr Sense kInvalidFieldInParameters{SenseKey::illegal_request, 0x2600};
inline constexpr Sense kInvalidRelease{SenseKey::illegal_request, 0x2604};
inline constexpr Sense kTooManyCscdDescriptors{SenseKey::illegal_request, 0x2606};
inline constexpr Sense kUnsupportedCscdDescriptor{SenseKey::illegal_request, 0x2607};
inline constexpr Sense kTooManySegmentDescriptors{SenseKey::illegal_request, 0x2608};
inline constexpr Sense kUnsupportedSegmentDescriptor{SenseKey::illegal_request, 0x2609};
inline constexpr Sense kInlineDataLengthExceeded{SenseKey::illegal_request, 0x260b};
inline constexpr Sense kSavingNotSupported{SenseKey::illegal_request, 0x3900};
inline constexpr Sense kInvalidMessage{SenseKey::illegal_request, 0x4900};
inline constexpr Sense kInsufficientRegistrations{SenseKey::illegal_request, 0x5504};
inline constexpr Sense kNoResourcesForToken{SenseKey::illegal_request, 0x550d};
inline constexpr Sense kCopyAborted{SenseKey::copy_aborted, 0x0000};
inline constexpr Sense kUnreachableCopyTarget{SenseKey::copy_aborted, 0x0804};
inline constexpr Sense kThirdPartyDeviceFailure{SenseKey::copy_aborted, 0x0d01};
inline constexpr Sense kCopyTargetNotReachable{SenseKey::copy_aborted, 0x0d02};
inline constexpr Sense kIncorrectCopyTargetType{SenseKey::copy_aborted, 0x0d03};
inline constexpr Sense kUnexpectedInexactSegment{SenseKey::copy_aborted, 0x260a};
inline constexpr Sense kCapacityDataHasChanged{SenseKey::unit_attention, 0x2a09};
inline constexpr Sense kWriteProtected{SenseKey::data_protect, 0x2700};
inline constexpr Sense kSoftwareWriteProtected{SenseKey::data_protect, 0x2702};
inline constexpr Sense kSpaceAllocationFailed{SenseKey::data_protect, 0x2707};

/// INVALID FIELD IN CDB that points at the byte.
constexpr Sense invalid_cdb_field(std::uint16_t byte) {
  Sense it = kInvalidFieldInCdb;
  it.field = byte;
  return it;
}
/// The same sense, pointing at a byte of the parameter list; INVALID FIELD IN PARAMETER LIST that
/// does.
constexpr Sense at_parameter(Sense it, std::uint16_t byte) {
  it.field = byte;
  it.field_in_cdb = false;
  return it;
}
constexpr Sense invalid_parameter(std::uint16_t byte) {
  return at_parameter(kInvalidFieldInParameters, byte);
}
constexpr Sense with_information(Sense it, std::uint64_t information) {
  it.information = information;
  return it;
}
}  // namespace sense

/// Writes `sense` in descriptor (D_SENSE set) or fixed format; returns its length, 18..96 bytes:
/// what is forwarded is cut where there is no more room.
/// An information value above 32 bits does not fit the fixed format and is left out there.
std::uint8_t write_sense(std::array<std::byte, 96>& to, const Sense& sense, bool descriptor_format);

}  // namespace tsihd::scsi
