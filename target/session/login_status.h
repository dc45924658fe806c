// Login Status-Class and Status-Detail (RFC 3720 10.13.5), and the refusal that carries one.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace tsihd::session {

/// Class in the high byte, detail in the low one.
struct LoginStatus {
  static constexpr std::uint16_t success = 0x0000;
  static constexpr std::uint16_t initiator_error = 0x0200;
  static constexpr std::uint16_t authentication_failure = 0x0201;
  static constexpr std::uint16_t authorization_failure = 0x0202;
  static constexpr std::uint16_t not_found = 0x0203;
  static constexpr std::uint16_t unsupported_version = 0x0205;
  static constexpr std::uint16_t too_many_connections = 0x0206;
  static constexpr std::uint16_t missing_parameter = 0x0207;
  static constexpr std::uint16_t cannot_include_in_session = 0x0208;
  static constexpr std::uint16_t session_type_not_supported = 0x0209;
  static constexpr std::uint16_t session_does_not_exist = 0x020a;
  static constexpr std::uint16_t invalid_during_login = 0x020b;
  static constexpr std::uint16_t target_error = 0x0300;
  static constexpr std::uint16_t service_unavailable = 0x0301;
  static constexpr std::uint16_t out_of_resources = 0x0302;
};

/// Why a login fails: the status for the initiator, the reason for the log. The reason never holds
/// a secret, a response or a challenge.
struct Refusal {
  std::uint16_t status = LoginStatus::initiator_error;
  std::string reason;
};
using LoginStep = std::expected<void, Refusal>;

inline std::unexpected<Refusal> refusal(std::uint16_t status, std::string reason) {
  return std::unexpected(Refusal{status, std::move(reason)});
}

}  // namespace tsihd::session
