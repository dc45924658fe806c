// A case that cannot fail is a defect: for each line of the table, tsihd is made to break one rule
// by a proxy, and the case has to say so. Red when: a case passes whatever the target does, or the
// unchanged target does not pass through the same proxy.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/conformance/tests/mutating_proxy.h"
#include "harness/conformance/tests/processes.h"
#include "harness/wire/text.h"

using namespace tsih::conformance::testing;
using namespace tsih::wire;
namespace fs = std::filesystem;

namespace {

constexpr const char* kTargetName = "iqn.2026-01.example:mutant";

/// tsihd with a disk in memory, once for the whole program.
class Target {
 public:
  static Target& plain() {
    static Target target({});
    return target;
  }
  static Target& with_chap() {
    static Target target({"--chap", "judge:a-secret-of-16-b"});
    return target;
  }
  std::uint16_t port() const { return port_; }

 private:
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

  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

struct Run {
  int exit_status = 0;
  std::string output;
  std::vector<nlohmann::json> findings;
};

Run judge(std::uint16_t port, const std::vector<std::string>& more) {
  static int counter = 0;
  const fs::path folder =
      fs::temp_directory_path() / fmt::format("tsih-mutants-{}-{}", getpid(), ++counter);
  std::vector<std::string> command{
      TSIH_CONFORM,   fmt::format("iscsi://127.0.0.1:{}/{}/0", port, kTargetName),
      "--timeout-ms", "1000",
      "--out",        folder.string()};
  command.insert(command.end(), more.begin(), more.end());
  const Output output = run(command);
  Run result{output.exit_status, output.out + output.err, {}};
  std::ifstream file(folder / "findings.jsonl");
  for (std::string line; std::getline(file, line);)
    result.findings.push_back(nlohmann::json::parse(line));
  fs::remove_all(folder);
  return result;
}

// ---- ways to break a rule
// ------------------------------------------------------------------------

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

/// The target's text with one key changed: a value, or without the key when there is none.
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

/// Login goes on whatever the target says against it.
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

/// A login that fails does so with another status.
Mutation failing_with(std::uint16_t status) {
  return only(Opcode::login_response, [=](Pdu pdu, const Passing&) {
    if (pdu[field::status] != 0) pdu.set(field::status, status);
    return std::vector{pdu};
  });
}

/// A Reject becomes something else.
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

struct Row {
  const char* test_case;
  Mutant mutant;
};

void must_fail(const Row& row, std::uint16_t target_port,
               const std::vector<std::string>& more = {}) {
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

}  // namespace

BOOST_AUTO_TEST_SUITE(mutants)

BOOST_AUTO_TEST_CASE(nothing_changed_nothing_violated) {
  MutatingProxy proxy(Target::plain().port(),
                      {[](const Passing& passing) { return std::vector{passing.pdu}; }});
  const Run result = judge(proxy.port(), {"--strict"});
  BOOST_TEST(result.exit_status == 0, result.output);
  for (const auto& finding : result.findings)
    BOOST_TEST((finding["verdict"] == "pass" || finding["verdict"] == "unsupported"),
               finding.dump());
}

BOOST_AUTO_TEST_CASE(login_answers) {
  const Opcode login = Opcode::login_response;
  const Row rows[] = {
      {"login.start.portal_group_tag", {with_key("TargetPortalGroupTag", std::nullopt)}},
      {"login.start.portal_group_tag_after_continued_text",
       {with_key("TargetPortalGroupTag", std::nullopt)}},
      {"login.start.session_type_has_a_default", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (!parse_text(passing.last_request.data).keys.has("SessionType") &&
             pdu.is(Opcode::login_response))
           pdu.set(field::status, 0x0207);
         return std::vector{pdu};
       }}},
      {"login.start.ping_during_login", {failing_with(0x0200)}},
      {"login.stage.reserved_csg", {login_always_succeeds()}},
      {"login.stage.reserved_nsg", {login_always_succeeds()}},
      {"login.stage.starts_in_full_feature", {login_always_succeeds()}},
      {"login.stage.transit_with_continue", {login_always_succeeds()}},
      {"login.stage.no_way_back", {login_always_succeeds()}},
      {"login.stage.next_stage_not_beyond", {setting(login, field::nsg, 3)}},
      {"login.stage.no_transit_unasked", {setting(login, field::transit, 1)}},
      {"login.answer.versions_stay", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (pdu.is(Opcode::login_response)) pdu.set(field::version_max, passing.number);
         return std::vector{pdu};
       }}},
      {"login.answer.final_answer", {setting(login, field::tsih, 0)}},
      {"login.answer.status_numbers_rise", {setting(login, field::stat_sn, 9)}},
      {"login.answer.command_number_is_taken_over", {adding(Opcode::nop_in, field::exp_cmd_sn, 1)}},
      {"login.answer.reserved_fields_are_zero", {setting(login, Field{"reserved", 38, 0, 16}, 1)}},
      {"login.session.unknown_handle_new_port", {failing_with(0x0200)}},
      {"login.session.unknown_handle_known_port", {failing_with(0x0203)}},
  };
  for (const Row& row : rows) must_fail(row, Target::plain().port());
}

