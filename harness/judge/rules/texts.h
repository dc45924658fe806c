// What rules about keys have in common: the keys of a text one by one, and what they answer.
#pragma once

#include "harness/judge/keys.h"
#include "harness/judge/rules/rules.h"

namespace tsih::judge {

inline constexpr std::uint64_t kLogin = pdus(Opcode::login_request, Opcode::login_response);
inline constexpr std::uint64_t kInFullFeature = pdus(Opcode::text_request, Opcode::text_response);
inline constexpr std::uint64_t kText = kLogin | kInFullFeature;
inline constexpr std::uint64_t kResponse = pdus(Opcode::login_response, Opcode::text_response);

inline Ruling unread(const Moment& m) {
  return m.pdu[field::continues] ? Ruling::aside() : Ruling::unseen();
}

/// What a check says of every key of a text together: the first breach, else kept if any was.
template <class Check>
Ruling each_key(const Moment& m, Check check) {
  if (!m.keys) return unread(m);
  Ruling all = Ruling::aside();
  for (const auto& [key, value] : m.keys->pairs()) {
    Ruling one = check(key, value);
    if (one.kind() == Ruling::Kind::broken) return one;
    if (one.kind() != Ruling::Kind::aside) all = one;
  }
  return all;
}

/// The other side's proposal that a key answers; null when it answers none.
inline const Proposal* answered_by(const Moment& m, std::string_view key) {
  const auto& proposals = m.connection.negotiation.proposals;
  const auto found = proposals.find(key);
  if (found == proposals.end() || found->second.by == m.from || found->second.answered)
    return nullptr;
  return &found->second;
}

template <class Check>
Ruling each_answer(const Moment& m, Check check) {
  if (!m.connection.negotiation.known) return Ruling::unseen();
  return each_key(m, [&](const std::string& name, const std::string& value) {
    const Key* key = find_key(name);
    const Proposal* proposal = answered_by(m, name);
    return key && proposal ? check(*key, *proposal, value) : Ruling::aside();
  });
}

inline std::string pair(std::string_view key, std::string_view value) {
  constexpr std::size_t kLimitShown = 80;
  return fmt::format("{}={}", key.substr(0, kLimitShown), value.substr(0, kLimitShown));
}

}  // namespace tsih::judge
