// The clauses of the RFC as data: FORMAT.md describes the files, this loads them. The loader stops
// at the first thing that is wrong, with one line naming the file, the clause and what was
// expected.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsih::catalogue {

enum class Level : std::uint8_t { must, must_not, should, should_not, may };
enum class Party : std::uint8_t { target, initiator, both };
enum class Check : std::uint8_t { active, passive, both, none };

std::string_view name(Level level);  ///< "MUST NOT"
std::string_view name(Party party);  ///< "target"
std::string_view name(Check check);  ///< "active"

struct Clause {
  std::string id;       ///< R3720-10.13.5-01
  std::string section;  ///< of the file: "10.13"
  Level level = Level::must;
  Party party = Party::both;
  std::string summary;
  Check check = Check::none;
  std::string reason;  ///< with Check::none only
  /// Of a clause that binds both: for whom it cannot be told nevertheless, and why.
  std::map<Party, std::string> not_testable;
  std::string rfc7143_fate;  ///< same, changed, moved, dropped
  std::string rfc7143_id;    ///< empty when dropped
  std::string rfc7143_asks;  ///< of a changed clause: more or less than RFC 3720; empty: neither
};

/// One file of the catalogue, as text.
struct Source {
  std::string_view name;
  std::string_view text;
};

inline constexpr std::size_t kLimitFiles = 1000;
inline constexpr std::size_t kLimitFileBytes = 1u << 20;

class Catalogue {
 public:
  /// The error is one line for a human.
  static std::expected<Catalogue, std::string> load(std::span<const Source> sources);

  const Clause* find(std::string_view id) const;
  std::size_t size() const { return clauses_.size(); }

 private:
  std::map<std::string, Clause, std::less<>> clauses_;
};

/// The files of harness/catalogue as they were at build time.
std::span<const Source> built_in_sources();

}  // namespace tsih::catalogue
