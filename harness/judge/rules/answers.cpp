// Negotiation: what answers a proposal, and what comes out of it (RFC 3720 5.2, 12).
#include "harness/judge/parameters.h"
#include "harness/judge/rules/texts.h"

namespace tsih::judge {
namespace {

Ruling reserved_word_is_no_proposal(const Moment& m) {
  if (!m.connection.negotiation.known) return Ruling::unseen();
  return each_key(m, [&](const std::string& name, const std::string& value) {
    const Key* key = find_key(name);
    const bool said = m.connection.negotiation.declared[1 - side(m.from)].contains(name);
    if (!key || said) return Ruling::aside();  // an answer, or the refusal of a declaration
    if (!is_reserved_word(value)) return Ruling::kept();
    return Ruling::broken("a value of the key's own in a proposal", pair(name, value));
  });
}

Ruling list_answer_was_offered(const Moment& m) {
  return each_answer(m, [](const Key& key, const Proposal& proposal, const std::string& value) {
    if (key.type != KeyType::list || value == "Reject" || value == "NotUnderstood")
      return Ruling::aside();
    if (lists(proposal.value, value)) return Ruling::kept();
    return Ruling::broken(fmt::format("one of {}", proposal.value), pair(key.name, value));
  });
}

Ruling known_key_is_understood(const Moment& m) {
  return each_answer(m, [](const Key& key, const Proposal&, const std::string& value) {
    if (key.type == KeyType::authentication) return Ruling::aside();
    if (value != "NotUnderstood") return Ruling::kept();
    return Ruling::broken("a key of the RFC to be understood", pair(key.name, value));
  });
}

Ruling number_answer_is_admissible(const Moment& m) {
  return each_answer(m, [](const Key& key, const Proposal& proposal, const std::string& value) {
    const auto proposed = wire::parse_number(proposal.value);
    if (!key.is_number() || is_reserved_word(value) || !proposed || !key.holds(*proposed))
      return Ruling::aside();
    const auto answer = wire::parse_number(value);
    const bool least = key.type == KeyType::minimum;
    if (answer && key.holds(*answer) && (least ? *answer <= *proposed : *answer >= *proposed))
      return Ruling::kept();
    return Ruling::broken(
        fmt::format("{} {} {} and within {}..{}", key.name, least ? "at most" : "at least",
                    *proposed, key.least, key.most),
        value.substr(0, 80));
  });
}

// What was proposed is out of bounds: Reject, or a value within them.
Ruling inadmissible_proposal_is_answered_well(const Moment& m) {
  return each_answer(m, [](const Key& key, const Proposal& proposal, const std::string& value) {
    const auto proposed = wire::parse_number(proposal.value);
    if (!key.is_number() || (proposed && key.holds(*proposed)) || is_reserved_word(proposal.value))
      return Ruling::aside();
    const auto answer = wire::parse_number(value);
    if (is_reserved_word(value) || (answer && key.holds(*answer))) return Ruling::kept();
    return Ruling::broken(fmt::format("Reject, or a value within {}..{}", key.least, key.most),
                          pair(key.name, value));
  });
}

Ruling boolean_answer_is_the_outcome(const Moment& m) {
  return each_answer(m, [](const Key& key, const Proposal& proposal, const std::string& value) {
    if (!key.is_boolean() || is_reserved_word(value)) return Ruling::aside();
    if (proposal.value != "Yes" && proposal.value != "No") return Ruling::aside();
    const bool settled = settles(key, proposal.value);
    if (settled ? value == proposal.value : value == "Yes" || value == "No") return Ruling::kept();
    return Ruling::broken(settled ? fmt::format("{}, which {} settles", proposal.value,
                                                pair(key.name, proposal.value))
                                  : "Yes or No",
                          pair(key.name, value));
  });
}

Ruling range_answer_lies_within(const Moment& m) {
  return each_answer(m, [](const Key& key, const Proposal& proposal, const std::string& value) {
    const auto tilde = proposal.value.find('~');
    if (key.type != KeyType::range || is_reserved_word(value) || tilde == std::string::npos)
      return Ruling::aside();
    const auto least = wire::parse_number(proposal.value.substr(0, tilde));
    const auto most = wire::parse_number(proposal.value.substr(tilde + 1));
    const auto answer = wire::parse_number(value);
    if (!least || !most || (answer && *answer >= *least && *answer <= *most)) return Ruling::kept();
    return Ruling::broken(fmt::format("a number within {}", proposal.value), pair(key.name, value));
  });
}

// Extensions say themselves whether they may be negotiated anew.
Ruling answered_key_is_not_sent_again(const Moment& m) {
  const Negotiation& negotiation = m.connection.negotiation;
  if (!negotiation.known) return Ruling::unseen();
  return each_key(m, [&](const std::string& name, const std::string& value) {
    const Key* key = find_key(name);
    if (!key || !key->is_negotiated()) return Ruling::aside();
    const auto found = negotiation.proposals.find(name);
    const bool over = found != negotiation.proposals.end() && found->second.answered;
    if (!over) return Ruling::kept();
    return Ruling::broken(
        fmt::format("{} once, since it was answered with {}", name, found->second.answer),
        pair(name, value));
  });
}

// The session's own numbers fit together when the login that leads it is over.

std::optional<std::uint64_t> agreed_number(const Moment& m, std::string_view key) {
  auto text = m.keys->value(key);
  if (!text) text = outcome(m.connection.negotiation, key);
  return text ? wire::parse_number(*text) : std::nullopt;
}

bool ends_the_leading_login(const Moment& m) {
  constexpr unsigned kFullFeature = 3;
  return m.keys && m.connection.negotiation.known && m.connection.login.leading &&
         m.pdu[field::status] == 0 && m.pdu[field::transit] && m.pdu[field::nsg] == kFullFeature;
}

Ruling first_burst_is_part_of_a_burst(const Moment& m) {
  if (!ends_the_leading_login(m)) return Ruling::aside();
  const auto first = agreed_number(m, "FirstBurstLength"),
             most = agreed_number(m, "MaxBurstLength");
  if (!first || !most) return Ruling::aside();
  if (*first <= *most) return Ruling::kept();
  return Ruling::broken(
      fmt::format("a FirstBurstLength of at most the MaxBurstLength of {}", *most),
      fmt::format("{}", *first));
}

Ruling recovery_wants_one_r2t(const Moment& m) {
  if (!ends_the_leading_login(m)) return Ruling::aside();
  const auto level = agreed_number(m, "ErrorRecoveryLevel");
  const auto r2ts = agreed_number(m, "MaxOutstandingR2T");
  if (!level || *level == 0 || !r2ts) return Ruling::aside();
  auto in_order = m.keys->value("DataSequenceInOrder");
  if (!in_order) in_order = outcome(m.connection.negotiation, "DataSequenceInOrder");
  if (*r2ts == 1 || in_order == std::string("No")) return Ruling::kept();
  return Ruling::broken(
      fmt::format("MaxOutstandingR2T=1 with ErrorRecoveryLevel={} and DataSequenceInOrder=Yes",
                  *level),
      fmt::format("{}", *r2ts));
}

// What can be seen of it: a longer data segment, by a limit that a failed negotiation has declared.
Ruling failed_negotiation_changes_nothing(const Moment& m) {
  const auto& change = m.connection.receive_change[1 - side(m.from)];
  if (!change || !change->failed || m.seen.data_bytes == 0) return Ruling::aside();
  if (m.seen.data_bytes <= change->before) return Ruling::kept();
  return Ruling::broken(
      fmt::format("at most {} bytes, since the negotiation that declared {} has failed",
                  change->before, change->declared),
      fmt::format("{} bytes", m.seen.data_bytes));
}

bool ends_a_negotiation(const Moment& m) {
  if (m.pdu.is(Opcode::text_response)) return m.pdu[field::final] != 0;
  return m.pdu[field::status] == 0 && m.pdu[field::transit] != 0;
}

/// Whether an answer has to follow this proposal (5.2.2).
bool wants_answer(const Key& key, std::string_view value) {
  return key.is_negotiated() && !(key.is_boolean() && settles(key, value)) &&
         !is_reserved_word(value);
}

Ruling everything_was_answered(const Moment& m) {
  if (!ends_a_negotiation(m)) return Ruling::aside();
  if (!m.keys) return unread(m);
  if (!m.connection.negotiation.known) return Ruling::unseen();
  bool any = false;
  for (const auto& [name, proposal] : m.connection.negotiation.proposals) {
    const Key* key = find_key(name);
    const bool wanted = key ? wants_answer(*key, proposal.value) : true;
    if (proposal.by == m.from || !wanted) continue;
    any = true;
    if (!proposal.answered && !m.keys->has(name))
      return Ruling::broken(fmt::format("an answer to {}", pair(name, proposal.value)), "none");
  }
  return any ? Ruling::kept() : Ruling::aside();
}

Ruling last_response_asks_nothing(const Moment& m) {
  if (!ends_a_negotiation(m)) return Ruling::aside();
  if (!m.connection.negotiation.known) return Ruling::unseen();
  if (!m.keys) return unread(m);
  for (const auto& [name, value] : m.keys->pairs()) {
    const Key* key = find_key(name);
    const bool asks = key && (wants_answer(*key, value) || name == "CHAP_C");
    if (!asks || m.connection.negotiation.proposals.contains(name)) continue;
    return Ruling::broken("no key that wants an answer in the last response", pair(name, value));
  }
  return Ruling::kept();
}

constexpr Rule kRules[] = {
    {"keys.reserved_word",
     {"R3720-5.2-08", "R3720-5.2-l02"},
     Judged::both,
     kText,
     reserved_word_is_no_proposal},
    {"keys.list_answer",
     {"R3720-5.2.1-01", "R3720-5.2.1-02"},
     Judged::both,
     kText,
     list_answer_was_offered},
    {"keys.understood",
     {"R3720-5.2-11", "R3720-5.2-10", "R3720-10.12.10-02"},
     Judged::both,
     kText,
     known_key_is_understood},
    {"keys.number_answer",
     {"R3720-5.2.2-01", "R3720-5.2.2-l01"},
     Judged::both,
     kText,
     number_answer_is_admissible},
    {"keys.bounds",
     {"R3720-5.2.2-02"},
     Judged::both,
     kText,
     inadmissible_proposal_is_answered_well},
    {"keys.boolean_answer",
     {"R3720-5.2.2-03", "R3720-5.2.2-05", "R3720-12-l01", "R3720-12-l02"},
     Judged::both,
     kText,
     boolean_answer_is_the_outcome},
    {"keys.range_answer",
     {"R3720-5.2.2-01", "R3720-5.2.2-l02"},
     Judged::both,
     kText,
     range_answer_lies_within},
    {"keys.answered_once", {"R3720-5.2-l03"}, Judged::both, kText, answered_key_is_not_sent_again},
    {"keys.answered",
     {"R3720-5.2.2-01", "R3720-5.2.1-01", "R3720-5.2.2-05", "R3720-5.2-07"},
     Judged::target,
     kResponse,
     everything_was_answered},
    {"keys.failed_negotiation",
     {"R3720-5.2-13", "R3720-6.10-02"},
     Judged::both,
     pdus(Opcode::data_in, Opcode::data_out, Opcode::scsi_command),
     failed_negotiation_changes_nothing},
    {"keys.login_asks_nothing_last",
     {"R3720-5.3-10", "R3720-10.13.6-01"},
     Judged::target,
     pdus(Opcode::login_response),
     last_response_asks_nothing},
    {"keys.text_asks_nothing_last",
     {"R3720-5.4-04", "R3720-10.11.1-01"},
     Judged::target,
     pdus(Opcode::text_response),
     last_response_asks_nothing},
    {"login.first_burst",
     {"R3720-12.14-01", "R3720-5.2-14"},
     Judged::target,
     pdus(Opcode::login_response),
     first_burst_is_part_of_a_burst},
    {"login.outstanding_r2t",
     {"R3720-12.19-02"},
     Judged::target,
     pdus(Opcode::login_response),
     recovery_wants_one_r2t},
};

}  // namespace

std::span<const Rule> answer_rules() { return kRules; }

}  // namespace tsih::judge
