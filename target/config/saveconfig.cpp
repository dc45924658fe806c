#include "target/config/saveconfig.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>

#include "target/config/json_value.h"
#include "target/config/readers.h"
#include "target/config/rules.h"
#include "target/config/secrets.h"

namespace tsihd::config {
namespace {

void read_fabric_module(const Value& entry, Plan& plan) {
  Object object(entry);
  if (auto value = object.require("name")) {
    auto name = value->text();
    if (name && *name != "iscsi") {
      value->refuse("only the iscsi fabric is supported, got " + value->shown());
    }
  }
  if (auto value = object.take("discovery_enable_auth")) {
    if (auto on = value->boolean()) plan.discovery_authentication = *on;
  }
  read_chap(object, "discovery_", plan.discovery_chap);
  object.finish("fabric module field");
  if (plan.discovery_authentication && plan.discovery_chap.userid.empty()) {
    object.refuse("discovery_enable_auth is on without a discovery_userid; set one");
  }
}

Result<void> set_all(PortalGroupPlan& group, const std::vector<Setting>& settings,
                     void (*read)(const Value&, PortalGroupPlan&)) {
  nlohmann::json object = nlohmann::json::object();
  for (const Setting& setting : settings) {
    if (object.contains(setting.name)) {
      return fail(fmt::format("{}: given twice; leave one out", setting.name));
    }
    object[setting.name] = setting.value;
  }
  Refusals refusals;
  PortalGroupPlan changed = group;
  read(Value(object, "", refusals), changed);
  if (!refusals.empty()) return fail(refusals.lines().front());
  group = std::move(changed);
  return {};
}

/// At most one byte more than a configuration may have, so that a longer one is refused as such.
Result<std::string> read_file(const std::string& file) {
  errno = 0;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "rbe"), fclose);
  std::string text;
  std::array<char, 1 << 16> chunk;
  while (stream && text.size() <= kMaxConfigBytes) {
    std::size_t bytes = std::fread(chunk.data(), 1, chunk.size(), stream.get());
    text.append(chunk.data(), bytes);
    if (bytes == 0) break;
  }
  if (stream && !std::ferror(stream.get())) return text;
  return fail(
      fmt::format("{}: cannot be read: {}; give --config a file that targetcli saveconfig wrote",
                  file, std::strerror(errno)));
}

template <class Noun>
void describe(std::string& text, std::string_view title, std::span<const Honoured<Noun>> honoured,
              std::span<const Inert> inert) {
  text += fmt::format("{}\n", title);
  for (const auto& rule : honoured) text += fmt::format("  {:28} {}\n", rule.name, rule.meaning);
  for (const auto& rule : inert) {
    text += fmt::format("  {:28} no effect ({}): {}\n", rule.name,
                        rule.accepted == "*" ? "any number" : rule.accepted, rule.why);
  }
}

}  // namespace

void read_chap(Object& object, std::string_view prefix, session::ChapCredentials& chap) {
  struct Field {
    std::string_view name;
    std::string* into;
  };
  // The names live as long as the object asks for them: it keeps views for its hints.
  const bool chap_prefix = prefix == "chap_";
  const Field fields[] = {
      {chap_prefix ? "chap_userid" : "discovery_userid", &chap.userid},
      {chap_prefix ? "chap_password" : "discovery_password", &chap.password},
      {chap_prefix ? "chap_mutual_userid" : "discovery_mutual_userid", &chap.mutual_userid},
      {chap_prefix ? "chap_mutual_password" : "discovery_mutual_password", &chap.mutual_password}};
  for (const Field& field : fields) {
    auto value = object.take(field.name);
    if (!value || value->is_null()) continue;
    if (auto text = value->text(255)) *field.into = *text;
  }
  auto pair = [&](const std::string& userid, const std::string& password, std::string_view which) {
    if (userid.empty() == password.empty()) return;
    object.refuse(fmt::format("{}{}userid and {}{}password belong together and one is missing",
                              prefix, which, prefix, which));
  };
  pair(chap.userid, chap.password, "");
  pair(chap.mutual_userid, chap.mutual_password, "mutual_");
  if (chap.userid.empty() && !chap.mutual_userid.empty()) {
    object.refuse(
        fmt::format("{}mutual_userid without {}userid: the target only answers an "
                    "initiator that has answered it; set both",
                    prefix, prefix));
  }
}

void read_fabric_modules(const Value& list, Plan& plan) {
  for (const Value& entry : list.elements(16)) read_fabric_module(entry, plan);
}

std::expected<Plan, RefusalLines> read_saveconfig(std::string_view json_text) {
  auto document = parse_json(json_text);
  if (!document) return std::unexpected(RefusalLines{document.error().message});
  Refusals refusals;
  Plan plan;
  Object root(Value(*document, "", refusals));
  if (auto list = root.take("storage_objects")) read_storage_objects(*list, plan);
  if (auto list = root.take("targets")) read_targets(*list, plan);
  if (auto list = root.take("fabric_modules")) read_fabric_modules(*list, plan);
  root.finish();
  if (!refusals.empty()) return std::unexpected(refusals.lines());
  if (auto lines = secret_refusals(plan); !lines.empty()) return std::unexpected(lines);
  std::ranges::move(secret_warnings(plan), std::back_inserter(plan.warnings));
  return plan;
}

std::expected<Plan, RefusalLines> read_saveconfig_file(const std::string& file) {
  auto text = read_file(file);
  if (!text) return std::unexpected(RefusalLines{text.error().message});
  auto plan = read_saveconfig(*text);
  if (plan) return plan;
  RefusalLines lines;
  for (const std::string& line : plan.error()) lines.push_back(fmt::format("{}: {}", file, line));
  return std::unexpected(lines);
}

Result<void> set_group_attributes(PortalGroupPlan& group, const std::vector<Setting>& settings) {
  return set_all(group, settings, read_group_attributes);
}

Result<void> set_group_parameters(PortalGroupPlan& group, const std::vector<Setting>& settings) {
  return set_all(group, settings, read_group_parameters);
}

std::string describe_attributes() {
  std::string text;
  describe(text, "storage_objects[].attributes", storage_attributes(), inert_storage_attributes());
  describe(text, "storage_objects[].alua_tpgs[]", alua_group_fields(), inert_alua_group_fields());
  describe<TargetPlan>(text, "targets[].parameters", {}, inert_target_parameters());
  describe(text, "targets[].tpgs[].attributes", group_attributes(), inert_group_attributes());
  describe(text, "targets[].tpgs[].parameters", parameters(), inert_parameters());
  describe(text, "targets[].tpgs[].node_acls[].attributes", acl_attributes(),
           inert_acl_attributes());
  return text;
}

}  // namespace tsihd::config
