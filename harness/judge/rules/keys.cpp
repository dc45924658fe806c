// Keys and their values: how they are written, and who may say them where (RFC 3720 5.1, 5.3, 11,
// 12).
#include <algorithm>

#include "harness/judge/parameters.h"
#include "harness/judge/rules/texts.h"

namespace tsih::judge {
namespace {

// How they are written.

Ruling format_is_kept(const Moment& m) {
  if (!m.text_problems) return unread(m);
  if (m.text_problems->empty()) return m.seen.data_bytes ? Ruling::kept() : Ruling::aside();
  return Ruling::broken("key=value pairs, each closed by one zero byte", m.text_problems->front());
}

Ruling name_is_a_label(const Moment& m) {
  return each_key(m, [](const std::string& key, const std::string&) {
    if (is_extension(key) || is_standard_label(key)) return Ruling::kept();
    return Ruling::broken("a key name as standard-label, with a capital letter first",
                          key.substr(0, 80));
  });
}

// The RFC's own example, X-com.example.bar.foo.do_something, has no capital letter behind X-: only
// the characters and the length are judged.
Ruling extension_is_a_label(const Moment& m) {
  return each_key(m, [](const std::string& key, const std::string&) {
    if (!is_extension(key)) return Ruling::aside();
    const auto rest = std::string_view(key).substr(2);
    if (has_label_characters(rest) && key.size() <= kLimitLabelBytes) return Ruling::kept();
    const std::string actual = key.substr(0, 80);
    constexpr const char* kExpected = "a key name of label characters behind X- or X#";
    return key.starts_with("X#") ? Ruling::broken_by_3720(kExpected, actual)
                                 : Ruling::broken(kExpected, actual);
  });
}

Ruling registered_extension_is_an_item_label(const Moment& m) {
  return each_key(m, [](const std::string& key, const std::string&) {
    if (!key.starts_with("X#")) return Ruling::aside();
    if (is_standard_label(std::string_view(key).substr(2))) return Ruling::kept();
    return Ruling::broken("a registered label with a capital letter first behind X#",
                          key.substr(0, 80));
  });
}

bool is_decimal(std::string_view value) {
  return !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
}

// Decimal constants carry less than 2^64, and no binary string that may be longer than 64 bits.
Ruling decimal_is_short(const Moment& m) {
  return each_key(m, [](const std::string& name, const std::string& value) {
    const Key* key = find_key(name);
    const bool binary = name == "CHAP_C" || name == "CHAP_R" || name.starts_with("KRB_") ||
                        name.starts_with("SPKM_") ||
                        (name.starts_with("SRP_") && name != "SRP_U" && name != "SRP_GROUP");
    if (binary)
      return is_decimal(value)
                 ? Ruling::broken("a hexadecimal or base64 constant for " + name, pair(name, value))
                 : Ruling::kept();
    const bool number = key && (key->is_number() || name == "MaxRecvDataSegmentLength");
    if (!number || !is_decimal(value)) return Ruling::aside();
    if (value.size() <= 19 || wire::parse_number(value)) return Ruling::kept();
    return Ruling::broken("a decimal number below 2^64", pair(name, value));
  });
}

Ruling name_is_prepared(const Moment& m) {
  constexpr std::size_t kLimitNameBytes = 223;
  return each_key(m, [](const std::string& key, const std::string& value) {
    if (key != "InitiatorName" && key != "TargetName") return Ruling::aside();
    if (value.empty() || value.size() > kLimitNameBytes)
      return Ruling::broken("a name of 1 to 223 bytes", fmt::format("{} bytes", value.size()));
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
      const bool allowed =
          byte >= 0x80 || letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
      if (!allowed)
        return Ruling::broken("a name of letters, digits, dash, dot and colon", pair(key, value));
    }
    return Ruling::kept();
  });
}

// iqn.yyyy-mm. and the reversed domain name of whoever owned it in that month.
Ruling name_has_a_date(const Moment& m) {
  return each_key(m, [](const std::string& key, const std::string& value) {
    constexpr std::string_view kType = "iqn.";
    if ((key != "InitiatorName" && key != "TargetName") || !value.starts_with(kType))
      return Ruling::aside();
    const std::string_view date = std::string_view(value).substr(kType.size(), 8);  // yyyy-mm.
    const auto month = date.size() < 8 ? std::string_view() : date.substr(5, 2);
    if (is_decimal(month) && month >= "01" && month <= "12" && is_decimal(date.substr(0, 4)) &&
        date[4] == '-' && date[7] == '.')
      return Ruling::kept();
    return Ruling::broken("iqn.yyyy-mm. and a domain name", pair(key, value));
  });
}

Ruling range_rises(const Moment& m) {
  return each_key(m, [](const std::string& name, const std::string& value) {
    const Key* key = find_key(name);
    const auto tilde = value.find('~');
    if (!key || key->type != KeyType::range || tilde == std::string::npos) return Ruling::aside();
    const auto least = wire::parse_number(value.substr(0, tilde));
    const auto most = wire::parse_number(value.substr(tilde + 1));
    if (least && most && *least <= *most) return Ruling::kept();
    return Ruling::broken("a range that does not end below its beginning", pair(name, value));
  });
}

Ruling text_is_not_empty(const Moment& m) {
  const bool begins = m.pdu.is(Opcode::text_request)
                          ? m.pdu.u32(field::target_transfer_tag) == wire::kReservedTag
                          : m.connection.phase == Phase::before_login;
  if (!begins) return Ruling::aside();
  if (m.seen.data_bytes > 0) return Ruling::kept();
  if (m.connection.negotiation_asked || m.connection.text_reset_due) return Ruling::aside();
  return Ruling::broken("text in the first request of a negotiation", "none");
}

// Who may say them where.

template <const std::string_view& Name>
Ruling said_once(const Moment& m) {
  return each_key(m, [&](const std::string& key, const std::string&) {
    if (key != Name) return Ruling::aside();
    if (repeated_key(m.connection.negotiation, m.from, *m.keys) != key) return Ruling::kept();
    return Ruling::broken(fmt::format("{} once in a login", key), "it a second time");
  });
}
constexpr std::string_view kTargetName = "TargetName", kInitiatorName = "InitiatorName";

Ruling leading_keys_lead(const Moment& m) {
  const bool leading = m.connection.phase != Phase::full_feature && m.connection.login.leading;
  const bool first = m.connection.phase == Phase::before_login;
  if (first ? m.pdu[field::tsih] == 0 : leading) return Ruling::aside();
  if (m.connection.phase == Phase::unknown) return Ruling::unseen();
  return each_key(m, [&](const std::string& name, const std::string& value) {
    const Key* key = find_key(name);
    if (!key || key->use != KeyUse::in_leading_login) return Ruling::aside();
    if (is_reserved_word(value)) return Ruling::kept();  // turned down
    if (name == "SessionType") return Ruling::aside();   // says what was said before
    return Ruling::broken("a key of the leading login only there", pair(name, value));
  });
}

Ruling security_stage_has_its_own_keys(const Moment& m) {
  if (m.pdu[field::csg] != 0) return Ruling::aside();
  if (m.pdu.is(Opcode::login_response) && m.pdu[field::status] != 0) return Ruling::aside();
  return each_key(m, [&](const std::string& name, const std::string& value) {
    const Key* key = find_key(name);
    if (!key || is_reserved_word(value)) return Ruling::aside();
    if (key->in_security_stage) return Ruling::kept();
    return Ruling::broken("only keys of the security stage in it", pair(name, value));
  });
}

Ruling security_is_settled_in_the_login(const Moment& m) {
  return each_key(m, [&](const std::string& name, const std::string& value) {
    const Key* key = find_key(name);
    if (!key || is_reserved_word(value)) return Ruling::aside();
    if (key->type != KeyType::authentication && name != "AuthMethod") return Ruling::kept();
    return Ruling::broken("no security key in full feature phase", pair(name, value));
  });
}

Ruling extensions_are_for_normal_sessions(const Moment& m) {
  return each_key(m, [&](const std::string& name, const std::string& value) {
    if (!is_extension(name) || is_reserved_word(value)) return Ruling::aside();
    const bool discovery =
        m.session.discovery || m.keys->value("SessionType") == std::string("Discovery");
    if (!discovery) return Ruling::kept();
    return Ruling::broken("no vendor specific key in a discovery session", pair(name, value));
  });
}

template <char Letter>
Ruling list_extension_is_named_well(const Moment& m) {
  return each_key(m, [](const std::string& name, const std::string& value) {
    const bool concerned =
        Letter == 'Y' ? name == "HeaderDigest" || name == "DataDigest" : name == "AuthMethod";
    if (!concerned || is_reserved_word(value)) return Ruling::aside();
    Ruling ruling = Ruling::aside();
    for_each_listed(value, [&](std::string_view one) {
      if (one == "None" || one == "CRC32C" || one == "CHAP" || one == "SRP" || one == "KRB5" ||
          one == "SPKM1" || one == "SPKM2")
        return;
      const bool formed = one.size() > 2 && one[0] == Letter && (one[1] == '-' || one[1] == '#') &&
                          has_label_characters(one.substr(2));
      if (formed && ruling.kind() == Ruling::Kind::aside) ruling = Ruling::kept();
      if (formed) return;
      // By RFC 7143 a name that is registered with IANA has no prefix.
      const bool has_prefix = one.size() > 2 && one[0] == Letter && one[1] == '-';
      std::string expected =
          fmt::format("a value of the RFC, or {}- or {}# and a label", Letter, Letter);
      std::string actual(one.substr(0, 80));
      ruling = has_prefix ? Ruling::broken(std::move(expected), std::move(actual))
                          : Ruling::broken_by_3720(std::move(expected), std::move(actual));
    });
    return ruling;
  });
}

// The names of SRP groups are registered as extension item-labels are (13.5.4).
Ruling srp_group_is_an_item_label(const Moment& m) {
  return each_key(m, [](const std::string& name, const std::string& value) {
    if (name != "SRP_GROUP" || is_reserved_word(value)) return Ruling::aside();
    Ruling ruling = Ruling::kept();
    for_each_listed(value, [&](std::string_view group) {
      if (!is_standard_label(group))
        ruling = Ruling::broken("groups named by item-labels, with a capital letter first",
                                pair(name, group));
    });
    return ruling;
  });
}

// SendTargets and what it brings.

Ruling send_targets_waits_for_full_feature(const Moment& m) {
  if (!m.keys) return unread(m);
  if (!m.keys->has("SendTargets")) return Ruling::aside();
  if (m.pdu.is(Opcode::text_request)) return Ruling::kept();
  return Ruling::broken("SendTargets in full feature phase only", "it in the login");
}

Ruling send_targets_is_its_name(const Moment& m) {
  return each_key(m, [](const std::string& key, const std::string&) {
    if (key == "SendTargets") return Ruling::kept();
    constexpr std::string_view kLower = "sendtargets";
    const bool alike = std::ranges::equal(
        key, kLower, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; });
    return alike ? Ruling::broken("the key SendTargets", key) : Ruling::aside();
  });
}