BOOST_AUTO_TEST_CASE(login_text) {
  const Row rows[] = {
      {"login.text.unknown_key", {with_key("X-example.tsih.unheard_of", "1")}},
      {"login.text.key_twice_in_one_request", {login_always_succeeds()}},
      {"login.text.key_twice_in_two_requests", {login_always_succeeds()}},
      {"login.text.name_declared_twice", {login_always_succeeds()}},
      {"login.text.eight_kib_in_pieces",
       {only(Opcode::login_response,
             [](Pdu pdu, const Passing& passing) {
               if (passing.last_request[field::continues]) pdu.data = encode_text({{"A", "1"}});
               return std::vector{pdu};
             })}},
      {"login.text.answers_are_well_formed",
       {with_data(Opcode::login_response,
                  [](Bytes& data) {
                    if (!data.empty()) data.pop_back();
                  })}},
  };
  for (const Row& row : rows) must_fail(row, Target::plain().port());
}

BOOST_AUTO_TEST_CASE(login_keys) {
  const Row rows[] = {
      {"login.key.max_connections", {with_key("MaxConnections", "2")}},
      {"login.key.max_connections_many", {with_key("MaxConnections", "0")}},
      {"login.key.max_burst_length_least", {with_key("MaxBurstLength", "1024")}},
      {"login.key.max_burst_length_most", {with_key("MaxBurstLength", "NotUnderstood")}},
      {"login.key.max_burst_length_hexadecimal", {with_key("MaxBurstLength", "8192")}},
      {"login.key.default_time2wait_most", {with_key("DefaultTime2Wait", "2")}},
      {"login.key.default_time2retain_least", {with_key("DefaultTime2Retain", "20")}},
      {"login.key.max_outstanding_r2t", {with_key("MaxOutstandingR2T", std::nullopt)}},
      {"login.key.error_recovery_level_zero", {with_key("ErrorRecoveryLevel", "1")}},
      {"login.key.error_recovery_level_two", {with_key("ErrorRecoveryLevel", "3")}},
      {"login.key.first_burst_length", {with_key("FirstBurstLength", "65536")}},
      {"login.key.first_burst_within_max_burst", {with_key("FirstBurstLength", "8192")}},
      {"login.key.outside_the_bounds", {with_key("MaxBurstLength", "511")}},
      {"login.key.initial_r2t_no", {with_key("InitialR2T", "Reject")}},
      {"login.key.immediate_data_yes", {with_key("ImmediateData", std::nullopt)}},
      {"login.key.data_pdu_in_order_no", {with_key("DataPDUInOrder", "NotUnderstood")}},
      {"login.key.data_sequence_in_order_no", {with_key("DataSequenceInOrder", "maybe")}},
      {"login.key.header_digest_none", {with_key("HeaderDigest", "Reject")}},
      {"login.key.digest_first_wins", {[](const Passing& passing) {
         // Only the list is answered wrongly; alone it is still agreed to.
         const bool list =
             parse_text(passing.last_request.data).keys.value("HeaderDigest") == "CRC32C,None";
         return list ? with_key("HeaderDigest", "None")(passing) : std::vector{passing.pdu};
       }}},
      {"login.key.digest_unknown_skipped", {with_key("HeaderDigest", "Reject")}},
      {"login.key.all_keys_at_once", {with_key("DefaultTime2Wait", "NotUnderstood")}},
  };
  for (const Row& row : rows) must_fail(row, Target::plain().port());
}

