// Sense data: why a command did not end well, in both of SPC's formats.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tsihd::scsi {

enum class SenseKey : std::uint8_t {
  no_sense = 0x0,
  not_ready = 0x2,
  medium_error = 0x3,
  hardware_error = 0x4,
  illegal_request = 0x5,
  unit_attention = 0x6,
  data_protect = 0x7,
  miscompare = 0xe,
};

/// A sense key, an additional sense code and its qualifier (ASC in the high byte), and what SPC
/// lets a device server add.
struct Sense {
  SenseKey key = SenseKey::no_sense;
  std::uint16_t code = 0;
  /// The INFORMATION field: the first LBA in error, or the offset of a miscompare.
  std::optional<std::uint64_t> information = std::nullopt;
  /// FIELD POINTER: the offset of the byte at fault, in the CDB or in the parameter list.
  std::optional<std::uint16_t> field = std::nullopt;
  bool field_in_cdb = true;
  /// PROGRESS INDICATION, in 65536ths; never together with `field`.
  std::optional<std::uint16_t> progress = std::nullopt;
};

namespace sense {
inline constexpr Sense kNone{};
inline constexpr Sense kSanitizeInProgress{SenseKey::not_ready, 0x041b};
inline constexpr Sense kSanitizeFailed{SenseKey::medium_error, 0x3103};
inline constexpr Sense kWriteError{SenseKey::medium_error, 0x0c00};
inline constexpr Sense kUnrecoveredReadError{SenseKey::medium_error, 0x1100};
inline constexpr Sense kMiscompare{SenseKey::miscompare, 0x1d00};
inline constexpr Sense kInternalTargetFailure{SenseKey::hardware_error, 0x4400};
inline constexpr Sense kParameterListLength{SenseKey::illegal_request, 0x1a00};
inline constexpr Sense kInvalidOpcode{SenseKey::illegal_request, 0x2000};
inline constexpr Sense kLbaOutOfRange{SenseKey::illegal_request, 0x2100};
inline constexpr Sense kInvalidFieldInCdb{SenseKey::illegal_request, 0x2400};
inline constexpr Sense kUnitNotSupported{SenseKey::illegal_request, 0x2500};
inline constexpr Sense kInvalidFieldInParameters{SenseKey::illegal_request, 0x2600};
inline constexpr Sense kInvalidRelease{SenseKey::illegal_request, 0x2604};
inline constexpr Sense kSavingNotSupported{SenseKey::illegal_request, 0x3900};
inline constexpr Sense kInvalidMessage{SenseKey::illegal_request, 0x4900};
inline constexpr Sense kInsufficientRegistrations{SenseKey::illegal_request, 0x5504};
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
/// INVALID FIELD IN PARAMETER LIST that points at the byte.
constexpr Sense invalid_parameter(std::uint16_t byte) {
  Sense it = kInvalidFieldInParameters;
  it.field = byte;
  it.field_in_cdb = false;
  return it;
}
constexpr Sense with_information(Sense it, std::uint64_t information) {
  it.information = information;
  return it;
}
}  // namespace sense

/// Writes `sense` in descriptor (D_SENSE set) or fixed format; returns its length, 18..40 bytes.
/// An information value above 32 bits does not fit the fixed format and is left out there.
std::uint8_t write_sense(std::array<std::byte, 96>& to, const Sense& sense, bool descriptor_format);

}  // namespace tsihd::scsi
