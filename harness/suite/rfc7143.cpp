#include "harness/suite/rfc7143.h"

#include "harness/catalogue/catalogue.h"

namespace tsih::suite {

std::optional<By7143> by_rfc7143(std::string_view clause, std::string_view verdict) {
  static const auto book = catalogue::Catalogue::load(catalogue::built_in_sources());
  const catalogue::Clause* found = book ? book->find(clause) : nullptr;
  if (!found) return std::nullopt;
  if (found->rfc7143_fate == "dropped") return By7143{"dropped", "", "not_required"};
  if (found->rfc7143_fate != "changed") return std::nullopt;
  By7143 other{"changed", found->rfc7143_id, ""};
  const bool broken = verdict == "violation" || verdict == "warning";
  if (broken && found->rfc7143_asks == "more")  // who leaves a MAY out breaks what became of it
    other.verdict = found->level == catalogue::Level::may ? "violation" : verdict;
  if (verdict == "pass" && found->rfc7143_asks == "less") other.verdict = verdict;
  return other;
}

}  // namespace tsih::suite
