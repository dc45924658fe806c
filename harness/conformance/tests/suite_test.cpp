// The suite against itself: usage, targets that are none, and that none of them yields a pass or
// holds the suite up. Red when: bad input runs anything, a broken target hangs the suite or passes
// a case, or a run folder lacks what the reports read.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/conformance/target_url.h"
#include "harness/mutants/listener.h"
#include "harness/suite/chap.h"
#include "harness/suite/processes.h"
#include "harness/wire/pdu.h"
#include "harness/wire/reader.h"
#include "harness/wire/text.h"

using namespace tsih::conformance;
using tsih::mutants::Listener;
using tsih::suite::Output;
using tsih::suite::run;
namespace wire = tsih::wire;
namespace fs = std::filesystem;

namespace {

/// A folder that goes away with the test.
struct Folder {
  fs::path path =
      fs::temp_directory_path() / fmt::format("tsih-suite-test-{}-{}", getpid(), ++counter);
  ~Folder() { fs::remove_all(path); }
  static inline int counter = 0;
};

Output conform(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), TSIH_CONFORM);
  return run(arguments);
}

std::string url(std::uint16_t port, const std::string& host = "127.0.0.1") {
  return fmt::format("iscsi://{}:{}/iqn.2026-01.example:x/0", host, port);
}

