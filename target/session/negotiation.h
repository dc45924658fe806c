// Operational negotiation of one login (RFC 3720 5.2, section 12): proposals in, answers out, and
// the target's own proposals where its configuration is stricter than the RFC's defaults.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "target/base/result.h"
#include "target/session/keys.h"
#include "target/session/login.h"
#include "target/session/nouns.h"
#include "target/wire/text.h"

namespace tsihd::session {

/// A key as it came, with its row of the table.
struct ReceivedKey {
  const KeyRule* rule = nullptr;  ///< null: not understood
  std::string_view name;
  std::string_view value;
};

class Negotiation {
 public:
  /// `session`: what the session that this login joins has negotiated; null in the login of a
  /// session's first connection, the only one that may carry LO keys. Not kept.
  Negotiation(const OfferedParameters& offered, SessionType type,
              const NegotiatedParameters* session);

  /// Takes the operational keys of one logical text; appends the answers. Fails when the peer broke
  /// a rule: the login fails with it (6.10-01).
  Result<void> take(std::vector<ReceivedKey> keys, std::string& answers);

  /// Declares what needs no answer (MaxRecvDataSegmentLength, 12.12); appends it once.
  void declare(std::string& answers);
  /// True while the configuration holds a key tighter than its default and the initiator has
  /// neither proposed it nor been asked: propose() is due before the stage may end.
  bool has_proposals() const;
  void propose(std::string& answers);
  /// True while an answer to a proposal of ours is missing.
  bool awaits_answers() const { return proposed_ != 0; }

  /// The rules between keys (5.2-14), checked when the stage ends. parameters() hold after it.
  Result<void> finish();
  const NegotiatedParameters& parameters() const { return parameters_; }

 private:
  Result<void> take_one(const ReceivedKey& key, std::string& answers);
  Result<void> take_proposal(const ReceivedKey& key, std::string& answers);
  Result<void> take_answer(const ReceivedKey& key);
  std::string choose_digest(const KeyRule& rule, std::string_view list);
  std::string choose_flag(const KeyRule& rule, std::string_view value);
  std::string choose_number(const KeyRule& rule, std::string_view value);
  std::uint32_t limit(const KeyRule& rule) const;
  std::string proposal(const KeyRule& rule) const;

  OfferedParameters offered_;
  SessionType type_;
  bool leading_;
  bool declared_ = false;
  std::uint64_t settled_ = 0;   ///< keys that the initiator has sent, a bit each
  std::uint64_t proposed_ = 0;  ///< keys that we have proposed and that are not answered
  NegotiatedParameters parameters_;
};

}  // namespace tsihd::session
