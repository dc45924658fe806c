#include "target/config/secrets.h"

#include <fmt/format.h>

#include <map>

namespace tsihd::config {
namespace {

using session::ChapCredentials;

struct Secret {
  std::string_view text;
  std::string path;
  std::string_view owner;  ///< whom alone it should authenticate; empty: nobody in particular
};

struct Secrets {
  std::vector<Secret> of_initiators, of_targets;
};

void add(const ChapCredentials& chap, std::string_view path, std::string_view initiator,
         std::string_view target, Secrets& secrets) {
  if (!chap.password.empty())
    secrets.of_initiators.push_back({chap.password, fmt::format("{}password", path), initiator});
  if (!chap.mutual_password.empty())
    secrets.of_targets.push_back(
        {chap.mutual_password, fmt::format("{}mutual_password", path), target});
}

Secrets all_secrets(const Plan& plan) {
  Secrets secrets;
  for (std::size_t t = 0; t < plan.targets.size(); ++t) {
    const TargetPlan& target = plan.targets[t];
    for (std::size_t g = 0; g < target.groups.size(); ++g) {
      const PortalGroupPlan& group = target.groups[g];
      const std::string path = fmt::format("targets[{}].tpgs[{}].", t, g);
      add(group.chap, path + "chap_", {}, target.name, secrets);
      for (std::size_t a = 0; a < group.acls.size(); ++a) {
        const session::NodeAcl& acl = group.acls[a].acl;
        add(acl.chap, fmt::format("{}node_acls[{}].chap_", path, a), acl.initiator_name,
            target.name, secrets);
      }
    }
  }
  add(plan.discovery_chap, "discovery_", {}, {}, secrets);
  return secrets;
}

// The first pair of different owners with one secret, and how many more share it with the first.
void warn_of_sharing(const std::vector<Secret>& secrets, std::string_view owners,
                     std::vector<std::string>& warnings) {
  std::map<std::string_view, std::vector<const Secret*>> by_text;
  for (const Secret& secret : secrets) {
    if (secret.owner.empty()) continue;
    auto& same = by_text[secret.text];
    if (same.empty() || same.front()->owner != secret.owner) same.push_back(&secret);
  }
  for (const auto& [text, same] : by_text) {
    if (same.size() < 2) continue;
    warnings.push_back(fmt::format(
        "one CHAP secret serves several {}: {} and {}{}; each can pose as the others (RFC 3720 "
        "8.2.1), give each its own",
        owners, same[0]->path, same[1]->path,
        same.size() > 2 ? fmt::format(" and {} more", same.size() - 2) : ""));
  }
}

}  // namespace

std::vector<std::string> secret_refusals(const Plan& plan) {
  const Secrets secrets = all_secrets(plan);
  std::map<std::string_view, std::string_view> initiators;
  for (const Secret& secret : secrets.of_initiators) initiators.emplace(secret.text, secret.path);
  std::vector<std::string> refusals;
  for (const Secret& secret : secrets.of_targets) {
    const auto same = initiators.find(secret.text);
    if (same == initiators.end()) continue;
    refusals.push_back(
        fmt::format("{}: the same as {}; no secret may authenticate initiators and targets (RFC "
                    "3720 8.2.1), choose another",
                    secret.path, same->second));
  }
  return refusals;
}

std::vector<std::string> secret_warnings(const Plan& plan) {
  const Secrets secrets = all_secrets(plan);
  std::vector<std::string> warnings;
  std::string first;
  std::size_t too_short = 0;
  for (const auto* list : {&secrets.of_initiators, &secrets.of_targets}) {
    for (const Secret& secret : *list) {
      if (secret.text.size() >= kMinSecretBytes) continue;
      if (too_short++ == 0) first = secret.path;
    }
  }
  if (too_short > 1) first += fmt::format(" and {} more", too_short - 1);
  if (too_short > 0) warnings.push_back(short_secret_warning(first));
  warn_of_sharing(secrets.of_initiators, "initiators", warnings);
  warn_of_sharing(secrets.of_targets, "targets", warnings);
  return warnings;
}

std::string short_secret_warning(std::string_view where) {
  return fmt::format(
      "CHAP secrets shorter than {} bytes: {}; without IPsec they can be guessed (RFC 3720 8.2.1), "
      "tsihd --make-secret makes a good one",
      kMinSecretBytes, where);
}

}  // namespace tsihd::config