Ruling send_targets_asks_for_targets(const Moment& m) {
  return each_key(m, [](const std::string& key, const std::string& value) {
    if (key != "SendTargets") return Ruling::aside();
    const std::string_view type = std::string_view(value).substr(0, 4);
    if (value.empty() || value == "All" || type == "iqn." || type == "eui." || type == "naa.")
      return Ruling::kept();
    return Ruling::broken("SendTargets with All, the name of a target, or nothing",
                          pair(key, value));
  });
}

Ruling address_has_its_group(const Moment& m) {
  return each_key(m, [](const std::string& key, const std::string& value) {
    if (key != "TargetAddress") return Ruling::aside();
    const auto comma = value.rfind(',');
    if (comma != std::string::npos && wire::parse_number(value.substr(comma + 1)))
      return Ruling::kept();
    return Ruling::broken("a TargetAddress with its portal group tag", value.substr(0, 80));
  });
}

constexpr Rule kRules[] = {
    {"keys.format", {"R3720-5.1-01"}, Judged::both, kText, format_is_kept},
    {"keys.name", {"R3720-5.1-02"}, Judged::both, kText, name_is_a_label},
    {"keys.extension_name", {"R3720-12.22-01"}, Judged::both, kText, extension_is_a_label},
    {"keys.registered_name",
     {"R3720-13.5.4-01"},
     Judged::both,
     kText,
     registered_extension_is_an_item_label},
    {"keys.decimal", {"R3720-5.1-03"}, Judged::both, kText, decimal_is_short},
    {"keys.node_name",
     {"R3720-3.2.6.2-01", "R3720-3.2.6.2-02"},
     Judged::both,
     kText,
     name_is_prepared},
    {"keys.iqn_date",
     {"R3720-3.2.6.3.1-l02", "R3720-3.2.6.3.1-l03", "R3720-3.2.6.3.1-l04", "R3720-3.2.6.3.1-l05"},
     Judged::both,
     kText,
     name_has_a_date},
    {"keys.range", {"R3720-5.1-l01"}, Judged::both, kText, range_rises},
    {"keys.not_empty",
     {"R3720-5.2-04"},
     Judged::initiator,
     pdus(Opcode::login_request, Opcode::text_request),
     text_is_not_empty},
    {"keys.target_name_once",
     {"R3720-12.4-02"},
     Judged::initiator,
     pdus(Opcode::login_request),
     said_once<kTargetName>},
    {"keys.initiator_name_once",
     {"R3720-12.5-02"},
     Judged::initiator,
     pdus(Opcode::login_request),
     said_once<kInitiatorName>},
    {"keys.leading_only", {"R3720-12-01"}, Judged::both, kText, leading_keys_lead},
    {"keys.security_stage",
     {"R3720-11-01", "R3720-5.3-l01"},
     Judged::both,
     kLogin,
     security_stage_has_its_own_keys},
    {"keys.security_in_login",
     {"R3720-5.3-07"},
     Judged::both,
     kInFullFeature,
     security_is_settled_in_the_login},
    {"keys.extension_in_discovery",
     {"R3720-12.22-03"},
     Judged::both,
     kText,
     extensions_are_for_normal_sessions},
    {"keys.digest_name",
     {"R3720-12.1-07", "R3720-12.1-09"},
     Judged::both,
     kLogin,
     list_extension_is_named_well<'Y'>},
    {"keys.method_name",
     {"R3720-11.1-07", "R3720-11.1-10"},
     Judged::both,
     kLogin,
     list_extension_is_named_well<'Z'>},
    {"keys.srp_group", {"R3720-13-l01"}, Judged::both, kLogin, srp_group_is_an_item_label},
    {"keys.send_targets_in_full_feature",
     {"R3720-AppD-01", "R3720-AppD-l01"},
     Judged::initiator,
     pdus(Opcode::login_request, Opcode::text_request),
     send_targets_waits_for_full_feature},
    {"keys.send_targets",
     {"R3720-AppD-06"},
     Judged::initiator,
     pdus(Opcode::text_request),
     send_targets_is_its_name},
    {"keys.send_targets_value",
     {"R3720-AppD-l02"},
     Judged::initiator,
     pdus(Opcode::text_request),
     send_targets_asks_for_targets},
    {"keys.address_group",
     {"R3720-12.8-02"},
     Judged::target,
     pdus(Opcode::text_response),
     address_has_its_group},
};

}  // namespace

std::span<const Rule> key_rules() { return kRules; }

}  // namespace tsih::judge