BOOST_AUTO_TEST_CASE(sequence) {
  const Opcode pong = Opcode::nop_in;
  const Row rows[] = {
      {"sequence.acknowledged_with_the_answer", {adding(pong, field::exp_cmd_sn, -1)}},
      {"sequence.immediate_does_not_advance", {adding(pong, field::exp_cmd_sn, 1)}},
      {"sequence.window_is_sane",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               return std::vector{pdu.set(field::max_cmd_sn, pdu[field::exp_cmd_sn] - 2)};
             })}},
      {"sequence.status_numbers_rise_by_one", {setting(pong, field::stat_sn, 77)}},
      {"sequence.number_wraps_around",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               if (pdu[field::exp_cmd_sn] < 8) pdu.set(field::exp_cmd_sn, 0xffffffff);
               return std::vector{pdu};
             })}},
      {"sequence.gap_holds_later_commands_back", {adding(pong, field::exp_cmd_sn, 1)}},
      {"sequence.immediate_of_each_kind",
       {only(Opcode::task_management_response,
             [](const Pdu& pdu, const Passing&) {
               Pdu reject(Opcode::reject);
               reject.set(field::stat_sn, pdu[field::stat_sn]);
               return std::vector{reject};
             })}},
  };
  for (const Row& row : rows) must_fail(row, Target::plain().port());
}

BOOST_AUTO_TEST_CASE(nop_and_text) {
  const Opcode pong = Opcode::nop_in;
  const Row rows[] = {
      {"nop.ping_is_answered", {setting(pong, field::target_transfer_tag, 5)}},
      {"nop.ping_without_data",
       {only(pong,
             [](Pdu pdu, const Passing&) {
               if (pdu.data.empty()) pdu.data = {1};
               return std::vector{pdu};
             })}},
      {"nop.odd_ping_is_padded", {with_data(pong, [](Bytes& data) { data.resize(8); })}},
      {"nop.long_ping_is_cut", {with_data(pong, [](Bytes& data) { data.resize(2048); })}},
      {"nop.reserved_fields_are_zero", {setting(pong, Field{"reserved", 36, 0, 32}, 1)}},
      {"text.final_answer", {setting(Opcode::text_response, field::target_transfer_tag, 3)}},
      {"text.unknown_key", {with_key("X-example.tsih.question", std::nullopt)}},
      {"text.not_final_is_not_ended", {setting(Opcode::text_response, field::final, 1)}},
      {"text.key_twice", {instead_of_reject(Opcode::text_response)}},
      {"text.continued_text",
       {with_data(Opcode::text_response,
                  [](Bytes& data) {
                    data = encode_text({{"A", "1"}});
                  })}},
      {"text.reserved_fields_are_zero",
       {setting(Opcode::text_response, Field{"reserved", 44, 0, 32}, 1)}},
      {"discovery.all_targets", {with_key("TargetAddress", "127.0.0.1:3260")}},
      {"discovery.one_target", {with_key("TargetName", "iqn.2026-01.example:other")}},
      {"discovery.send_targets_on_a_normal_session", {[](const Passing& passing) {
         Pdu pdu = passing.pdu;
         if (pdu.is(Opcode::text_response)) pdu.set(field::opcode, 0x3f);
         return std::vector{pdu};
       }}},
      {"discovery.own_target_on_a_normal_session",
       {with_key("TargetName", "iqn.2026-01.example:other")}},
      {"discovery.commands_are_rejected", {instead_of_reject(Opcode::scsi_response)}},
      {"discovery.logout_is_taken", {setting(Opcode::logout_response, field::response, 3)}},
  };
  for (const Row& row : rows) must_fail(row, Target::plain().port());
}

