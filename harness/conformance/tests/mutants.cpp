#include "harness/conformance/tests/mutants.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "harness/conformance/tests/processes.h"
#include "harness/wire/text.h"

namespace tsih::conformance::testing {

namespace fs = std::filesystem;
using namespace tsih::wire;

namespace {

constexpr const char* kTargetName = "iqn.2026-01.example:mutant";

class Target {
 public:
  explicit Target(const std::vector<std::string>& more) {
    static int counter = 0;
    std::vector<std::string> command{
        TSIHD,
        "--serve",
        "ram:64M",
        "--iqn",
        kTargetName,
        "--portal",
        "127.0.0.1:0",
        "--parameter",
        "InitialR2T=No",
        "--parameter",
        "DefaultTime2Wait=0",
        "--log-level",
        "error",
        "--control",
        fmt::format("/tmp/tsih-mutants-{}-{}.sock", getpid(), ++counter)};
    command.insert(command.end(), more.begin(), more.end());
    server_ = std::make_unique<Server>(command, "ready ");
    const std::string& line = server_->ready_line();
    const auto slash = line.find('/', line.find("//") + 2);
    const auto colon = line.rfind(':', slash);
    port_ = static_cast<std::uint16_t>(std::stoi(line.substr(colon + 1, slash - colon - 1)));
  }
  std::uint16_t port() const { return port_; }

