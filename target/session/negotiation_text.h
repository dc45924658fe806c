// Text Requests in full feature phase (RFC 3720 5.4, 10.10, 10.11, 12.3, appendix D): SendTargets,
// and the keys that may still be declared once a session is up. Sans-I/O: a Text Request in, a
// Text Response or a reason for a Reject out.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "target/session/keys.h"
#include "target/session/login.h"
#include "target/session/nouns.h"
#include "target/wire/pdu.h"

namespace tsihd::session {

/// Where SendTargets answers come from and who asks.
struct TextContext {
  const Inventory& inventory;
  const LoginIdentity& identity;
  std::string local_address;  ///< the portal that took the connection, without brackets
  std::uint16_t local_port = 3260;

  /// TargetAlias of a normal session's portal group (12.6); empty: none.
  std::string_view target_alias() const;
};

/// The text negotiation of one connection: an initiator has at most one at a time (10.10-01). What
/// it may make us hold: 16 KiB of request text, the names of 128 keys that we do not know, and an
/// answer that grows with the inventory only. Past that, Reject with "long operation"; past 512
/// requests, with "negotiation reset".
class TextExchange {
 public:
  /// Writes negotiated values to `parameters` when a negotiation has come to its end (5.4), never
  /// before. Both arguments' referents outlive the exchange.
  TextExchange(TextContext context, NegotiatedParameters& parameters);

  /// Takes a Text Request that is in order (CmdSN). On success `response` is the answer but for
  /// StatSN, ExpCmdSN and MaxCmdSN, and `data` its data segment, no longer than the initiator's
  /// MaxRecvDataSegmentLength. On failure the request is to be rejected with this reason (10.17.1)
  /// and the negotiation is reset: nothing of it has come into effect (6.10-02).
  std::expected<void, wire::RejectReason> on_request(const wire::Pdu& request,
                                                     wire::TextResponseBhs& response,
                                                     std::string& data);
  /// Forgets a negotiation under way.
  void reset();
  /// Whether the negotiation under way is the task of this tag.
  bool is_task(std::uint32_t initiator_task_tag) const {
    return active_ && initiator_task_tag == initiator_task_tag_;
  }

 private:
  using Outcome = std::expected<void, wire::RejectReason>;
  Outcome take(const wire::TextRequestBhs& request, std::string_view data);
  Outcome take_text(std::string_view text);
  Outcome take_key(const KeyRule* rule, std::string_view name, std::string_view value);
  void respond(const wire::TextRequestBhs& request, wire::TextResponseBhs& response,
               std::string& data);

  TextContext context_;
  NegotiatedParameters& parameters_;
  bool active_ = false;                    ///< a Target Transfer Tag is out
  std::uint32_t initiator_task_tag_ = 0;   ///< of the negotiation under way
  std::uint32_t target_transfer_tag_ = 0;  ///< the one it goes on with
  std::uint32_t exchanges_ = 0;
  KeyLedger ledger_;
  std::optional<std::uint32_t> pending_length_bytes_;  ///< declared, in effect at the end
  std::string incoming_;                               ///< request text up to a PDU without C bit
  std::string outgoing_;                               ///< answer text
  std::size_t outgoing_sent_ = 0;
};

}  // namespace tsihd::session