BOOST_AUTO_TEST_CASE(commands) {
  const Opcode response = Opcode::scsi_response;
  const Opcode data_in = Opcode::data_in;
  const Row rows[] = {
      {"command.sense_data_come_along", {with_data(response, [](Bytes& data) { data.clear(); })}},
      {"command.response_is_clean", {setting(response, Field{"reserved", 8, 0, 32}, 1)}},
      {"command.underflow_is_counted",
       {only(data_in,
             [](Pdu pdu, const Passing&) {
               if (pdu[field::underflow]) pdu.set(field::residual, 1);
               return std::vector{pdu};
             })}},
      {"data_in.numbers_and_offsets_rise", {setting(data_in, field::data_sn, 0)}},
      {"data_in.no_acknowledgement_at_level_zero", {setting(data_in, field::acknowledge, 1)}},
      {"data_in.segment_limit_by_default",
       {only(data_in,
             [](const Pdu& pdu, const Passing&) {
               Pdu empty = pdu;
               empty.data.clear();
               return std::vector{empty.set(field::has_status, 0), pdu};
             })}},
      {"data_in.reserved_fields_are_zero", {setting(data_in, Field{"reserved", 2, 0, 8}, 1)}},
      {"data_in.burst_limit",
       {only(data_in,
             [](Pdu pdu, const Passing&) {
               if (!pdu[field::has_status]) pdu.set(field::final, 0);
               return std::vector{pdu};
             })}},
      {"data_in.status_comes_once",
       {only(data_in,
             [](const Pdu& pdu, const Passing&) {
               Pdu again(Opcode::scsi_response);
               again.set(field::final, 1);
               again.set(field::initiator_task_tag, pdu[field::initiator_task_tag]);
               again.set(field::stat_sn, pdu[field::stat_sn]);
               return pdu[field::has_status] ? std::vector{pdu, again} : std::vector{pdu};
             })}},
  };
  for (const Row& row : rows) must_fail(row, Target::plain().port());
}

BOOST_AUTO_TEST_CASE(writes) {
  const Row rows[] = {
      {"r2t.first_request", {setting(Opcode::r2t, field::target_transfer_tag, kReservedTag)}},
      {"r2t.burst_limit",
       {only(Opcode::r2t,
             [](Pdu pdu, const Passing& passing) {
               const auto all = passing.last_request[field::expected_data_transfer_length];
               return std::vector{pdu.set(field::desired_length, all)};
             })}},
      {"r2t.requests_follow_one_another", {setting(Opcode::r2t, field::r2t_sn, 0)}},
      {"r2t.written_is_read",
       {with_data(Opcode::data_in,
                  [](Bytes& data) {
                    if (data.size() > 512) data[5] ^= 1;
                  })}},
      {"unsolicited.immediate_data_refused",
       {setting(Opcode::scsi_response, field::scsi_status, 0)}},
      {"unsolicited.immediate_data_taken",
       {only(Opcode::data_in,
             [](Pdu pdu, const Passing&) {
               if (pdu.data.size() == 512) pdu.data[0] ^= 1;
               return std::vector{pdu};
             })}},
      {"unsolicited.first_burst_taken", {adding(Opcode::r2t, field::buffer_offset, -512)}},
      {"digest.on_every_pdu", {[](const Passing& p) { return std::vector{p.pdu}; }, true, false}},
      {"digest.data_in_with_digests",
       {[](const Passing& p) { return std::vector{p.pdu}; }, false, true}},
      {"digest.wrong_data_digest", {instead_of_reject(Opcode::nop_in)}},
      {"digest.wrong_digest_of_written_data", {setting(Opcode::reject, field::reject_reason, 4)}},
  };
  for (const Row& row : rows) must_fail(row, Target::plain().port());
}