 private:
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

}  // namespace

std::uint16_t plain_target() {
  static const Target target({});
  return target.port();
}
std::uint16_t target_with_chap() {
  static const Target target({"--chap", "judge:a-secret-of-16-b"});
  return target.port();
}
std::uint16_t target_with_mutual_chap() {
  static const Target target(
      {"--chap", "judge:a-secret-of-16-b", "--mutual-chap", "target:another-secret-16"});
  return target.port();
}
std::uint16_t target_without_recovery() {
  static const Target target({"--parameter", "ErrorRecoveryLevel=0"});
  return target.port();
}
std::uint16_t target_that_pings() {
  static const Target target({"--attribute", "nopin_timeout=1"});
  return target.port();
}

Run judge(std::uint16_t port, const std::vector<std::string>& more) {
  static int counter = 0;
  const fs::path folder =
      fs::temp_directory_path() / fmt::format("tsih-mutants-{}-{}", getpid(), ++counter);
  std::vector<std::string> command{TSIH_CONFORM,
                                   fmt::format("iscsi://127.0.0.1:{}/{}/0", port, kTargetName),

                                   "--out", folder.string()};
  command.insert(command.end(), more.begin(), more.end());
  if (std::ranges::find(more, "--timeout-ms") == more.end())
    command.insert(command.end(), {"--timeout-ms", "1000"});
  const Output output = run(command);
  Run result{output.exit_status, output.out + output.err, {}};
  std::ifstream file(folder / "findings.jsonl");
  for (std::string line; std::getline(file, line);)
    result.findings.push_back(nlohmann::json::parse(line));
  fs::remove_all(folder);
  return result;
}

void must_fail(const Row& row, std::uint16_t target_port, const std::vector<std::string>& more) {
  MutatingProxy proxy(target_port, row.mutant);
  std::vector<std::string> arguments{"--only", row.test_case, "--strict"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Run result = judge(proxy.port(), arguments);
  bool violated = false;
  for (const auto& finding : result.findings)
    violated |= finding["verdict"] == "violation" || finding["verdict"] == "warning";
  BOOST_TEST((violated && result.exit_status == 1),
             row.test_case << " does not notice its mutant: exit " << result.exit_status << "\n"
                           << result.output);
}

void must_pass(const Row& row, std::uint16_t target_port) {
  MutatingProxy proxy(target_port, row.mutant);
  const Run result = judge(proxy.port(), {"--only", row.test_case, "--strict"});
  BOOST_TEST(!result.findings.empty());
  for (const auto& finding : result.findings)
    BOOST_TEST(finding["verdict"] == "pass", finding.dump());
}

Mutation only(Opcode opcode, const std::function<std::vector<Pdu>(Pdu, const Passing&)>& change) {
  return [=](const Passing& passing) -> std::vector<Pdu> {
    if (!passing.pdu.is(opcode)) return {passing.pdu};
    return change(passing.pdu, passing);
  };
}

Mutation setting(Opcode opcode, Field where, std::uint64_t value) {
  return only(opcode, [=](Pdu pdu, const Passing&) { return std::vector{pdu.set(where, value)}; });
}

Mutation adding(Opcode opcode, Field where, std::int64_t value) {
  return only(opcode, [=](Pdu pdu, const Passing&) {
    return std::vector{pdu.set(where, pdu[where] + static_cast<std::uint64_t>(value))};
  });
}

Mutation with_data(Opcode opcode, const std::function<void(Bytes&)>& change) {
  return only(opcode, [=](Pdu pdu, const Passing&) {
    change(pdu.data);
    return std::vector{pdu};
  });
}

Mutation with_key(const std::string& key, const std::optional<std::string>& value) {
  return [=](const Passing& passing) -> std::vector<Pdu> {
    Pdu pdu = passing.pdu;
    if (!pdu.is(Opcode::login_response) && !pdu.is(Opcode::text_response)) return {pdu};
    TextKeys keys = parse_text(pdu.data).keys;
    if (!keys.has(key)) return {pdu};
    if (value)
      keys.set(key, *value);
    else
      keys.remove(key);
    pdu.data = encode_text(keys);
    return {pdu};
  };
}

Mutation login_always_succeeds() {
  return only(Opcode::login_response, [](Pdu pdu, const Passing& passing) {
    if (pdu[field::status] != 0) {
      pdu.set(field::status, 0);
      pdu.set(field::transit, passing.last_request[field::transit]);
      pdu.set(field::csg, passing.last_request[field::csg]);
      pdu.set(field::nsg, passing.last_request[field::nsg]);
      pdu.set(field::tsih, 7);
    }
    return std::vector{pdu};
  });
}

Mutation failing_with(std::uint16_t status) {
  return only(Opcode::login_response, [=](Pdu pdu, const Passing&) {
    if (pdu[field::status] != 0) pdu.set(field::status, status);
    return std::vector{pdu};
  });
}

Mutation instead_of_reject(Opcode opcode) {
  return only(Opcode::reject, [=](const Pdu& reject, const Passing& passing) {
    Pdu pdu(opcode);
    pdu.set(field::final, 1);
    pdu.set(field::initiator_task_tag, passing.last_request[field::initiator_task_tag]);
    pdu.set(field::target_transfer_tag, kReservedTag);
    pdu.set(field::stat_sn, reject[field::stat_sn]);
    pdu.set(field::exp_cmd_sn, reject[field::exp_cmd_sn]);
    pdu.set(field::max_cmd_sn, reject[field::max_cmd_sn]);
    return std::vector{pdu};
  });
}

Mutation both(const Mutation& first, const Mutation& second) {
  return [=](const Passing& passing) {
    std::vector<Pdu> result;
    for (const Pdu& changed : first(passing)) {
      Passing again = passing;
      again.pdu = changed;
      for (const Pdu& pdu : second(again)) result.push_back(pdu);
    }
    return result;
  };
}

Mutation from_connection(unsigned first, const Mutation& mutation) {
  const auto connections = std::make_shared<std::atomic<unsigned>>(0);
  return [=](const Passing& passing) {
    if (passing.number == 0) ++*connections;
    return *connections >= first ? mutation(passing) : std::vector{passing.pdu};
  };
}

Mutation unchanged() {
  return [](const Passing& passing) { return std::vector{passing.pdu}; };
}

Mutation good_before_pong(std::size_t nth_last) {
  return only(Opcode::nop_in, [=](const Pdu& pong, const Passing& passing) {
    std::vector<Pdu> commands;
    for (const Pdu& request : passing.requests)
      if (request.is(Opcode::scsi_command)) commands.push_back(request);
    if (commands.size() < nth_last) return std::vector{pong};
    Pdu good(Opcode::scsi_response);
    good.set(field::final, 1).set(field::stat_sn, pong[field::stat_sn]);
    good.set(field::exp_cmd_sn, pong[field::exp_cmd_sn]);
    good.set(field::max_cmd_sn, pong[field::max_cmd_sn]);
    good.set(field::initiator_task_tag,
             commands[commands.size() - nth_last][field::initiator_task_tag]);
    return std::vector{good, pong};
  });
}

Mutation write_status(std::uint8_t status) {
  return [=](const Passing& passing) -> std::vector<Pdu> {
    Pdu pdu = passing.pdu;
    const bool written = std::ranges::any_of(passing.requests, [](const Pdu& request) {
      return request.is(Opcode::scsi_command) && request[field::write];
    });
    if (written && pdu.is(Opcode::reject)) return {};
    if (written && pdu.is(Opcode::scsi_response)) {
      pdu.set(field::scsi_status, status);
      pdu.data.clear();
    }
    return {pdu};
  };
}

Mutation long_data_in(std::size_t bytes) {
  return with_data(Opcode::data_in, [=](Bytes& data) {
    if (data.size() < bytes) data.resize(bytes);
  });
}

}  // namespace tsih::conformance::testing
