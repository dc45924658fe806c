// Login Status-Class and Status-Detail (RFC 3720 10.13.5), and the refusal that carries one.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tsihd::session {

/// Class in the high byte, detail in the low one. Two never come of our own accord, only where
/// guard_refusal_status names them: target_removed, as a target that is not configured any more is
/// one that we have never heard of, and target_error, as a login reads no disk.
struct LoginStatus {
  static constexpr std::uint16_t success = 0x0000;
  static constexpr std::uint16_t moved_temporarily = 0x0101;
  static constexpr std::uint16_t moved_permanently = 0x0102;
  static constexpr std::uint16_t initiator_error = 0x0200;
  static constexpr std::uint16_t authentication_failure = 0x0201;
  static constexpr std::uint16_t authorization_failure = 0x0202;
  static constexpr std::uint16_t not_found = 0x0203;
  static constexpr std::uint16_t target_removed = 0x0204;
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

/// Every status but success, in the order of 10.13.5, as the counters name them.
struct NamedLoginStatus {
  std::uint16_t status;
  std::string_view name;
};
inline constexpr auto kLoginRefusals = std::to_array<NamedLoginStatus>({
    {LoginStatus::moved_temporarily, "moved_temporarily"},
    {LoginStatus::moved_permanently, "moved_permanently"},
    {LoginStatus::initiator_error, "initiator_error"},
    {LoginStatus::authentication_failure, "authentication_failure"},
    {LoginStatus::authorization_failure, "authorization_failure"},
    {LoginStatus::not_found, "not_found"},
    {LoginStatus::target_removed, "target_removed"},
    {LoginStatus::unsupported_version, "unsupported_version"},
    {LoginStatus::too_many_connections, "too_many_connections"},
    {LoginStatus::missing_parameter, "missing_parameter"},
    {LoginStatus::cannot_include_in_session, "cannot_include_in_session"},
    {LoginStatus::session_type_not_supported, "session_type_not_supported"},
    {LoginStatus::session_does_not_exist, "session_does_not_exist"},
    {LoginStatus::invalid_during_login, "invalid_during_login"},
    {LoginStatus::target_error, "target_error"},
    {LoginStatus::service_unavailable, "service_unavailable"},
    {LoginStatus::out_of_resources, "out_of_resources"},
});

/// Which of the login phase's bounds (login.h) an initiator ran into.
enum class LoginLimit : std::uint8_t { none, exchanges, text_bytes, keys };

/// Why a login fails: the status for the initiator, the reason for the log. The reason never holds
/// a secret, a response or a challenge.
struct Refusal {
  std::uint16_t status = LoginStatus::initiator_error;
  std::string reason;
  LoginLimit limit = LoginLimit::none;
};
using LoginStep = std::expected<void, Refusal>;

inline std::unexpected<Refusal> refusal(std::uint16_t status, std::string reason) {
  return std::unexpected(Refusal{.status = status, .reason = std::move(reason)});
}
inline std::unexpected<Refusal> refusal(LoginLimit limit, std::string reason) {
  return std::unexpected(Refusal{.reason = std::move(reason), .limit = limit});
}

}  // namespace tsihd::session