BOOST_AUTO_TEST_CASE(task_management_logout_reject) {
  const Opcode management = Opcode::task_management_response;
  const Row rows[] = {
      {"task_management.finished_task", {setting(management, field::response, 0)}},
      {"task_management.missing_command", {setting(management, field::response, 1)}},
      {"task_management.reassignment", {setting(management, field::response, 5)}},
      {"task_management.reserved_function", {setting(management, field::response, 0)}},
      {"logout.close_the_session", {setting(Opcode::logout_response, field::response, 1)}},
      {"logout.response_has_no_data",
       {with_data(Opcode::logout_response,
                  [](Bytes& data) {
                    data = {1, 2, 3, 4};
                  })}},
      {"reject.unknown_opcode", {instead_of_reject(Opcode::nop_in)}},
      {"reject.number_stays_free", {adding(Opcode::nop_in, field::exp_cmd_sn, 1)}},
      {"reject.reserved_fields_are_zero",
       {setting(Opcode::reject, Field{"reserved", 44, 0, 32}, 1)}},
  };
  for (const Row& row : rows) must_fail(row, Target::plain().port());
}

BOOST_AUTO_TEST_CASE(chap) {
  const std::vector<std::string> secret{"--chap", "judge:a-secret-of-16-b"};
  MutatingProxy unchanged(Target::with_chap().port(),
                          {[](const Passing& passing) { return std::vector{passing.pdu}; }});
  std::vector<std::string> all{"--only", "login.*"};
  all.insert(all.end(), secret.begin(), secret.end());
  const Run result = judge(unchanged.port(), all);
  BOOST_TEST(result.exit_status == 0, result.output);
  const Row rows[] = {
      {"login.auth.chap_challenge", {with_key("CHAP_A", "7")}},
      {"login.auth.chap_wrong_secret", {login_always_succeeds()}},
      {"login.auth.chap_unknown_user", {failing_with(0x0202)}},
      {"login.auth.chap_response_missing", {login_always_succeeds()}},
      {"login.auth.chap_unknown_algorithm", {login_always_succeeds()}},
      {"login.auth.chap_reflected_challenge", {login_always_succeeds()}},
  };
  for (const Row& row : rows) must_fail(row, Target::with_chap().port(), secret);
}

BOOST_AUTO_TEST_CASE(a_target_that_stops_answering_stops_the_run_in_time) {
  // Nothing comes after the 30th PDU of the connection that the flood of pings uses, nor on any
  // connection opened later.
  auto dead = std::make_shared<std::atomic<bool>>(false);
  MutatingProxy proxy(Target::plain().port(), {[dead](const Passing& passing) {
                        if (passing.pdu.is(Opcode::r2t)) *dead = true;
                        return *dead ? std::vector<Pdu>{} : std::vector{passing.pdu};
                      }});
  const Run result = judge(proxy.port(), {"--only", "nop.*", "--only", "r2t.*"});
  int inconclusive = 0, passed = 0;
  for (const auto& finding : result.findings) {
    inconclusive += finding["verdict"] == "inconclusive";
    passed += finding["verdict"] == "pass";
  }
  BOOST_TEST(passed > 0);
  BOOST_TEST(inconclusive > 3);
  BOOST_TEST(result.output.find("the target is gone since r2t.") != std::string::npos,
             result.output);
}

BOOST_AUTO_TEST_SUITE_END()