nlohmann::json read_json(const fs::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

std::vector<nlohmann::json> read_lines(const fs::path& path) {
  std::ifstream file(path);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// A target that cannot be judged: exit 3, bounded, nothing passed, every chosen case in the folder.
void check_unusable(std::uint16_t port, const std::string& host = "127.0.0.1") {
  Folder folder;
  const Output output = conform({"--timeout-ms", "100", "--only", "nop.*", url(port, host), "--out",
                                 folder.path.string(), "--junit", folder.path.string() + ".xml"});
  fs::remove(folder.path.string() + ".xml");
  BOOST_TEST(output.exit_status == 3, output.out << output.err);
  BOOST_TEST(lines_in(output.err) == 1u, output.err);
  const auto findings = read_lines(folder.path / "findings.jsonl");
  BOOST_TEST(!findings.empty());
  for (const auto& finding : findings) BOOST_TEST(finding["verdict"] == "inconclusive");
  BOOST_TEST(read_json(folder.path / "run.json")["exit_status"] == 3);
}

void drain(int fd) {
  char buffer[4096];
  while (recv(fd, buffer, sizeof buffer, 0) > 0) {
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(suite)

BOOST_AUTO_TEST_CASE(urls) {
  const auto good = parse_target_url("iscsi://me%pw@[::1]:3261/iqn.2026-01.example:a/b/7");
  BOOST_REQUIRE(good.has_value());
  BOOST_TEST(good->host == "::1");
  BOOST_TEST(good->port == 3261);
  BOOST_TEST(good->target_name == "iqn.2026-01.example:a/b");
  BOOST_TEST(good->lun == 7);
  BOOST_TEST(good->secret == "pw");
  BOOST_TEST(good->text == "iscsi://[::1]:3261/iqn.2026-01.example:a/b/7");
  BOOST_TEST(parse_target_url("iscsi://host/iqn.x/0")->port == 3260);
  for (const char* bad :
       {"", "http://a/b/0", "iscsi://", "iscsi://a", "iscsi://a/iqn.x", "iscsi://a//0",
        "iscsi://a:0/iqn.x/0", "iscsi://a:66000/iqn.x/0", "iscsi://a:b/iqn.x/0",
        "iscsi://::1/iqn.x/0", "iscsi://[::1/iqn.x/0", "iscsi://a/iqn.x/256", "iscsi://a/iqn.x/-1",
        "iscsi://user@a/iqn.x/0", "iscsi:///iqn.x/0"})
    BOOST_TEST(!parse_target_url(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(chap_is_md5_of_identifier_secret_challenge) {
  // Computed with coreutils: printf '\001secretchallenge' | md5sum
  const std::string challenge = "challenge";
  const auto response =
      tsih::suite::chap_response(1, "secret", wire::Bytes(challenge.begin(), challenge.end()));
  BOOST_TEST(wire::encode_binary(response) == "0x46e47770030e2b4e26a0db72a7efec00");
}

BOOST_AUTO_TEST_CASE(usage_is_one_line_and_runs_nothing) {
  const std::vector<std::vector<std::string>> bad{
      {"nonsense"},
      {},
      {"iscsi://127.0.0.1:1/iqn.x/0", "--only", "no.such.case"},
      {"iscsi://127.0.0.1:1/iqn.x/0", "--tag", "FFP 99.*"},
      {"--list", "--only", "login.*", "--tag", "FFP 15.*"},
      {"iscsi://127.0.0.1:1/iqn.x/0", "--chap", "nocolon"},
      {"iscsi://127.0.0.1:1/iqn.x/0", "--frobnicate"},
      {"iscsi://127.0.0.1:1/iqn.x/0", "--timeout-ms", "0"}};
  for (auto arguments : bad) {
    const Output output = conform(arguments);
    BOOST_TEST(output.exit_status == 2, output.out << output.err);
    BOOST_TEST(lines_in(output.err) == 1u, output.err);
    BOOST_TEST(output.out.empty(), output.out);
  }
}

BOOST_AUTO_TEST_CASE(every_case_is_listed_with_its_clauses) {
  const Output output = conform({"--list"});
  BOOST_TEST(output.exit_status == 0);
  BOOST_TEST(lines_in(output.out) >= 2 * 60u);
  BOOST_TEST(output.out.find("login.stage.reserved_csg R3720-10-03\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(cases_are_listed_and_chosen_by_their_tags) {
  const Output list = conform({"--list", "--tag", "FFP 15.1"});
  BOOST_TEST(list.exit_status == 0);
  BOOST_TEST(list.out.starts_with("nop."), list.out);
  BOOST_TEST(list.out.find("FFP 15.1.3") != std::string::npos, list.out);
  BOOST_TEST(list.out.find("login.") == std::string::npos, list.out);
  const Output one = conform({"--tags", "--tag", "FFP 15.1.3"});
  BOOST_TEST(lines_in(one.out) == 1u);
  BOOST_TEST(one.out.find("nop.ping_is_answered") != std::string::npos, one.out);
}

// A tag that unh.cpp does not know stops the build (--check-cases).
BOOST_AUTO_TEST_CASE(every_test_of_the_full_feature_phase_suite_has_a_case) {
  const Output table = conform({"--tags", "--tag", "FFP *"});
  BOOST_TEST(table.exit_status == 0);
  BOOST_TEST(lines_in(table.out) == 82u);
  std::istringstream lines(table.out);
  for (std::string line; std::getline(lines, line);) BOOST_TEST(!line.ends_with("  -"), line);
}

BOOST_AUTO_TEST_CASE(nobody_listens) {
  std::uint16_t port = 0;
  {
    port = Listener([](int) {}).port();
  }  // free again
  check_unusable(port);
}

BOOST_AUTO_TEST_CASE(a_target_that_closes_at_once) {
  check_unusable(Listener([](int) {}).port());
  Listener listener([](int) {});
  check_unusable(listener.port());
}

BOOST_AUTO_TEST_CASE(a_target_that_hangs) {
  Listener listener([](int fd) { drain(fd); });
  check_unusable(listener.port());
}

BOOST_AUTO_TEST_CASE(a_target_over_ipv6_that_hangs) {
  Listener listener([](int fd) { drain(fd); }, "::1");
  check_unusable(listener.port(), "[::1]");
}

BOOST_AUTO_TEST_CASE(a_target_that_never_reads) {
  std::atomic<bool> stop = false;
  Listener listener([&](int) {
    while (!stop) usleep(1000);
  });
  check_unusable(listener.port());
  stop = true;
}

BOOST_AUTO_TEST_CASE(a_target_that_floods_with_garbage) {
  Listener listener([](int fd) {
    const std::vector<char> junk(65536, '\xa5');
    while (send(fd, junk.data(), junk.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  check_unusable(listener.port());
}

BOOST_AUTO_TEST_CASE(a_target_that_floods_with_pdus) {
  Listener listener([](int fd) {
    wire::Pdu pdu(wire::Opcode::nop_in);
    pdu.set(wire::field::initiator_task_tag, wire::kReservedTag);
    wire::Bytes many;
    for (int i = 0; i < 500; ++i) {
      const auto one = wire::encode(pdu);
      many.insert(many.end(), one.begin(), one.end());
    }
    while (send(fd, many.data(), many.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  check_unusable(listener.port());
}

BOOST_AUTO_TEST_CASE(a_target_that_accepts_every_login_and_floods_then) {
  // Login accepted, then pings without end: the suite must not follow them for ever.
  Listener listener([](int fd) {
    wire::PduReader reader;
    std::uint8_t buffer[4096];
    const ssize_t count = recv(fd, buffer, sizeof buffer, 0);
    if (count <= 0) return;
    reader.feed(std::span(buffer, static_cast<std::size_t>(count)));
    wire::Pdu accept(wire::Opcode::login_response);
    accept.set(wire::field::transit, 1).set(wire::field::csg, 1).set(wire::field::nsg, 3);
    accept.set(wire::field::tsih, 1);
    wire::Pdu ping(wire::Opcode::nop_in);
    ping.set(wire::field::initiator_task_tag, wire::kReservedTag);
    ping.set(wire::field::target_transfer_tag, 5);
    auto bytes = wire::encode(accept);
    while (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) bytes = wire::encode(ping);
  });
  check_unusable(listener.port());
}

BOOST_AUTO_TEST_CASE(a_target_that_refuses_says_why) {
  Listener listener([](int fd) {
    char buffer[4096];
    if (recv(fd, buffer, sizeof buffer, 0) <= 0) return;
    wire::Pdu refuse(wire::Opcode::login_response);
    refuse.set(wire::field::status, 0x0201);
    const auto bytes = wire::encode(refuse);
    send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  });
  Folder folder;
  const Output output =
      conform({url(listener.port()), "--timeout-ms", "20000", "--out", folder.path.string()});
  BOOST_TEST(output.exit_status == 3);
  BOOST_TEST(output.err.find("--chap") != std::string::npos, output.err);
}

BOOST_AUTO_TEST_SUITE_END()
