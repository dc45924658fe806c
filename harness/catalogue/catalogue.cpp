#include "harness/catalogue/catalogue.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <utility>

namespace tsih::catalogue {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<std::string_view, Enum>, N>;

constexpr Names<Level, 5> kLevels{{{"MUST", Level::must},
                                   {"MUST NOT", Level::must_not},
                                   {"SHOULD", Level::should},
                                   {"SHOULD NOT", Level::should_not},
                                   {"MAY", Level::may}}};
constexpr Names<Party, 3> kParties{
    {{"target", Party::target}, {"initiator", Party::initiator}, {"both", Party::both}}};
constexpr Names<Check, 4> kChecks{{{"active", Check::active},
                                   {"passive", Check::passive},
                                   {"both", Check::both},
                                   {"none", Check::none}}};
constexpr std::array<std::string_view, 4> kFates{"same", "changed", "moved", "dropped"};
constexpr std::array<std::string_view, 10> kFields{
    "id", "level", "party", "summary", "check", "reason", "not_testable", "rfc7143", "unh", "note"};

template <class Enum, std::size_t N>
std::string_view name_in(const Names<Enum, N>& names, Enum value) {
  for (const auto& [text, candidate] : names)
    if (candidate == value) return text;
  return "?";
}

// Thrown inside the loader only; load() turns it into its error.
struct Wrong {
  std::string message;
};

// One [[clause]] table, read field by field, with its place for messages.
class ClauseReader {
 public:
  ClauseReader(std::string_view file, const toml::table& table, std::size_t number)
      : table_(table), place_(fmt::format("{}: clause {}", file, number)) {
    id_ = text("id", true);
    place_ = fmt::format("{}: {}", file, id_);
  }

  [[noreturn]] void wrong(const std::string& what) const { throw Wrong{place_ + ": " + what}; }

  const std::string& id() const { return id_; }

  std::string text(std::string_view field, bool required) const {
    const auto* node = table_.get(field);
    if (!node) {
      if (required) wrong(fmt::format("expected the field \"{}\", it is missing", field));
      return {};
    }
    const auto value = node->value<std::string>();
    if (!value || value->find_first_not_of(" \t\n") == std::string::npos)
      wrong(fmt::format("expected words in \"{}\", it is empty or no string", field));
    return *value;
  }

  template <class Enum, std::size_t N>
  Enum choice(std::string_view field, const Names<Enum, N>& names) const {
    const std::string value = text(field, true);
    std::string known;
    for (const auto& [candidate, result] : names) {
      if (candidate == value) return result;
      known += (known.empty() ? "" : ", ") + std::string(candidate);
    }
    wrong(fmt::format("unknown {} \"{}\", expected one of: {}", field, value, known));
  }

  void only_known_fields() const {
    for (const auto& [key, node] : table_)
      if (std::ranges::find(kFields, key.str()) == kFields.end())
        wrong(fmt::format("unknown field \"{}\"", key.str()));
  }

  // One of two parties only: what can be told of neither has check = "none".
  void not_testable(Clause& clause) const {
    if (!table_.contains("not_testable")) return;
    const auto* reasons = table_["not_testable"].as_table();
    if (!reasons || reasons->size() != 1 || clause.party != Party::both ||
        clause.check == Check::none)
      wrong("expected in \"not_testable\" one party and the reason, of a clause that binds both");
    for (const auto& [party, reason] : *reasons) {
      const auto words = reason.value<std::string>();
      if (party.str() != "target" && party.str() != "initiator")
        wrong(
            fmt::format("unknown not_testable \"{}\", expected target or initiator", party.str()));
      if (!words || words->find_first_not_of(" \t\n") == std::string::npos)
        wrong("expected words in \"not_testable\", it is empty or no string");
      clause.not_testable[party.str() == "target" ? Party::target : Party::initiator] = *words;
    }
  }

