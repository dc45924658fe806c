// The login phase of one connection (RFC 3720 sections 5, 10.12, 10.13, 11, 12): stages, security
// and operational negotiation, text split over PDUs. Sans-I/O: a Login Request PDU goes in, exactly
// one Login Response comes out, and the caller is told where the phase stands.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "target/base/log.h"
#include "target/base/time.h"
#include "target/session/login_status.h"
#include "target/session/nouns.h"
#include "target/wire/pdu.h"

namespace tsihd::session {

/// The result of operational negotiation; RFC 3720 section 12's names.
struct NegotiatedParameters {
  bool header_digest = false;
  bool data_digest = false;
  std::uint32_t max_connections = 1;
  bool initial_r2t = true;
  bool immediate_data = true;
  std::uint32_t initiator_max_recv_data_segment_length_bytes = 8192;  ///< limit of what we send
  std::uint32_t target_max_recv_data_segment_length_bytes = 8192;     ///< limit of what we take
  std::uint32_t max_burst_length_bytes = 262144;
  std::uint32_t first_burst_length_bytes = 65536;
  std::uint32_t default_time2wait_s = 2;
  std::uint32_t default_time2retain_s = 20;
  std::uint32_t max_outstanding_r2t = 1;
  bool data_pdu_in_order = true;
  bool data_sequence_in_order = true;
  std::uint32_t error_recovery_level = 0;
};

enum class SessionType : std::uint8_t { normal, discovery };

/// Who logs in, and where.
struct LoginIdentity {
  SessionType type = SessionType::normal;
  std::string initiator_name;  ///< prepared (name.h)
  std::string initiator_alias;
  std::array<std::uint8_t, 6> isid{};
  std::uint16_t tsih = 0;  ///< as asked for by the initiator; 0 = a new session
  std::uint16_t cid = 0;
  bool authenticated = false;    ///< CHAP was passed (not merely not asked for)
  TargetNode* target = nullptr;  ///< null in discovery
  PortalGroup* portal_group = nullptr;
  NodeAcl* acl = nullptr;  ///< null in demo mode and in discovery
};

/// What the login phase asks of the sessions that exist. Implemented by the session registry.
class SessionDirectory {
 public:
  /// What the living session of this initiator port at this portal group has negotiated, null when
  /// none of this TSIH is there. Not to be kept: the session may end at any time.
  virtual const NegotiatedParameters* find(const PortalGroup& group,
                                           const std::string& initiator_name,
                                           const std::array<std::uint8_t, 6>& isid,
                                           std::uint16_t tsih) const = 0;
  /// Where the living session of this TSIH stands in the numbering of commands: the responses to a
  /// login that joins it must say nothing else (3.2.2.1).
  struct CommandNumbers {
    std::uint32_t exp_cmd_sn;
    std::uint32_t max_cmd_sn;
  };
  virtual std::optional<CommandNumbers> numbers(std::uint16_t) const { return std::nullopt; }

 protected:
  ~SessionDirectory() = default;
};

/// What the login phase knows of its surroundings.
struct LoginContext {
  const Inventory& inventory;
  const SessionDirectory& sessions;
  std::string local_address;  ///< the portal that took the connection
  std::uint16_t local_port = 3260;
  std::string remote;                    ///< ADDR:PORT of the initiator, for the log
  void (*random)(std::span<std::byte>);  ///< unpredictable bytes (CHAP challenges)
  Log log;
};

enum class LoginState : std::uint8_t {
  exchanging,  ///< the response is to be sent; the next Login Request is awaited
  /// Authenticated and negotiated: the final response is ready but for the caller's word. The
  /// session guard decides here, after authentication; call admit() or refuse().
  awaiting_admission,
  established,  ///< the final response is to be sent; full feature phase begins after it
  failed,  ///< refused or redirected: the response (if any) is to be sent, then comes the close
};

/// MaxCmdSN - ExpCmdSN + 1 of a new session: the ACL's or the portal group's queue depth, which the
/// final Login Response promises. 1..1024.
std::uint32_t command_window_depth(const LoginIdentity& identity);

/// Limits: 512 requests, 16 KiB of text in one logical text, 8 KiB in one response, 128 pairs in
/// one text and 128 keys that we do not know in the whole login. Past one of them the login ends
/// with Initiator Error. The time for the whole is the caller's to limit (login_timeout_s).
class LoginExchange {
 public:
  explicit LoginExchange(LoginContext context);
  ~LoginExchange();

  /// Takes a whole PDU of any opcode in the login phase. Anything but a Login Request ends it: with
  /// a login reject once the phase has begun (3.2.3-06), without a word before (3.2.3-05). In every
  /// state but awaiting_admission a response may have been appended to `response` (header and
  /// padded data segment, ready for the wire; login PDUs bear no digests).
  LoginState on_pdu(const wire::Pdu& pdu, std::vector<std::byte>& response);
  /// The session may exist: writes the final Login Response with this TSIH.
  LoginState admit(std::uint16_t tsih, std::vector<std::byte>& response);
  /// It may not: writes a Login Response with this status (login_status.h) and logs the reason.
  /// Also ends a login that is under way (shutdown, out of time). Before the first Login Request
  /// there is nothing to answer and `response` stays as it is.
  LoginState refuse(std::uint16_t status, std::vector<std::byte>& response,
                    std::string_view reason = "not admitted");

  const LoginIdentity& identity() const;
  /// Final once awaiting_admission is reached. A login that joins a session (TSIH not 0) has that
  /// session's values of the session-wide keys, and digests and data segment lengths of its own.
  const NegotiatedParameters& parameters() const;
  /// Of the response that ended the login; success while there is none.
  std::uint16_t refusal_status() const;
  LoginLimit limit_hit() const;        ///< what it ran into, when that is why it ended
  std::uint32_t next_stat_sn() const;  ///< StatSN of the first full feature phase response
  std::uint32_t exp_cmd_sn() const;    ///< ExpCmdSN that the session starts with

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tsihd::session
