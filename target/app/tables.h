// tsihd's answers for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tsihd::app {

/// Rows under a heading, columns as wide as they need; "(none)" when there are no rows.
std::string table(const std::vector<std::string>& heading,
                  const std::vector<std::vector<std::string>>& rows);

std::string show_sessions(const nlohmann::json& answer);
std::string show_luns(const nlohmann::json& answer);
std::string show_stats(const nlohmann::json& answer);
std::string show_status(const nlohmann::json& answer);

}  // namespace tsihd::app
