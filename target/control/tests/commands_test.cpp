// The control socket's commands, without the socket.
#include "target/control/commands.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "target/control/tests/fixture.h"

using namespace tsihd::control;
using nlohmann::json;

namespace {

json ask(const Fixture& fixture, const json& request) {
  return json::parse(execute(fixture.subject, request.dump()));
}

std::string error_of(const Fixture& fixture, std::string_view request) {
  json answer = json::parse(execute(fixture.subject, request));
  BOOST_TEST(answer.at("ok") == false);
  return answer.value("error", "");
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(commands, Fixture)

// Red when a disk is not listed with its size and its place.
BOOST_AUTO_TEST_CASE(luns_lists_every_disk) {
  json answer = ask(*this, {{"command", "luns"}});
  BOOST_TEST(answer.at("ok") == true);
  BOOST_TEST_REQUIRE(answer.at("luns").size() == 2u);
  BOOST_TEST(answer["luns"][0].at("name") == "ram");
  BOOST_TEST(answer["luns"][0].at("size_bytes") == 8u << 20);
  BOOST_TEST(answer["luns"][1].at("mappings")[0].at("lun") == 1);
}

// Red when the disk does not get its new size, or the answer says otherwise than the disk.
BOOST_AUTO_TEST_CASE(resize_does_and_says_so) {
  json answer = ask(*this, {{"command", "resize"}, {"name", "second"}, {"size", "16M"}});
  BOOST_TEST(answer.at("ok") == true, answer.dump());
  BOOST_TEST(answer.at("changed") == true);
  BOOST_TEST(answer.at("size_bytes") == 16u << 20);
  BOOST_TEST(built.disks[1].unit->backstore().geometry().size_bytes == 16u << 20);
  BOOST_TEST(built.disks[0].unit->backstore().geometry().size_bytes == 8u << 20);
  answer = ask(*this, {{"command", "resize"}, {"name", "ramdisk/second"}, {"size", "16M"}});
  BOOST_TEST(answer.at("changed") == false);
}

// Red when stats leaves a counter out (the table itself is checked as it compiles).
BOOST_AUTO_TEST_CASE(stats_shows_the_counters) {
  service.counters().guard_refused = 3;
  service.counters().login_failed(0x0203, tsihd::session::LoginLimit::text_bytes);
  json answer = ask(*this, {{"command", "stats"}});
  BOOST_TEST(answer.at("counters").at("guard_refused") == 3);
  BOOST_TEST(answer["counters"].at("logins_failed") == 1);
  BOOST_TEST(answer["counters"].at("logins_refused_0203_not_found") == 1);
  BOOST_TEST(answer["counters"].at("limit_login_text") == 1);
  BOOST_TEST(answer["counters"].size() * sizeof(std::uint64_t) == sizeof(tsihd::session::Counters));
}

BOOST_AUTO_TEST_CASE(status_and_sessions_and_ping) {
  BOOST_TEST(ask(*this, {{"command", "ping"}}).at("ok") == true);
  BOOST_TEST(ask(*this, {{"command", "sessions"}}).at("sessions").empty());
  json status = ask(*this, {{"command", "status"}});
  BOOST_TEST(status.at("targets")[0].at("target") == "iqn.2026-11.org.tsih:ram");
  BOOST_TEST(status.at("fences").empty());
}

// Red when a wrong request does something, or its refusal does not name what is wrong.
BOOST_AUTO_TEST_CASE(wrong_requests_are_refused_by_name) {
  BOOST_TEST(error_of(*this, "").find("expected JSON") != std::string::npos);
  BOOST_TEST(error_of(*this, "[]").find("expected an object") != std::string::npos);
  BOOST_TEST(error_of(*this, "{}").find("\"command\"") != std::string::npos);
  BOOST_TEST(error_of(*this, R"({"command":"sesions"})").find("did you mean \"sessions\"?") !=
             std::string::npos);
  BOOST_TEST(error_of(*this, R"({"command":"resize","name":"ram"})").find("\"size\"") !=
             std::string::npos);
  BOOST_TEST(error_of(*this, R"({"command":"resize","name":"rom","size":"1G"})")
                 .find("did you mean \"ram\"?") != std::string::npos);
  BOOST_TEST(error_of(*this, R"({"command":"resize","name":"ram","size":"much"})").find("512M") !=
             std::string::npos);
  BOOST_TEST(error_of(*this, R"({"command":"resize","name":"ram","size":"16M","by":"me"})")
                 .starts_with("by: no such argument"));
  BOOST_TEST(built.disks[0].unit->backstore().geometry().size_bytes == 8u << 20);
  BOOST_TEST(error_of(*this, R"({"command":"logout","session":99})") != "");
  BOOST_TEST(error_of(*this, R"({"command":"logout","session":"x"})") != "");
  BOOST_TEST(error_of(*this, R"({"command":"unfence","initiator":"iqn.2026-11.org.x:y"})")
                 .find("is not fenced") != std::string::npos);
  BOOST_TEST(error_of(*this, std::string(99, '[') + std::string(99, ']')).find("levels") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
