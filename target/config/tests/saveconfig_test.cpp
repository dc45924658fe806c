// LIO's saved configuration: what a real one says arrives in the plan; nothing in it is skipped.
#include "target/config/saveconfig.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "target/config/rules.h"

using namespace tsihd;
using namespace tsihd::config;
using nlohmann::json;

namespace {

json sample() {
  std::ifstream file(TSIH_TEST_DATA "/saveconfig.json");
  return json::parse(file);
}

std::string first_refusal(const json& document) {
  auto plan = read_saveconfig(document.dump());
  return plan ? "" : plan.error().front();
}

/// `/targets/0/tag` as refusals write it: `targets[0].tag`.
std::string shown_path(const std::string& pointer) {
  std::string path;
  for (std::size_t at = 1; at < pointer.size();) {
    std::size_t slash = std::min(pointer.find('/', at), pointer.size());
    std::string part = pointer.substr(at, slash - at);
    bool index = part.find_first_not_of("0123456789") == std::string::npos;
    path += index ? "[" + part + "]" : (path.empty() ? "" : ".") + part;
    at = slash + 1;
  }
  return path;
}

bool refused_at(const json& document, const std::string& path) {
  auto plan = read_saveconfig(document.dump());
  if (plan) return false;
  for (const std::string& line : plan.error()) {
    if (line.starts_with(path + ":")) return true;
  }
  return false;
}

std::string chap_text(const session::ChapCredentials& chap) {
  return chap.userid + "/" + chap.password + "/" + chap.mutual_userid + "/" + chap.mutual_password;
}

/// Everything that a plan says, so that a change of one attribute can be seen.
std::string fingerprint(const Plan& plan) {
  std::string text =
      fmt::format("{} {}\n", plan.discovery_authentication, chap_text(plan.discovery_chap));
  for (const auto& s : plan.storage) {
    text += fmt::format("{} {} {} {} {} {} {} {} {} {}\n", plugin_name(s.plugin), s.name, s.device,
                        s.serial, s.size_bytes, s.write_back, s.read_only, s.block_size_bytes,
                        s.model_is_name, s.third_party_copy);
    const auto& u = s.unit;
    text += fmt::format("{} {} {} {} {} {} {} {} {} {}\n", u.unmap, u.unmap_by_write_same,
                        u.compare_and_write, u.reservations, u.operation_codes,
                        u.task_aborted_status, u.restricted_reordering, u.attention_interlock,
                        u.force_persistence, u.rotational.value_or(false)) +
            fmt::format("{} {} {} {} {} {} {}", u.port_groups, u.max_unmap_blocks,
                        u.max_unmap_descriptors, u.max_write_same_blocks, u.optimal_transfer_blocks,
                        u.unmap_granularity_blocks, u.unmap_alignment_blocks);
  }
  for (const auto& target : plan.targets) {
    text += target.name + "\n";
    for (const auto& g : target.groups) {
      const auto& a = g.attributes;
      const auto& o = g.offered;
      text +=
          fmt::format("{} {} | {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} |", g.tag, g.enabled,
                      a.authentication, a.generate_node_acls, a.demo_mode_write_protect,
                      a.prod_mode_write_protect, a.demo_mode_discovery, a.default_cmdsn_depth,
                      a.login_timeout_s, a.nop_in_interval_s, a.nop_in_response_timeout_s,
                      a.max_sessions, static_cast<int>(a.session_guard), a.guard_probe_ms,
                      a.fence_hold_s, a.guard_refusal_status, a.scsi_events);
      text += fmt::format(
          " {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} | {}", o.header_digest_crc32c,
          o.header_digest_none, o.data_digest_crc32c, o.data_digest_none, o.max_connections,
          o.initial_r2t, o.immediate_data, o.max_recv_data_segment_length_bytes,
          o.max_burst_length_bytes, o.first_burst_length_bytes, o.default_time2wait_s,
          o.default_time2retain_s, o.max_outstanding_r2t, o.data_pdu_in_order,
          o.data_sequence_in_order, o.error_recovery_level, o.target_alias, chap_text(g.chap));
      text += g.chap_offered ? " chap" : "";
      for (const auto& p : g.portals) text += fmt::format(" {}:{}", p.address, p.port);
      for (const auto& l : g.luns) text += fmt::format(" {}={}", l.index, l.storage);
      for (const auto& acl : g.acls) {
        text += fmt::format("\n {} {} auth={} nop={}/{}", acl.acl.initiator_name,
                            chap_text(acl.acl.chap),
                            acl.acl.authentication ? int(*acl.acl.authentication) : -1,
                            acl.acl.nop_in_interval_s.value_or(999),
                            acl.acl.nop_in_response_timeout_s.value_or(999));
        for (const auto& m : acl.mapped_luns) {
          text += fmt::format(" {}<-{}{}", m.index, m.tpg_lun, m.write_protect ? "ro" : "");
        }
      }
      text += "\n";
    }
  }
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(saveconfig)

// Red when a configuration of LIO's tools no longer loads as it is, or a part of it gets lost.
BOOST_AUTO_TEST_CASE(a_real_configuration_loads_unchanged) {
  auto plan = read_saveconfig(sample().dump());
  BOOST_TEST_REQUIRE(plan.has_value(), plan.error().front());
  BOOST_TEST_REQUIRE(plan->storage.size() == 3u);
  BOOST_TEST(plan->storage[0].device == "/srv/disks/first.img");
  BOOST_TEST(plan->storage[0].write_back);
  BOOST_TEST(plan->storage[0].size_bytes == 1ull << 30);
  BOOST_TEST(plan->storage[0].serial == "3b9a4a21-54c7-4cb6-9b0e-0d9c1e6f7a10");
  BOOST_TEST((plan->storage[1].plugin == Plugin::block));
  BOOST_TEST(plan->storage[2].size_bytes == 64u << 20);
  BOOST_TEST_REQUIRE(plan->targets.size() == 2u);
  const auto& group = plan->targets[0].groups.at(0);
  BOOST_TEST(group.luns.size() == 2u);
  BOOST_TEST(group.portals.at(1).address == "::1");
  BOOST_TEST(group.offered.max_recv_data_segment_length_bytes == 262144u);
  BOOST_TEST(group.offered.target_alias == "LIO Target");
  BOOST_TEST_REQUIRE(group.acls.size() == 2u);
  BOOST_TEST(group.acls[0].acl.chap.userid == "alice");
  BOOST_TEST(group.acls[0].acl.chap.mutual_password == "looking-glass-34");
  BOOST_TEST(group.acls[0].mapped_luns.at(1).write_protect);
  BOOST_TEST(!group.acls[0].acl.authentication.has_value());
  BOOST_TEST(group.acls[1].acl.authentication.value() == false);
  BOOST_TEST(group.acls[1].acl.nop_in_interval_s.value() == 5u);
  BOOST_TEST(plan->targets[1].groups.at(0).attributes.generate_node_acls);
  BOOST_TEST(!plan->targets[1].groups.at(0).offered.initial_r2t);
  BOOST_TEST(plan->discovery_authentication);
  BOOST_TEST(plan->discovery_chap.userid == "scout");
}

// What rtslib-fb 2.1.75 saved on a Debian 12 kernel, byte for byte. Red when LIO writes something
// that we only think we know.
BOOST_AUTO_TEST_CASE(what_lio_itself_saved_loads) {
  auto plan = read_saveconfig_file(TSIH_TEST_DATA "/lio-6.1.json");
  BOOST_TEST_REQUIRE(plan.has_value(), plan.error().front());
  BOOST_TEST(plan->storage.size() == 3u);
  BOOST_TEST(plan->storage[2].name == "first");
  BOOST_TEST(!plan->storage[2].model_is_name);
  const auto& group = plan->targets.at(0).groups.at(0);
  BOOST_TEST(group.luns.size() == 3u);
  BOOST_TEST(group.acls.at(0).mapped_luns.size() == 3u);
  BOOST_TEST(group.acls[0].acl.chap.mutual_userid == "store");
  BOOST_TEST(group.portals.at(0).address == "0.0.0.0");
  BOOST_TEST(plan->discovery_authentication);
}

// Red when a group that LIO saved is not the one that its ports get, or its state gets lost.
BOOST_AUTO_TEST_CASE(target_port_groups_are_taken_over) {
  json changed = sample();
  changed["storage_objects"][0]["alua_tpgs"][1] = {{"name", "far"},
                                                   {"tg_pt_gp_id", 4},
                                                   {"alua_access_state", 2},
                                                   {"alua_access_type", 1},
                                                   {"alua_support_unavailable", 0},
                                                   {"implicit_trans_secs", 7},
                                                   {"preferred", 1}};
  changed["targets"][0]["tpgs"][0]["luns"][0]["alua_tg_pt_gp_name"] = "far";
  auto plan = read_saveconfig(changed.dump());
  BOOST_TEST_REQUIRE(plan.has_value());
  const auto& groups = plan->storage[0].port_groups;
  BOOST_TEST_REQUIRE(groups.size() == 2u);
  BOOST_TEST(groups[0].name == "default_tg_pt_gp");
  BOOST_TEST(groups[1].id == 4u);
  BOOST_TEST((groups[1].state == tsihd::scsi::AccessState::standby));
  BOOST_TEST((groups[1].implicit_access && !groups[1].explicit_access && groups[1].preferred));
  BOOST_TEST(groups[1].supported == 0x07u);
  BOOST_TEST(groups[1].implicit_transition_s == 7u);
  BOOST_TEST(plan->targets[0].groups[0].luns[0].port_group == "far");
  BOOST_TEST(plan->targets[0].groups[0].luns[1].port_group == "default_tg_pt_gp");
  // LIO always has the default group, also where only another is listed.
  changed["storage_objects"][0]["alua_tpgs"].erase(0);
  BOOST_TEST(read_saveconfig(changed.dump())->storage[0].port_groups.at(0).id == 0u);
}

// Red when any member of a configuration could be misspelt without a word.
BOOST_AUTO_TEST_CASE(every_member_that_is_not_known_is_refused_by_its_path) {
  json document = sample();
  std::size_t renamed = 0;
  const json leaves = document.flatten();
  for (const auto& [pointer, ignored] : leaves.items()) {
    json::json_pointer leaf(pointer), parent = leaf.parent_pointer();
    if (!document.at(parent).is_object()) continue;
    json changed = document;
    changed.at(parent)[leaf.back() + "_zz"] = changed.at(leaf);
    std::string path = shown_path(pointer) + "_zz";
    BOOST_TEST(refused_at(changed, path), path);
    ++renamed;
  }
  BOOST_TEST(renamed > 200u);  // the walk saw the whole sample
}

// Red when the value of any member is never looked at.
BOOST_AUTO_TEST_CASE(every_member_of_the_wrong_type_is_refused_by_its_path) {
  json document = sample();
  const json leaves = document.flatten();
  for (const auto& [pointer, ignored] : leaves.items()) {
    if (json::json_pointer(pointer).empty() || pointer.ends_with("/node_acls")) continue;
    json changed = document;
    changed.at(json::json_pointer(pointer)) = json{{"nonsense", 1}};
    BOOST_TEST(refused_at(changed, shown_path(pointer)), shown_path(pointer));
  }
}

// Red when an attribute or parameter is taken and then does nothing, without being declared so.
BOOST_AUTO_TEST_CASE(every_changed_attribute_is_honoured_refused_or_declared) {
  json document = sample();
  const std::string before = fingerprint(read_saveconfig(document.dump()).value());
  auto declared = [](const std::string& name) {
    for (auto table :
         {inert_storage_attributes(), inert_alua_group_fields(), inert_target_parameters(),
          inert_group_attributes(), inert_acl_attributes(), inert_parameters()}) {
      for (const Inert& rule : table) {
        if (rule.name == name && rule.accepted.find_first_of("|*") != std::string_view::npos) {
          return true;
        }
      }
    }
    return false;
  };
  const json leaves = document.flatten();
  for (const auto& [pointer, value] : leaves.items()) {
    json::json_pointer leaf(pointer);
    std::string group = leaf.parent_pointer().empty() ? "" : leaf.parent_pointer().back();
    if (group != "attributes" && group != "parameters") continue;
    json changed = document;
    if (value == "Yes" || value == "No") {
      changed.at(leaf) = value == "Yes" ? "No" : "Yes";
    } else if (value.is_string() && value.get<std::string>().find_first_of("0123456789") == 0) {
      changed.at(leaf) = std::to_string(std::stoi(value.get<std::string>()) + 1024);
    } else if (value.is_string()) {
      changed.at(leaf) = "None";
    } else if (value == 0 || value == 1) {
      changed.at(leaf) = 1 - value.get<int>();
    } else {
      changed.at(leaf) = value.get<int>() == -1 ? 1 : value.get<int>() + 1;
    }
    auto plan = read_saveconfig(changed.dump());
    bool accounted = !plan || fingerprint(*plan) != before || declared(leaf.back());
    BOOST_TEST(accounted, pointer);
  }
}

struct Refused {
  const char* pointer;
  json value;
  const char* says;
};

// Red when something that cannot be served is accepted, or refused without the way out.
BOOST_AUTO_TEST_CASE(what_is_not_supported_is_refused_with_reason_and_way_out) {
  const Refused cases[] = {
      {"/targets/0/tpgs/0/attributes/t10_pi", 1,
       "targets[0].tpgs[0].attributes.t10_pi: expected 0, got 1: T10 protection information is not "
       "offered; set it to 0"},
      {"/targets/0/tpgs/0/parameters/ErrorRecoveryLevel", "3", "from 0 to 2"},
      {"/targets/0/tpgs/0/parameters/MaxConnections", "0", "from 1 to 65535"},
      {"/targets/0/tpgs/0/parameters/FirstBurstLength", "524288", "exceeds MaxBurstLength"},
      {"/targets/0/tpgs/0/parameters/AuthMethod", "SRP", "expected a list of CHAP and None"},
      {"/targets/0/tpgs/0/parameters/AuthMethod", "None", "credentials that nobody could use"},
      {"/storage_objects/1/attributes/emulate_write_cache", 1, "a block device says itself"},
      {"/targets/0/tpgs/0/parameters/HeaderDigest", "", "expected a list of CRC32C and None"},
      {"/targets/0/tpgs/0/portals/0/iser", true, "RDMA"},
      {"/targets/0/tpgs/0/portals/0/ip_address", "store.example.org", "expected an IP address"},
      {"/targets/0/tpgs/0/portals/1", {{"ip_address", "0.0.0.0"}, {"port", 3260}}, "stands twice"},
      {"/targets/0/tpgs/0/luns/1/index", 0, "LUN 0 is already mapped"},
      {"/targets/0/tpgs/0/luns/1/index", 16384, "from 0 to 16383"},
      {"/targets/0/tpgs/0/luns/0/storage_object", "/backstores/fileio/none",
       "one of storage_objects"},
      {"/targets/0/tpgs/0/node_acls/0/mapped_luns/0/tpg_lun", 5, "none of the portal group's luns"},
      {"/targets/0/tpgs/0/node_acls/1/node_wwn", "iqn.1993-08.org.debian:01:C0FFEE",
       "already has an ACL"},
      {"/targets/0/tpgs/0/node_acls/0/node_wwn", "iqn.1993-08.org.debian:a_b",
       "targets[0].tpgs[0].node_acls[0].node_wwn: expected an iSCSI name such as "
       "iqn.2026-11.org.example:disk, got \"iqn.1993-08.org.debian:a_b\": only letters, digits"},
      {"/targets/0/wwn", "iqn.2003-01.org.example:\u05d0", "both writing directions"},
      {"/targets/0/tpgs/0/node_acls/0/chap_mutual_password", "wonderland-12", "choose another"},
      {"/targets/0/tpgs/0/node_acls/0/chap_password", nullptr, "belong together"},
      {"/targets/0/tpgs/0/chap_mutual_userid", "x", "one is missing"},
      {"/targets/0/tpgs/0/attributes/authentication", 2, "expected true or false"},
      {"/targets/1/tpgs/0/attributes/authentication", 1, "nobody could log in"},
      {"/targets/1/wwn", "iqn.2003-01.org.linux-iscsi.store.x8664:sn.5f0c1e2d3b4a", "twice"},
      {"/targets/1/fabric", "loopback", "only iscsi"},
      {"/fabric_modules/0/name", "qla2xxx", "only the iscsi fabric"},
      {"/storage_objects/0/plugin", "user",
       "storage_objects[0].plugin: user storage objects are not supported; use block"},
      {"/storage_objects/0/attributes/pgr_support", 0, "no device that could"},
      {"/storage_objects/0/attributes/block_size", 1024, "512 or 4096"},
      {"/storage_objects/0/attributes/emulate_write_cache", 0, "contradicts"},
      {"/storage_objects/1/wwn", "3b9a4a21-54c7-4cb6-9b0e-0d9c1e6f7a10", "one disk"},
      {"/storage_objects/0/alua_tpgs/0/alua_access_state", 14, "from 0 to 3"},
      {"/storage_objects/0/alua_tpgs/0/alua_support_active_optimized", 0, "rules out"},
      {"/storage_objects/0/alua_tpgs/1", {{"name", "second"}}, "give each its own"},
      {"/storage_objects/0/alua_tpgs/0/name", "second", "give each its own"},
      {"/targets/0/tpgs/0/luns/0/alua_tg_pt_gp_name", "second", "or one of the alua_tpgs"},
      {"/storage_objects/2/nullio", true, "keeps what is written"},
      {"/storage_objects/2/size", 0, "from 512"},
      {"/storage_objects/0/name", "a/b", "without slashes"},
  };
  for (const Refused& refused : cases) {
    json changed = sample();
    changed[json::json_pointer(refused.pointer)] = refused.value;
    std::string line = first_refusal(changed);
    BOOST_TEST(line.find(refused.says) != std::string::npos, refused.pointer << " got: " << line);
  }
}

BOOST_AUTO_TEST_CASE(what_must_be_there_is_missed_by_name) {
  for (const char* pointer :
       {"/storage_objects/0/plugin", "/storage_objects/0/name", "/storage_objects/0/dev",
        "/storage_objects/2/size", "/targets/0/wwn", "/targets/0/fabric", "/targets/0/tpgs/0/tag",
        "/targets/0/tpgs/0/luns/0/index", "/targets/0/tpgs/0/luns/0/storage_object",
        "/targets/0/tpgs/0/portals/0/port", "/targets/0/tpgs/0/portals/0/ip_address",
        "/targets/0/tpgs/0/node_acls/0/node_wwn",
        "/targets/0/tpgs/0/node_acls/0/mapped_luns/0/tpg_lun"}) {
    json changed = sample();
    json::json_pointer leaf(pointer);
    changed.at(leaf.parent_pointer()).erase(leaf.back());
    auto says = "expected \"" + leaf.back() + "\" here, and it is missing";
    BOOST_TEST(first_refusal(changed).find(says) != std::string::npos, pointer);
  }
}

// Red when an object without a wwn changes its identity between two starts, or shares another's.
BOOST_AUTO_TEST_CASE(a_missing_serial_is_stable_and_unique) {
  json changed = sample();
  for (auto& object : changed["storage_objects"]) object.erase("wwn");
  auto first = read_saveconfig(changed.dump()).value();
  auto second = read_saveconfig(changed.dump()).value();
  BOOST_TEST(first.storage[0].serial == second.storage[0].serial);
  BOOST_TEST(first.storage[0].serial != first.storage[1].serial);
  BOOST_TEST(first.storage[0].serial.size() == 36u);
}

// Red when a name is kept as it was written and no login would find it (RFC 3722).
BOOST_AUTO_TEST_CASE(names_are_prepared) {
  json changed = sample();
  changed["targets"][0]["wwn"] = "iqn.2003-01.org.example:\uff24isk";  // full width D
  changed["targets"][0]["tpgs"][0]["node_acls"][0]["node_wwn"] = "iqn.1993-08.org.debian:A\u0308";
  auto plan = read_saveconfig(changed.dump());
  BOOST_TEST_REQUIRE(plan.has_value());
  BOOST_TEST(plan->targets[0].name == "iqn.2003-01.org.example:disk");
  BOOST_TEST(plan->targets[0].groups[0].acls[0].acl.initiator_name ==
             "iqn.1993-08.org.debian:\u00e4");
}

// Red when a weak secret goes without a word (RFC 3720 8.2.1), or stops what could be served.
BOOST_AUTO_TEST_CASE(weak_secrets_are_warned_of) {
  json changed = sample();
  BOOST_TEST(read_saveconfig(changed.dump())->warnings.empty());
  changed["targets"][0]["tpgs"][0]["node_acls"][0]["chap_password"] = "short";
  auto plan = read_saveconfig(changed.dump());
  BOOST_TEST_REQUIRE(plan.has_value());
  BOOST_TEST_REQUIRE(plan->warnings.size() == 1u);
  BOOST_TEST(plan->warnings[0].find("targets[0].tpgs[0].node_acls[0].chap_password") !=
             std::string::npos);
}

// Red when the guard's attributes do not arrive.
/// As LIO's tools save one: no wwn, no size, and reservations left to the device.
json with_pscsi() {
  json changed = sample();
  json& storage = changed["storage_objects"][1];
  storage = {{"plugin", "pscsi"},
             {"name", "data"},
             {"dev", "1:0:0:0"},
             {"attributes", {{"alua_support", 1}, {"emulate_pr", 1}, {"pgr_support", 0}}}};
  std::string text = changed.dump();
  for (std::size_t at; (at = text.find("/backstores/block/data")) != std::string::npos;)
    text.replace(at, 22, "/backstores/pscsi/data");
  return json::parse(text);
}

BOOST_AUTO_TEST_CASE(a_scsi_device_is_passed_through) {
  const auto plan = read_saveconfig(with_pscsi().dump());
  BOOST_TEST_REQUIRE(plan.has_value(), first_refusal(with_pscsi()));
  const StoragePlan& storage = plan->storage.at(1);
  BOOST_TEST((storage.plugin == Plugin::pscsi));
  BOOST_TEST(storage.device == "1:0:0:0");
  BOOST_TEST(storage.device_reserves);
  BOOST_TEST_REQUIRE(plan->warnings.size() == 1u);
  BOOST_TEST(plan->warnings[0].find("storage_objects[1]: reservations are passed") == 0u);
  json kept = with_pscsi();
  kept["storage_objects"][1]["attributes"]["pgr_support"] = 1;
  BOOST_TEST(!read_saveconfig(kept.dump())->storage.at(1).device_reserves);
  BOOST_TEST(read_saveconfig(kept.dump())->warnings.empty());
}

BOOST_AUTO_TEST_CASE(our_own_attributes) {
  json changed = sample();
  auto& attributes = changed["targets"][0]["tpgs"][0]["attributes"];
  attributes.update({{"max_sessions", 1},
                     {"session_guard", "fence"},
                     {"guard_probe_ms", 250},
                     {"fence_hold_s", 7},
                     {"guard_refusal_status", 770}});
  auto plan = read_saveconfig(changed.dump());
  BOOST_TEST_REQUIRE(plan.has_value(), plan.error().front());
  const auto& read = plan->targets[0].groups[0].attributes;
  BOOST_TEST(read.max_sessions == 1u);
  BOOST_TEST((read.session_guard == session::GuardMode::fence));
  BOOST_TEST(read.guard_probe_ms == 250u);
  BOOST_TEST(read.fence_hold_s == 7u);
  BOOST_TEST(read.guard_refusal_status == 0x0302);
  attributes["session_guard"] = "on";
  BOOST_TEST(first_refusal(changed) ==
             "targets[0].tpgs[0].attributes.session_guard: expected \"off\", \"reject\" or "
             "\"fence\", got \"on\"");
  attributes["session_guard"] = "off";
  attributes["guard_refusal_status"] = 600;
  BOOST_TEST(first_refusal(changed).find("expected a login status") != std::string::npos);
}

// Red when a redirection does not arrive, or one that initiators could not follow is taken.
BOOST_AUTO_TEST_CASE(redirection) {
  json changed = sample();
  BOOST_TEST(read_saveconfig(changed.dump())->targets[0].groups[0].attributes.redirect_address ==
             "");
  auto& attributes = changed["targets"][0]["tpgs"][0]["attributes"];
  attributes.update({{"redirect_address", "192.0.2.7:3261"}, {"redirect_permanent", 1}});
  auto plan = read_saveconfig(changed.dump());
  BOOST_TEST_REQUIRE(plan.has_value());
  BOOST_TEST(plan->targets[0].groups[0].attributes.redirect_address == "192.0.2.7:3261");
  BOOST_TEST(plan->targets[0].groups[0].attributes.redirect_permanent);
  attributes["redirect_address"] = "192.0.2.7:3261,1";
  BOOST_TEST(first_refusal(changed).starts_with(
      "targets[0].tpgs[0].attributes.redirect_address: expected HOST or HOST:PORT"));
  attributes["redirect_address"] = "";
  BOOST_TEST(first_refusal(changed).find("without a redirect_address") != std::string::npos);
}

// Red when the command line could set what the JSON refuses, or fails to name the attribute.
BOOST_AUTO_TEST_CASE(attributes_by_name) {
  PortalGroupPlan group;
  BOOST_TEST(set_group_attributes(group, {{"max_sessions", "3"}}).has_value());
  BOOST_TEST(group.attributes.max_sessions == 3u);
  auto wrong = set_group_attributes(group, {{"max_sesions", "3"}});
  BOOST_TEST_REQUIRE(!wrong.has_value());
  BOOST_TEST(wrong.error().message.find("did you mean \"max_sessions\"?") != std::string::npos);
  BOOST_TEST(!set_group_attributes(group, {{"max_sessions", "many"}}).has_value());
  BOOST_TEST(group.attributes.max_sessions == 3u);
  BOOST_TEST(set_group_parameters(group, {{"InitialR2T", "No"}}).has_value());
  BOOST_TEST(!group.offered.initial_r2t);
  // Judged together: neither is good after the other alone.
  BOOST_TEST(
      (set_group_parameters(group, {{"MaxBurstLength", "8192"}, {"FirstBurstLength", "4096"}})
           .has_value()));
  BOOST_TEST(!set_group_parameters(group, {{"InitialR2T", "No"}, {"InitialR2T", "Yes"}}));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_named) {
  auto plan = read_saveconfig_file("/nonexistent/saveconfig.json");
  BOOST_TEST_REQUIRE(!plan.has_value());
  BOOST_TEST(plan.error().front().find("/nonexistent/saveconfig.json") != std::string::npos);
  BOOST_TEST(!read_saveconfig_file("/").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
