#include "harness/suite/case_list.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace tsih::suite {

void write_case_list(const std::filesystem::path& run_folder, const std::vector<CaseEntry>& cases) {
  auto list = nlohmann::ordered_json::array();
  for (const CaseEntry& entry : cases) {
    nlohmann::ordered_json item;
    item["case"] = entry.name;
    item["title"] = entry.description;
    item["clauses"] = nlohmann::ordered_json::array();
    for (const Requirement& requirement : entry.facts.requirements)
      item["clauses"].push_back(requirement.clause);
    item["tags"] = entry.facts.tags;
    list.push_back(std::move(item));
  }
  const std::filesystem::path path = run_folder / "cases.json";
  std::ofstream file(path, std::ios::trunc);
  file << list.dump(1) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace tsih::suite
