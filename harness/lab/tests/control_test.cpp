// The driver's conversation: what is refused, what the limits are, who ends the lab. No guest runs.
#include "harness/lab/control.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/lab/limits.h"

namespace {
using namespace tsih::lab;
using Json = nlohmann::json;

/// A lab without guests, and its driver.
struct World {
  World() {
    char name[] = "/tmp/tsih-control-XXXXXX";
    folder = ::mkdtemp(name);
    LabOptions options;
    options.run_dir = folder;
    lab.emplace(io.get_executor(), options, [](Json) {});
    control.emplace(io.get_executor(), [this](const std::string& why) { ended = why; });
    control->serve(*lab);
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    driver = ends[1];
    ::fcntl(driver, F_SETFL, O_NONBLOCK);
    control->add_driver(ends[0], ::dup(ends[0]));
    BOOST_TEST(heard().at(0)["event"] == "lab.ready");
  }
  ~World() {
    control.reset();
    poll();
    ::close(driver);
    std::filesystem::remove_all(folder);
  }
  void poll() {
    io.restart();
    io.poll();
  }
  void say(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const auto wrote = ::send(driver, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      const bool closed = wrote < 0 && errno != EAGAIN;
      if (closed) break;
      if (wrote > 0) done += static_cast<std::size_t>(wrote);
      poll();
    }
    poll();
  }
  std::vector<Json> heard() {
    poll();
    char buffer[65536];
    for (ssize_t got; (got = ::read(driver, buffer, sizeof buffer)) > 0; poll())
      input.append(buffer, static_cast<std::size_t>(got));
    std::vector<Json> lines;
    for (std::size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1))
      lines.push_back(Json::parse(input.substr(0, end)));
    return lines;
  }
  Json ask(const Json& request) {
    say(request.dump() + "\n");
    const auto lines = heard();
    BOOST_REQUIRE(lines.size() == 1u);
    return lines[0];
  }
  std::string code_of(const Json& request) { return ask(request)["error"].value("code", "none"); }

  boost::asio::io_context io{1};
  std::string folder;
  std::optional<std::string> ended;
  std::optional<Lab> lab;
  std::optional<Control> control;
  int driver = -1;
  std::string input;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_reply_has_the_requests_id, World) {
  const auto reply = ask({{"id", "x-1"}, {"op", "guest.list"}});
  BOOST_TEST(reply["id"] == "x-1");
  BOOST_TEST(reply["ok"] == true);
  BOOST_TEST(reply["result"]["guests"].empty());
}

BOOST_FIXTURE_TEST_CASE(nonsense_is_refused_and_the_conversation_goes_on, World) {
  for (const auto* line :
       {"what?\n", "[]\n", "{\"op\":\"guest.list\"}\n", "{\"id\":[],\"op\":\"guest.list\"}\n",
        "{\"id\":1}\n", "{\"id\":1,\"op\":7}\n", "\xFF\xFE\n"}) {
    say(line);
    const auto lines = heard();
    BOOST_REQUIRE_MESSAGE(lines.size() == 1u, line);
    BOOST_TEST(lines[0]["error"]["code"] == "bad_request");
  }
  say("\n  \n");
  BOOST_TEST(heard().empty());
  BOOST_TEST(ask({{"id", 1}, {"op", "lab.info"}})["ok"] == true);
}

BOOST_FIXTURE_TEST_CASE(every_operation_refuses_an_argument_that_it_does_not_know, World) {
  for (const auto& [op, operation] : operations()) {
    BOOST_TEST_CONTEXT(op) {
      BOOST_TEST(ask({{"id", 1}, {"op", op}, {"bogus", 1}})["ok"] == false);
    }
  }
  BOOST_TEST(code_of({{"id", 1}, {"op", "lab.info"}, {"bogus", 1}}) == "bad_request");
  BOOST_TEST(code_of({{"id", 1}, {"op", "no.such.op"}}) == "bad_request");
}

BOOST_FIXTURE_TEST_CASE(things_that_are_not_there_are_named, World) {
  BOOST_TEST(code_of({{"id", 1}, {"op", "guest.kill"}, {"guest", "g"}}) == "no_such");
  BOOST_TEST(code_of({{"id", 1}, {"op", "link.cut"}, {"link", "g"}}) == "no_such");
  BOOST_TEST(code_of({{"id", 1}, {"op", "exec.wait"}, {"exec", "g/1"}}) == "no_such");
  BOOST_TEST(code_of({{"id", 1}, {"op", "exec.wait"}, {"exec", "g"}}) == "bad_request");
  BOOST_TEST(code_of({{"id", 1}, {"op", "exec.wait"}, {"exec", "g/99999999999999999999999"}}) ==
             "bad_request");
  BOOST_TEST(code_of({{"id", 1}, {"op", "capture.stop"}, {"name", "wire"}}) == "no_such");
}

BOOST_FIXTURE_TEST_CASE(a_guest_that_makes_no_sense_leaves_nothing_behind, World) {
  const auto code = [&](const char* text) {
    auto request = Json::parse(text);
    request["id"] = 1;
    request["op"] = "guest.start";
    return code_of(request);
  };
  BOOST_TEST(code(R"({})") == "bad_request");
  BOOST_TEST(code(R"({"name":"../x"})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","memory_mib":1})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","initiator_name":"a b"})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","nics":[{},{},{},{},{}]})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","nics":[{"address":"10.0.0.1"}]})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","nics":[{"mac":"nonsense"}]})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","nics":[{"link":"a"},{"link":"a"}]})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","forward_tcp":[{"guest_port":0}]})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","files":{"relative":"text"}})") == "bad_request");
  BOOST_TEST(code(R"({"name":"x","wait":1})") == "bad_request");
  BOOST_TEST(std::filesystem::is_empty(folder));
}

BOOST_FIXTURE_TEST_CASE(a_line_that_is_too_long_ends_the_conversation, World) {
  say(std::string(limits::control_line_bytes + (1u << 20), 'x'));
  BOOST_REQUIRE(ended);
  BOOST_TEST(*ended == "the driver: its line was too long");
}

BOOST_FIXTURE_TEST_CASE(a_driver_that_goes_away_ends_the_lab, World) {
  ::shutdown(driver, SHUT_WR);
  poll();
  BOOST_REQUIRE(ended);
  BOOST_TEST(*ended == "the driver: it went away");
}

BOOST_FIXTURE_TEST_CASE(a_lab_that_is_kept_stays, World) {
  BOOST_TEST(ask({{"id", 1}, {"op", "lab.keep"}})["result"]["control"] == folder + "/control.sock");
  ::shutdown(driver, SHUT_WR);
  poll();
  BOOST_TEST(!ended);
}

BOOST_FIXTURE_TEST_CASE(a_driver_that_does_not_read_is_given_up, World) {
  Json event = {{"event", "lab.warning"}, {"message", std::string(1u << 20, 'x')}};
  for (std::size_t i = 0; i < limits::control_output_bytes / (1u << 20) + 2 && !ended; ++i)
    control->send_event(event);
  BOOST_TEST(ended.has_value());
}

BOOST_FIXTURE_TEST_CASE(the_lab_ends_when_it_is_asked_to, World) {
  BOOST_TEST(ask({{"id", 1}, {"op", "lab.shutdown"}})["ok"] == true);
  BOOST_TEST(ended.has_value());
}
