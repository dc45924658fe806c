// The sessions that exist, by portal group, initiator port and TSIH.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/session/login.h"
#include "target/session/session.h"

namespace tsihd::session {

class Registry final : public SessionDirectory {
 public:
  explicit Registry(Service& service) : service_(service) {}

  // -- for the login phase
  const NegotiatedParameters* find(const PortalGroup& group, const std::string& initiator_name,
                                   const std::array<std::uint8_t, 6>& isid,
                                   std::uint16_t tsih) const override;

  std::optional<CommandNumbers> numbers(std::uint16_t tsih) const override;

  /// A new session with a TSIH of its own; null when Limits::max_sessions are there and each is
  /// served by a connection.
  Session* create(const LoginIdentity& identity, const NegotiatedParameters& parameters,
                  std::uint32_t first_cmd_sn);
  /// The session of this initiator port at its portal group that is not at its end, or null. Of
  /// normal sessions there is at most one (RFC 3720 3.4.3).
  Session* find_port(const LoginIdentity& identity) const;
  Session* find_id(std::uint64_t id) const;

  /// All, oldest first, ended ones among them until they are buried.
  const std::vector<std::unique_ptr<Session>>& sessions() const { return sessions_; }
  std::size_t living() const;

  void session_ended(Session& session);
  /// Destroys what has ended and has no connection any more. True when something had ended since
  /// the last call: places are free.
  bool bury();

 private:
  void end_a_lost_session();
  std::uint16_t free_tsih();

  Service& service_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::uint64_t last_id_ = 0;
  std::uint16_t last_tsih_ = 0;
  bool ended_ = false;
};

}  // namespace tsihd::session
