// Red when a secret is taken that RFC 3720 8.2.1 forbids, a weak one goes without a word, or a good
// configuration is nagged about.
#include "target/config/secrets.h"

#include <boost/test/unit_test.hpp>

using namespace tsihd;
using namespace tsihd::config;

namespace {

constexpr const char* kHost = "iqn.2001-04.com.example:host";
constexpr const char* kOther = "iqn.2001-04.com.example:other";

session::ChapCredentials chap(std::string password, std::string mutual = "") {
  const std::string mutual_userid = mutual.empty() ? "" : "target";
  return {"user", std::move(password), mutual_userid, std::move(mutual)};
}

AclPlan acl(std::string name, session::ChapCredentials credentials) {
  AclPlan plan;
  plan.acl.initiator_name = std::move(name);
  plan.acl.chap = std::move(credentials);
  return plan;
}

/// Two targets of one group each.
Plan two_targets() {
  Plan plan;
  for (const char* name : {"iqn.2001-04.com.example:a", "iqn.2001-04.com.example:b"}) {
    plan.targets.push_back({name, {}});
    plan.targets.back().groups.emplace_back();
  }
  return plan;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(secrets)

BOOST_AUTO_TEST_CASE(good_secrets_pass_in_silence) {
  Plan plan = two_targets();
  plan.targets[0].groups[0].chap = chap("group secret 12");
  plan.targets[0].groups[0].acls = {acl(kHost, chap("first secret", "target secret 1"))};
  // One secret of one initiator at two targets (8.2.1-15).
  plan.targets[1].groups[0].acls = {acl(kHost, chap("first secret", "target secret 2"))};
  BOOST_TEST(secret_refusals(plan).empty());
  BOOST_TEST(secret_warnings(plan).empty());
}

// R3720-8.2.1-08, wherever the two stand.
BOOST_AUTO_TEST_CASE(one_secret_for_both_directions_is_refused) {
  Plan plan = two_targets();
  plan.targets[0].groups[0].acls = {acl(kHost, chap("first secret"))};
  plan.targets[1].groups[0].acls = {acl(kOther, chap("other secret", "first secret"))};
  auto refusals = secret_refusals(plan);
  BOOST_TEST_REQUIRE(refusals.size() == 1u);
  BOOST_TEST(
      refusals[0].starts_with("targets[1].tpgs[0].node_acls[0].chap_mutual_password: the same as "
                              "targets[0].tpgs[0].node_acls[0].chap_password"));
  plan.targets[1].groups[0].acls.clear();
  plan.discovery_chap = chap("finder's secret", "first secret");
  refusals = secret_refusals(plan);
  BOOST_TEST_REQUIRE(refusals.size() == 1u);
  BOOST_TEST(refusals[0].starts_with("discovery_mutual_password: the same as"));
  BOOST_TEST(!has(refusals[0], "first secret"));
}

// R3720-8.2.1-04: 96 bits.
BOOST_AUTO_TEST_CASE(short_secrets_are_warned_of_in_one_line) {
  Plan plan = two_targets();
  plan.targets[0].groups[0].chap = chap("twelve bytes");
  BOOST_TEST(secret_warnings(plan).empty());
  plan.targets[0].groups[0].chap = chap("eleven byte");
  plan.targets[1].groups[0].acls = {acl(kHost, chap("short", "short2"))};
  const auto warnings = secret_warnings(plan);
  BOOST_TEST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(has(warnings[0], "targets[0].tpgs[0].chap_password and 2 more"));
  BOOST_TEST(!has(warnings[0], "eleven"));
}

// R3720-8.2.1-13.
BOOST_AUTO_TEST_CASE(shared_secrets_are_warned_of) {
  Plan plan = two_targets();
  auto& acls = plan.targets[0].groups[0].acls;
  acls = {acl(kHost, chap("first secret")), acl(kOther, chap("first secret")),
          acl("iqn.2001-04.com.example:third", chap("first secret"))};
  auto warnings = secret_warnings(plan);
  BOOST_TEST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(has(warnings[0],
                 "several initiators: targets[0].tpgs[0].node_acls[0].chap_password and "
                 "targets[0].tpgs[0].node_acls[1].chap_password and 1 more"));
  acls = {acl(kHost, chap("first secret", "target secret"))};
  plan.targets[1].groups[0].acls = {acl(kHost, chap("first secret", "target secret"))};
  warnings = secret_warnings(plan);
  BOOST_TEST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(has(warnings[0], "several targets"));
}

BOOST_AUTO_TEST_SUITE_END()
