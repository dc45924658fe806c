// The monitor's and the agent's conversation, with a scripted other end.
#include "harness/lab/rpc.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "harness/lab/agent.h"
#include "harness/lab/base64.h"
#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace {
using namespace tsih::lab;
namespace asio = boost::asio;
using Json = nlohmann::json;
using std::chrono::milliseconds;

/// The test is QEMU or the agent.
struct Peer {
  Peer() {
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    near = ends[0];
    far = ends[1];
    ::fcntl(far, F_SETFL, O_NONBLOCK);
  }
  ~Peer() { ::close(far); }

  void say(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const auto wrote = ::send(far, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      const bool closed = wrote < 0 && errno != EAGAIN;
      if (closed) break;
      if (wrote > 0) done += static_cast<std::size_t>(wrote);
      io.restart();
      io.poll();
    }
    io.restart();
    io.poll();
  }
  /// All requests that have come by now.
  std::vector<Json> heard() {
    io.restart();
    io.poll();
    char buffer[65536];
    for (ssize_t got; (got = ::read(far, buffer, sizeof buffer)) > 0;)
      input.append(buffer, static_cast<std::size_t>(got));
    std::vector<Json> lines;
    for (std::size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1))
      lines.push_back(Json::parse(input.substr(0, end)));
    return lines;
  }
  void answer(const Json& request, Json result) {
    Json line = {{"id", request["id"]}};
    line["return"] = std::move(result);
    say(line.dump() + "\n");
  }

  asio::io_context io{1};
  int near = -1;
  int far = -1;
  std::string input;
};

/// How a call ended: its answer as text, or the failure's code.
struct Call {
  std::string ended = "under way";
};

asio::awaitable<void> run(std::shared_ptr<Rpc> rpc, std::string command, milliseconds timeout,
                          Call& call) {
  try {
    const auto result = co_await rpc->call(std::move(command), Json::object(), timeout);
    call.ended = result.dump();
  } catch (const Failure& failure) {
    call.ended = failure.code();
  }
}

struct Conversation : Peer {
  Conversation()
      : rpc(std::make_shared<Rpc>(io.get_executor(), near, "peer", "qemu",
                                  [this](const Json& event) { events.push_back(event); })) {}
  ~Conversation() {
    rpc->close("the test is over");
    io.restart();
    io.poll();
  }
  /// The call is kept here: it may end after its test.
  Call& start(const std::string& command, milliseconds timeout = milliseconds(60'000)) {
    auto& call = calls.emplace_back();
    asio::co_spawn(io, run(rpc, command, timeout, call), asio::detached);
    return call;
  }
  std::vector<Json> events;
  std::deque<Call> calls;
  std::shared_ptr<Rpc> rpc;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(answers_find_their_calls_in_any_order, Conversation) {
  auto& first = start("one");
  auto& second = start("two");
  const auto requests = heard();
  BOOST_REQUIRE(requests.size() == 2u);
  BOOST_TEST(requests[0]["execute"] == "one");
  answer(requests[1], 2);
  BOOST_TEST(first.ended == "under way");
  BOOST_TEST(second.ended == "2");
  answer(requests[0], 1);
  BOOST_TEST(first.ended == "1");
}

BOOST_FIXTURE_TEST_CASE(an_answer_in_pieces_is_put_together, Conversation) {
  auto& call = start("one");
  const auto request = heard().at(0);
  const Json line = {{"id", request["id"]}, {"return", "text"}};
  for (const char c : line.dump() + "\n") say(std::string(1, c));
  BOOST_TEST(call.ended == "\"text\"");
}

BOOST_FIXTURE_TEST_CASE(events_and_greetings_answer_nothing, Conversation) {
  auto& call = start("one");
  say("{\"QMP\":{}}\n{\"event\":\"STOP\"}\n");
  BOOST_TEST(call.ended == "under way");
  BOOST_REQUIRE(events.size() == 2u);
  BOOST_TEST(events[1]["event"] == "STOP");
}

BOOST_FIXTURE_TEST_CASE(a_refusal_has_the_peers_words, Conversation) {
  auto& call = start("one");
  const auto request = heard().at(0);
  const Json line = {{"id", request["id"]}, {"error", {{"class", "GenericError"}, {"desc", "no"}}}};
  say(line.dump() + "\n");
  BOOST_TEST(call.ended == "qemu");
}

BOOST_FIXTURE_TEST_CASE(no_answer_is_a_timeout_and_a_late_one_is_dropped, Conversation) {
  auto& call = start("one", milliseconds(0));
  const auto request = heard().at(0);
  // The alarm has rung already; it only has to be taken.
  while (call.ended == "under way") heard();
  BOOST_TEST(call.ended == "timeout");
  answer(request, 1);
  auto& next = start("two");
  answer(heard().at(0), 2);
  BOOST_TEST(next.ended == "2");
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_goes_fails_every_call, Conversation) {
  auto& first = start("one");
  auto& second = start("two");
  heard();
  ::shutdown(far, SHUT_RDWR);
  heard();
  BOOST_TEST(first.ended == "guest_gone");
  BOOST_TEST(second.ended == "guest_gone");
  auto& later = start("three");
  heard();
  BOOST_TEST(later.ended == "guest_gone");
}

BOOST_FIXTURE_TEST_CASE(nonsense_ends_the_conversation, Conversation) {
  auto& call = start("one");
  heard();
  say("what?\n");
  BOOST_TEST(call.ended == "guest_gone");
}

BOOST_FIXTURE_TEST_CASE(a_line_without_end_does_not_grow_us, Conversation) {
  auto& call = start("one");
  heard();
  const std::string piece(1u << 20, 'x');
  for (std::size_t sent = 0; sent <= limits::agent_line_bytes + piece.size() && rpc->open();
       sent += piece.size())
    say(piece);
  BOOST_TEST(!rpc->open());
  BOOST_TEST(call.ended == "guest_gone");
}

BOOST_AUTO_TEST_CASE(the_agent_tells_an_outcome_and_cuts_long_output) {
  Peer peer;
  Agent agent(peer.io.get_executor(), peer.near, "g");
  std::optional<Outcome> outcome;
  asio::co_spawn(
      peer.io,
      [](Agent& with, std::optional<Outcome>& into) -> asio::awaitable<void> {
        into = co_await with.poll(7);
      }(agent, outcome),
      asio::detached);
  const auto request = peer.heard().at(0);
  BOOST_TEST(request["execute"] == "guest-exec-status");
  BOOST_TEST(request["arguments"]["pid"] == 7);
  const Json result = {{"exited", true},
                       {"signal", 9},
                       {"out-data", to_base64(std::string(limits::exec_output_bytes + 1, 'o'))},
                       {"err-data", to_base64("no")}};
  peer.answer(request, result);
  BOOST_REQUIRE(outcome);
  BOOST_TEST(!outcome->exit_code);
  BOOST_TEST((outcome->signal == 9));
  BOOST_TEST(outcome->output.size() == limits::exec_output_bytes);
  BOOST_TEST(outcome->truncated);
  BOOST_TEST(outcome->error_output == "no");
}
