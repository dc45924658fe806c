// Red when: the loader lets one of FORMAT.md's errors through, or the real files break the format.
#include "harness/catalogue/catalogue.h"

#include <boost/test/unit_test.hpp>

using namespace tsih::catalogue;

namespace {

constexpr std::string_view kSection = "[section]\nrfc = 3720\nnumber = \"10.13\"\ntitle = \"x\"\n";
constexpr std::string_view kGood =
    "[[clause]]\nid = \"R3720-10.13.5-01\"\nlevel = \"MUST NOT\"\nparty = \"target\"\n"
    "summary = \"s\"\ncheck = \"active\"\nrfc7143 = {fate = \"same\", id = \"R7143-1-01\"}\n";

std::expected<Catalogue, std::string> load(const std::string& clauses) {
  const std::string text = std::string(kSection) + clauses;
  const Source source{"section-test.toml", text};
  return Catalogue::load(std::span(&source, 1));
}

// The good clause with one thing replaced.
std::string with(std::string_view old, std::string_view now) {
  std::string text(kGood);
  return text.replace(text.find(old), old.size(), now);
}

std::string error_of(const std::string& clauses) {
  const auto loaded = load(clauses);
  return loaded ? "no error" : loaded.error();
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(catalogue)

BOOST_AUTO_TEST_CASE(a_clause_is_read_whole) {
  const auto loaded = load(std::string(kGood));
  BOOST_REQUIRE(loaded.has_value());
  const Clause* clause = loaded->find("R3720-10.13.5-01");
  BOOST_REQUIRE(clause);
  BOOST_TEST((clause->level == Level::must_not));
  BOOST_TEST((clause->party == Party::target));
  BOOST_TEST((clause->check == Check::active));
  BOOST_TEST(clause->rfc7143_id == "R7143-1-01");
  BOOST_TEST(!loaded->find("R3720-10.13.5-02"));
}

BOOST_AUTO_TEST_CASE(an_id_twice_stops_it) {
  const std::string error = error_of(std::string(kGood) + std::string(kGood));
  BOOST_TEST(has(error, "section-test.toml: R3720-10.13.5-01: the id is there twice"));
}

BOOST_AUTO_TEST_CASE(an_empty_summary_stops_it) {
  BOOST_TEST(has(error_of(with("summary = \"s\"", "summary = \" \"")), "\"summary\""));
  BOOST_TEST(has(error_of(with("summary = \"s\"\n", "")), "\"summary\", it is missing"));
}

BOOST_AUTO_TEST_CASE(unknown_words_stop_it) {
  BOOST_TEST(has(error_of(with("MUST NOT", "OUGHT")), "unknown level \"OUGHT\""));
  BOOST_TEST(has(error_of(with("target", "bystander")), "unknown party"));
  BOOST_TEST(has(error_of(with("active", "often")), "unknown check"));
  BOOST_TEST(has(error_of(with("same", "lost")), "rfc7143.fate"));
  BOOST_TEST(has(error_of(with("summary", "sumary = \"x\"\nsummary")), "unknown field \"sumary\""));
}

BOOST_AUTO_TEST_CASE(ids_stay_within_their_section) {
  BOOST_TEST(has(error_of(with("R3720-10.13.5-01", "R3720-10.12-01")), "within R3720-10.13"));
  BOOST_TEST(has(error_of(with("R3720-10.13.5-01", "R3720-10.130-01")), "within R3720-10.13"));
}

BOOST_AUTO_TEST_CASE(reason_and_fate_go_with_their_words) {
  BOOST_TEST(has(error_of(with("\"active\"", "\"none\"")), "\"reason\""));
  BOOST_TEST(has(error_of(with("\"active\"", "\"active\"\nreason = \"r\"")), "reason goes with"));
  BOOST_TEST(has(error_of(with(", id = \"R7143-1-01\"", "")), "rfc7143.id"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_told_of_one_party_says_of_which_and_why) {
  const auto both = [](const std::string& more) {
    return with("\"target\"", "\"both\"\nnot_testable = " + more);
  };
  const auto loaded = load(both("{initiator = \"nobody sees it\"}"));
  BOOST_REQUIRE(loaded.has_value());
  const Clause* clause = loaded->find("R3720-10.13.5-01");
  BOOST_TEST(clause->not_testable.at(Party::initiator) == "nobody sees it");
  BOOST_TEST(!clause->not_testable.contains(Party::target));
  for (const char* wrong : {"{}", "\"initiator\"", "{initiator = \"a\", target = \"b\"}"})
    BOOST_TEST(has(error_of(both(wrong)), "one party and the reason"));
  BOOST_TEST(has(error_of(both("{initiator = \" \"}")), "expected words in \"not_testable\""));
  BOOST_TEST(has(error_of(both("{both = \"a\"}")), "unknown not_testable \"both\""));
  BOOST_TEST(has(error_of(with("\"target\"", "\"target\"\nnot_testable = {target = \"a\"}")),
                 "of a clause that binds both"));
}

BOOST_AUTO_TEST_CASE(broken_toml_names_its_line) {
  BOOST_TEST(has(error_of("[[clause\n"), "section-test.toml:5"));
}

BOOST_AUTO_TEST_CASE(the_real_files_load) {
  const auto loaded = Catalogue::load(built_in_sources());
  BOOST_REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error()));
  BOOST_TEST(loaded->size() > 100u);
}

BOOST_AUTO_TEST_SUITE_END()