  void fate(Clause& clause) const {
    const auto* later = table_["rfc7143"].as_table();
    if (!later) wrong("expected the table \"rfc7143\", it is missing");
    clause.rfc7143_fate = (*later)["fate"].value_or(std::string());
    clause.rfc7143_id = (*later)["id"].value_or(std::string());
    if (std::ranges::find(kFates, clause.rfc7143_fate) == kFates.end())
      wrong(fmt::format("unknown rfc7143.fate \"{}\", expected same, changed, moved or dropped",
                        clause.rfc7143_fate));
    const auto asks = (*later)["asks"].value<std::string>();
    if (asks && (clause.rfc7143_fate != "changed" || (asks != "more" && asks != "less")))
      wrong(fmt::format("unknown rfc7143.asks \"{}\", expected more or less, of a changed clause",
                        *asks));
    clause.rfc7143_asks = asks.value_or("");
    if ((clause.rfc7143_fate == "dropped") != clause.rfc7143_id.empty())
      wrong("expected rfc7143.id, unless the fate is dropped");
  }

 private:
  const toml::table& table_;
  std::string place_;
  std::string id_;
};

// "R3720-10.13" owns "R3720-10.13-01" and "R3720-10.13.5-01", not "R3720-10.130-01".
bool belongs(std::string_view id, std::string_view section_prefix) {
  if (!id.starts_with(section_prefix) || id.size() <= section_prefix.size()) return false;
  const char next = id[section_prefix.size()];
  return next == '.' || next == '-';
}

Clause read_clause(const ClauseReader& reader, std::string_view rfc, std::string_view section) {
  reader.only_known_fields();
  Clause clause;
  clause.id = reader.id();
  clause.section = section;
  const std::string prefix = fmt::format("R{}-{}", rfc, section);
  if (!belongs(clause.id, prefix)) reader.wrong(fmt::format("expected an id within {}", prefix));
  clause.level = reader.choice("level", kLevels);
  clause.party = reader.choice("party", kParties);
  clause.summary = reader.text("summary", true);
  clause.check = reader.choice("check", kChecks);
  clause.reason = reader.text("reason", clause.check == Check::none);
  if (clause.check != Check::none && !clause.reason.empty())
    reader.wrong("a reason goes with check = \"none\" only");
  reader.not_testable(clause);
  reader.fate(clause);
  return clause;
}

void load_file(const Source& source, std::map<std::string, Clause, std::less<>>& clauses) {
  if (source.text.size() > kLimitFileBytes)
    throw Wrong{fmt::format("{}: {} bytes, more than the {} taken", source.name, source.text.size(),
                            kLimitFileBytes)};
  const toml::table file = toml::parse(source.text, source.name);
  const auto section = file["section"]["number"].value<std::string>();
  const auto rfc = file["section"]["rfc"].value<std::int64_t>();
  if (!section || !rfc)
    throw Wrong{fmt::format("{}: expected [section] with rfc and number", source.name)};
  const auto* entries = file["clause"].as_array();
  if (!entries) throw Wrong{fmt::format("{}: expected at least one [[clause]]", source.name)};
  std::size_t number = 0;
  for (const auto& entry : *entries) {
    const auto* table = entry.as_table();
    if (!table) throw Wrong{fmt::format("{}: clause is no table", source.name)};
    const ClauseReader reader(source.name, *table, ++number);
    Clause clause = read_clause(reader, std::to_string(*rfc), *section);
    if (clauses.contains(clause.id)) reader.wrong("the id is there twice");
    clauses.emplace(clause.id, std::move(clause));
  }
}

}  // namespace

std::string_view name(Level level) { return name_in(kLevels, level); }
std::string_view name(Party party) { return name_in(kParties, party); }
std::string_view name(Check check) { return name_in(kChecks, check); }

std::expected<Catalogue, std::string> Catalogue::load(std::span<const Source> sources) {
  if (sources.size() > kLimitFiles)
    return std::unexpected(
        fmt::format("{} files, more than the {} taken", sources.size(), kLimitFiles));
  Catalogue catalogue;
  try {
    for (const Source& source : sources) load_file(source, catalogue.clauses_);
  } catch (const Wrong& wrong) {
    return std::unexpected(wrong.message);
  } catch (const toml::parse_error& error) {
    return std::unexpected(fmt::format("{}:{}: {}", error.source().path ? *error.source().path : "",
                                       error.source().begin.line, error.description()));
  }
  return catalogue;
}

const Clause* Catalogue::find(std::string_view id) const {
  const auto found = clauses_.find(id);
  return found == clauses_.end() ? nullptr : &found->second;
}

}  // namespace tsih::catalogue
