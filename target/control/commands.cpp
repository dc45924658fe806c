#include "target/control/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "target/config/json_value.h"
#include "target/config/names.h"
#include "target/config/size.h"
#include "target/control/statistics.h"

namespace tsihd::control {
namespace {

using config::Disk;
using config::Object;
using nlohmann::json;
using Answer = Result<json>;

json bounded(std::uint64_t value) { return json(value); }

std::string isid_text(const std::array<std::uint8_t, 6>& isid) {
  std::string text = "0x";
  for (std::uint8_t byte : isid) text += fmt::format("{:02x}", byte);
  return text;
}

json session_json(const session::SessionInfo& info) {
  const auto& p = info.parameters;
  json shown{{"id", info.id},
             {"type", info.type == session::SessionType::normal ? "normal" : "discovery"},
             {"initiator", info.initiator_name},
             {"initiator_alias", info.initiator_alias},
             {"isid", isid_text(info.isid)},
             {"tsih", info.tsih},
             {"cid", info.cid},
             {"target", info.target_name},
             {"portal_group_tag", info.portal_group_tag},
             {"peer", info.peer},
             {"portal", info.portal},
             {"connections", json::array()},
             {"connections_awaited", info.connections_awaited},
             {"age_s", info.age_s},
             {"idle_s", info.idle_s},
             {"commands", info.commands},
             {"commands_active", info.commands_active},
             {"ending", info.ending}};
  for (const auto& connection : info.connections)
    shown["connections"].push_back(
        {{"cid", connection.cid}, {"peer", connection.peer}, {"portal", connection.portal}});
  shown["parameters"] = {{"HeaderDigest", p.header_digest ? "CRC32C" : "None"},
                         {"DataDigest", p.data_digest ? "CRC32C" : "None"},
                         {"InitialR2T", p.initial_r2t ? "Yes" : "No"},
                         {"ImmediateData", p.immediate_data ? "Yes" : "No"},
                         {"MaxBurstLength", p.max_burst_length_bytes},
                         {"FirstBurstLength", p.first_burst_length_bytes},
                         {"MaxOutstandingR2T", p.max_outstanding_r2t},
                         {"MaxConnections", p.max_connections},
                         {"ErrorRecoveryLevel", p.error_recovery_level}};
  return shown;
}

json sessions_json(const session::Service& service) {
  json list = json::array();
  for (const auto& info : service.sessions()) list.push_back(session_json(info));
  return list;
}

json fences_json(const session::Service& service) {
  json list = json::array();
  for (const auto& fence : service.fences()) {
    list.push_back({{"initiator", fence.initiator_name},
                    {"target", fence.target_name},
                    {"portal_group_tag", fence.portal_group_tag},
                    {"address", fence.address},
                    {"remaining_s", fence.remaining_s}});
  }
  return list;
}

/// Where a disk is mapped: for everyone of the group, or for one initiator.
void add_mappings(const session::TargetNode& target, const session::PortalGroup& group,
                  const scsi::LogicalUnit* unit, json& list) {
  auto add = [&](const scsi::LunMap& map, const std::string& initiator) {
    for (const auto& [number, entry] : map.entries) {
      if (entry.unit.get() != unit) continue;
      json mapping{{"target", target.name},
                   {"portal_group_tag", group.tag},
                   {"lun", number},
                   {"write_protected", entry.write_protected}};
      if (!initiator.empty()) mapping["initiator"] = initiator;
      list.push_back(std::move(mapping));
    }
  };
  add(group.luns, "");
  for (const auto& [name, acl] : group.acls) add(acl.luns, name);
}

json disk_json(const Disk& disk, const session::Inventory& inventory) {
  const backstore::Geometry& geometry = disk.unit->backstore().geometry();
  json mappings = json::array();
  for (const auto& target : inventory.targets) {
    for (const auto& group : target->portal_groups) {
      add_mappings(*target, *group, disk.unit.get(), mappings);
    }
  }
  return {{"plugin", config::plugin_name(disk.plugin)},
          {"name", disk.name},
          {"device", disk.device},
          {"serial", disk.unit->identity().serial},
          {"size_bytes", bounded(geometry.size_bytes)},
          {"block_size_bytes", geometry.block_size_bytes},
          {"read_only", geometry.read_only},
          {"mappings", std::move(mappings)}};
}

json portals_json(const session::Inventory& inventory) {
  json list = json::array();
  for (const auto& target : inventory.targets) {
    for (const auto& group : target->portal_groups) {
      json portals = json::array();
      for (const auto& portal : group->portals) {
        portals.push_back(config::show_portal(portal.address, portal.port));
      }
      list.push_back({{"target", target->name},
                      {"portal_group_tag", group->tag},
                      {"enabled", group->enabled},
                      {"portals", std::move(portals)}});
    }
  }
  return list;
}

Result<const Disk*> find_disk(const Subject& subject, const std::string& name) {
  const Disk* found = nullptr;
  for (const Disk& disk : subject.disks) {
    bool whole = name == fmt::format("{}/{}", config::plugin_name(disk.plugin), disk.name);
    if (whole) return &disk;
    if (disk.name != name) continue;
    if (found != nullptr) {
      return fail(fmt::format("two storage objects are named \"{}\"; say {}/{} or {}/{}", name,
                              config::plugin_name(found->plugin), name,
                              config::plugin_name(disk.plugin), name));
    }
    found = &disk;
  }
  if (found != nullptr) return found;
  std::vector<std::string_view> known;
  for (const Disk& disk : subject.disks) known.push_back(disk.name);
  auto near = config::nearest_name(name, known);
  return fail(
      near.empty()
          ? fmt::format("no storage object is named \"{}\"; see tsihctl luns", name)
          : fmt::format("no storage object is named \"{}\"; did you mean \"{}\"?", name, near));
}

/// The text argument `name`; refusals are collected by the object.
std::string text_argument(Object& arguments, std::string_view name) {
  auto value = arguments.require(name);
  auto text = value ? value->text() : std::nullopt;
  return text.value_or("");
}

Answer ping(const Subject&, Object&) { return json{{"pid", getpid()}}; }

Answer status(const Subject& subject, Object&) {
  const auto& service = subject.service;
  json targets = portals_json(subject.service.inventory());
  return json{{"pid", getpid()},
              {"targets", std::move(targets)},
              {"sessions", sessions_json(service)},
              {"fences", fences_json(service)},
              {"shutting_down", service.shutting_down()}};
}

Answer sessions(const Subject& subject, Object&) {
  return json{{"sessions", sessions_json(subject.service)}};
}

Answer luns(const Subject& subject, Object&) {
  json list = json::array();
  for (const Disk& disk : subject.disks) {
    list.push_back(disk_json(disk, subject.service.inventory()));
  }
  return json{{"luns", std::move(list)}};
}

Answer stats(const Subject& subject, Object&) {
  json counters = json::object();
  for (const auto& [name, value] : named_counters(subject.service.counters())) {
    counters[name] = value;
  }
  return json{{"counters", std::move(counters)}};
}

json size_answer(const Disk& disk, bool changed) {
  return {{"name", disk.name},
          {"plugin", config::plugin_name(disk.plugin)},
          {"size_bytes", disk.unit->backstore().geometry().size_bytes},
          {"changed", changed}};
}

Answer refresh_disk(const Disk& disk) {
  auto changed = disk.unit->refresh_capacity();
  if (!changed) return std::unexpected(changed.error());
  return size_answer(disk, *changed);
}

Answer refresh(const Subject& subject, Object& arguments) {
  auto disk = find_disk(subject, text_argument(arguments, "name"));
  if (!disk) return std::unexpected(disk.error());
  return refresh_disk(**disk);
}

/// A file or a ramdisk is made larger or smaller. A block device is its owner's: it is looked at
/// again, and must then have the size that was asked for.
Answer resize(const Subject& subject, Object& arguments) {
  auto disk = find_disk(subject, text_argument(arguments, "name"));
  auto size = config::parse_size_bytes(text_argument(arguments, "size"));
  if (!disk) return std::unexpected(disk.error());
  if (!size) return std::unexpected(size.error());
  const Disk& chosen = **disk;
  std::uint64_t before = chosen.unit->backstore().geometry().size_bytes;
  if (chosen.plugin == config::Plugin::block) {
    auto answer = refresh_disk(chosen);
    if (!answer) return answer;
    std::uint64_t has = chosen.unit->backstore().geometry().size_bytes;
    if (has == *size) return answer;
    return fail(
        fmt::format("{} is a block device and has {}; its owner sizes it: lvresize -L {}b {}",
                    chosen.name, config::show_size_bytes(has), *size, chosen.device));
  }
  if (auto done = chosen.unit->resize(*size); !done) return std::unexpected(done.error());
  return size_answer(chosen, chosen.unit->backstore().geometry().size_bytes != before);
}

Answer unfence(const Subject& subject, Object& arguments) {
  std::string initiator = text_argument(arguments, "initiator");
  auto name = config::normal_iscsi_name(initiator);
  if (!name) return std::unexpected(name.error());
  auto lifted = subject.service.unfence(*name);
  if (lifted == 0) return fail(fmt::format("{} is not fenced; see tsihctl status", *name));
  return json{{"initiator", *name}, {"lifted", lifted}};
}

/// Does `act` to the session whose number is in the request.
template <class Act>
Answer with_session(Object& arguments, Act act) {
  auto value = arguments.require("session");
  auto id = value ? value->number(0, INT64_MAX) : std::nullopt;
  if (!id) return fail("expected the number of a session; see tsihctl sessions");
  auto done = act(static_cast<std::uint64_t>(*id));
  if (!done) return std::unexpected(done.error());
  return json{{"session", *id}};
}

Answer logout(const Subject& subject, Object& arguments) {
  return with_session(arguments, [&](auto id) { return subject.service.logout(id); });
}

Answer negotiate(const Subject& subject, Object& arguments) {
  return with_session(arguments, [&](auto id) { return subject.service.request_negotiation(id); });
}

Answer drop(const Subject& subject, Object& arguments) {
  std::optional<std::uint16_t> cid;
  if (auto value = arguments.take("cid")) {
    auto read = value->number(0, 65535);
    if (!read) return fail("expected a CID from 0 to 65535; see tsihctl sessions --json");
    cid = static_cast<std::uint16_t>(*read);
  }
  return with_session(arguments, [&](auto id) { return subject.service.drop(id, cid); });
}

struct Command {
  std::string_view name;
  std::vector<std::string_view> arguments;
  Answer (*run)(const Subject&, Object&);
  std::string_view optional{};  ///< an argument that may be left out
};

const std::vector<Command>& commands() {
  static const std::vector<Command> list{
      {"ping", {}, ping},
      {"status", {}, status},
      {"sessions", {}, sessions},
      {"luns", {}, luns},
      {"stats", {}, stats},
      {"resize", {"name", "size"}, resize},
      {"refresh", {"name"}, refresh},
      {"unfence", {"initiator"}, unfence},
      {"logout", {"session"}, logout},
      {"drop", {"session"}, drop, "cid"},
      {"negotiate", {"session"}, negotiate},
  };
  return list;
}

/// Checks the whole request before anything is done: a misspelt argument changes nothing.
Answer answer(const Subject& subject, std::string_view request) {
  auto document = config::parse_json(request);
  if (!document) return std::unexpected(document.error());
  config::Refusals refusals;
  Object object(config::Value(*document, "", refusals));
  std::string name = text_argument(object, "command");
  const Command* chosen = nullptr;
  std::vector<std::string_view> known;
  for (const Command& command : commands()) {
    known.push_back(command.name);
    if (command.name == name) chosen = &command;
  }
  if (refusals.empty() && chosen == nullptr) {
    auto near = config::nearest_name(name, known);
    return fail(fmt::format(
        "no such command: \"{}\"; {}", name.substr(0, 64),
        near.empty() ? "see tsihctl --help" : fmt::format("did you mean \"{}\"?", near)));
  }
  if (chosen != nullptr) {
    for (std::string_view argument : chosen->arguments) object.require(argument);
    if (!chosen->optional.empty()) object.take(chosen->optional);
  }
  object.finish("argument");
  if (!refusals.empty()) return fail(refusals.lines().front());
  auto result = chosen->run(subject, object);
  if (result && !refusals.empty()) return fail(refusals.lines().front());
  return result;
}

}  // namespace

std::string execute(const Subject& subject, std::string_view request) {
  auto result = answer(subject, request);
  json shown = result ? std::move(*result) : json{{"error", result.error().message}};
  shown["ok"] = result.has_value();
  return shown.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace tsihd::control
