#include "target/app/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "target/config/size.h"

namespace tsihd::app {
namespace {

using nlohmann::json;

std::string seconds(const json& value) { return fmt::format("{:.0f}s", value.get<double>()); }

/// The addresses of a session's connections; of those that are lost, that they are awaited.
std::string peers(const json& session) {
  std::string text;
  for (const json& connection : session.at("connections"))
    text += (text.empty() ? "" : ", ") + connection.at("peer").get<std::string>();
  if (session.at("connections_awaited") != 0) text += text.empty() ? "(awaited)" : ", (awaited)";
  return text.empty() ? session.at("peer").get<std::string>() : text;
}

}  // namespace

std::string table(const std::vector<std::string>& heading,
                  const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return "(none)\n";
  std::vector<std::size_t> widths(heading.size());
  for (std::size_t column = 0; column < heading.size(); ++column) {
    widths[column] = heading[column].size();
    for (const auto& row : rows) widths[column] = std::max(widths[column], row[column].size());
  }
  std::string text;
  auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      line += fmt::format("{:{}}  ", row[column], widths[column]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add(heading);
  for (const auto& row : rows) add(row);
  return text;
}

std::string show_sessions(const json& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const json& s : answer.at("sessions")) {
    std::string digests = s.at("parameters").at("HeaderDigest") == "CRC32C" ? "H" : "-";
    digests += s.at("parameters").at("DataDigest") == "CRC32C" ? "D" : "-";
    rows.push_back({s.at("id").dump(), s.at("initiator"), s.at("isid"),
                    s.at("type") == "discovery" ? "(discovery)" : s.at("target"), peers(s), digests,
                    s.at("commands").dump(), s.at("commands_active").dump(), seconds(s.at("age_s")),
                    seconds(s.at("idle_s")), s.at("ending") == true ? "ending" : "full"});
  }
  return table({"ID", "INITIATOR", "ISID", "TARGET", "PEER", "CRC", "COMMANDS", "ACTIVE", "AGE",
                "IDLE", "STATE"},
               rows);
}

std::string show_luns(const json& answer) {
  std::vector<std::vector<std::string>> rows;
  for (const json& disk : answer.at("luns")) {
    std::string mapped;
    for (const json& m : disk.at("mappings")) {
      mapped += fmt::format(
          "{}{}/{}/{}{}", mapped.empty() ? "" : ", ", m.at("target").get<std::string>(),
          m.at("portal_group_tag").get<int>(), m.at("lun").get<int>(),
          m.contains("initiator") ? " for " + m.at("initiator").get<std::string>() : "");
    }
    rows.push_back({disk.at("name"), disk.at("plugin"),
                    config::show_size_bytes(disk.at("size_bytes")),
                    disk.at("block_size_bytes").dump(), disk.at("device"), mapped});
  }
  return table({"NAME", "PLUGIN", "SIZE", "BLOCK", "DEVICE", "TARGET/TAG/LUN"}, rows);
}

std::string show_stats(const json& answer) {
  const json& counters = answer.at("counters");
  std::size_t width = 0;
  for (const auto& [name, value] : counters.items()) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : counters.items()) {
    text += fmt::format("{:{}} {}\n", name, width, value.dump());
  }
  return text;
}

std::string show_status(const json& answer) {
  std::string text = fmt::format("tsihd, process {}{}\n\n", answer.at("pid").get<int>(),
                                 answer.at("shutting_down") == true ? ", shutting down" : "");
  std::vector<std::vector<std::string>> rows;
  for (const json& group : answer.at("targets")) {
    std::string portals;
    for (const json& portal : group.at("portals")) {
      portals += (portals.empty() ? "" : ", ") + portal.get<std::string>();
    }
    rows.push_back({group.at("target"), group.at("portal_group_tag").dump(),
                    group.at("enabled") == true ? portals : "(disabled)"});
  }
  text += "targets\n" + table({"TARGET", "TAG", "PORTALS"}, rows);
  text += "\nsessions\n" + show_sessions(answer);
  rows.clear();
  for (const json& fence : answer.at("fences")) {
    rows.push_back({fence.at("initiator"), fence.at("target"), fence.at("address"),
                    seconds(fence.at("remaining_s"))});
  }
  text += "\nfenced initiators\n" + table({"INITIATOR", "TARGET", "ADDRESS", "FOR"}, rows);
  return text;
}

}  // namespace tsihd::app
