// A case that cannot fail is a defect: a tiny initiator keeps every rule and passes every case, and
// for each case it breaks a rule in a way that the case has to see.
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "harness/suite/processes.h"

using tsih::suite::Output;

namespace {

// A folder that goes away with its test.
struct Scratch {
  std::filesystem::path path;
  Scratch() {
    std::string name = std::filesystem::temp_directory_path() / "tsih-initiators-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
};

struct Run {
  int exit_status = 0;
  std::string output;
  std::vector<nlohmann::json> findings;
};

Run judge(const std::vector<std::string>& options, const std::vector<std::string>& initiator) {
  const Scratch scratch;
  std::vector<std::string> command{TSIH_CONFORM_INITIATOR, "--out", scratch.path / "run"};
  command.insert(command.end(), options.begin(), options.end());
  command.push_back("--");
  command.insert(command.end(), initiator.begin(), initiator.end());
  const Output output = tsih::suite::run(command);
  Run run{output.exit_status, output.out + output.err, {}};
  std::ifstream file(scratch.path / "run" / "findings.jsonl");
  for (std::string line; std::getline(file, line);)
    run.findings.push_back(nlohmann::json::parse(line));
  return run;
}

Run judge_tiny(const std::vector<std::string>& options, const std::string& broken_rule = {}) {
  std::vector<std::string> tiny{TSIH_TINY_INITIATOR, "{action}", "{url}"};
  if (!broken_rule.empty()) tiny.push_back(broken_rule);
  return judge(options, tiny);
}

bool is_broken(const nlohmann::json& finding) {
  return finding["verdict"] == "violation" || finding["verdict"] == "warning";
}

// A case, and the rules that it has to see broken (words of tests/tiny_*.cpp).
struct Row {
  const char* test_case;
  std::vector<const char*> rules;
};

const std::vector<Row> kRows{
    {"data_in.status_in_the_last", {"no_data_status"}},
    {"data_in.without_data", {"empty_data"}},
    {"data_in.small_pieces", {"lose_last"}},
    {"data_in.a_bit_at_level_0", {"a_bit"}},
    {"data_in.reserved_bits", {"reserved_bits"}},
    {"data_in.gap_in_data_sn", {"data_sn_gap"}},
    {"data_in.gap_told_by_status", {"exp_data_sn"}},
    {"data_in.twice", {"twice"}},
    {"digest.on_every_pdu", {"own_digest"}},
    {"digest.wrong_in_header", {"take_header_digest"}},
    {"digest.wrong_in_data", {"take_data_digest"}},
    {"digest.wrong_in_status", {"take_data_digest"}},
    {"discovery.login_of_it", {"no_name", "no_type"}},
    {"discovery.request_for_targets",
     {"no_send_targets", "some_targets", "text_zero", "text_c_and_f", "text_length"}},
    {"discovery.answer_in_parts", {"text_tag", "text_task", "c_bit"}},
    {"discovery.longest_name", {"short_names"}},
    {"discovery.many_targets", {"short_text"}},
    {"login.first_request", {"no_name", "no_target", "version", "tsih", "login_stage_three"}},
    {"login.same_in_all_requests", {"login_cid", "names_again"}},
    {"login.slow_to_transit", {"keys_again", "hesitates"}},
    {"login.one_key_at_a_time", {"impatient"}},
    {"login.ends_with_transit", {"no_transit"}},
    {"login.recovery_level_0", {"level_0"}},
    {"login.one_r2t_above_level_0", {"many_r2ts"}},
    {"login.text_in_parts", {"c_bit"}},
    {"login.keys_in_other_order", {"key_order"}},
    {"login.reserved_bits", {"reserved_bits"}},
    {"login.unknown_key", {"unknown_key"}},
    {"login.least_of_everything", {"least"}},
    {"login.refused", {"login_status", "tries_again"}},
    {"login.refused_by_error", {"login_status"}},
    {"login.refused_by_reserved_class", {"login_status"}},
    {"login.something_else", {"login_foreign"}},
    {"login.transit_unasked", {"login_transit"}},
    {"login.another_task_tag", {"login_tag"}},
    {"login.another_isid", {"login_isid"}},
    {"login.version_not_offered", {"login_version"}},
    {"login.tsih_of_zero", {"login_tsih"}},
    {"login.reserved_stage", {"login_stage"}},
    {"login.method_not_offered", {"key_method"}},
    {"login.digest_not_offered", {"key_digest"}},
    {"login.illegal_boolean", {"key_boolean"}},
    {"login.number_above_offer", {"key_number"}},
    {"login.declared_twice", {"key_twice"}},
    {"redirect.at_once", {"redirect"}},
    {"redirect.after_security", {"redirect"}},
    {"redirect.for_good", {"redirect"}},
    {"nop.ping_is_answered",
     {"no_pong", "pong_tag", "pong_lun", "pong_task", "pong_numbered", "pong_cmd_sn"}},
    {"nop.tag_of_zero", {"zero_tag"}},
    {"nop.numbers_only", {"answers_all"}},
    {"r2t.one_burst",
     {"data_sn_from_one", "segment", "offset", "lun", "r2t_less", "r2t_more", "empty_data_out"}},
    {"r2t.one_data_out", {"offset", "r2t_less"}},
    {"r2t.numbers_begin_anew", {"data_sn"}},
    {"r2t.odd_sizes", {"r2t_odd"}},
    {"r2t.tag_of_zero", {"r2t_tag"}},
    {"r2t.late", {"r2t_late"}},
    {"r2t.several_at_once", {"r2t_order"}},
    {"r2t.out_of_order", {"r2t_back"}},
    {"r2t.twice", {"r2t_twice"}},
    {"r2t.gap_in_r2t_sn", {"r2t_gap"}},
    {"r2t.beyond_the_end", {"r2t_beyond"}},
    {"r2t.for_a_read", {"r2t_read"}},
    {"r2t.of_no_bytes", {"r2t_zero"}},
    {"r2t.of_no_task", {"task_tag"}},
    {"unsolicited.none", {"immediate", "unsolicited"}},
    {"unsolicited.immediate_only", {"first_burst", "unsolicited", "no_final"}},
    {"unsolicited.immediate_within_segment", {"segment"}},
    {"unsolicited.all_of_it", {"no_final"}},
    {"unsolicited.data_out_only", {"immediate", "first_burst", "short_burst", "segment"}},
    {"unsolicited.both", {"first_burst", "short_burst"}},
    {"sequence.commands_rise_by_one", {"cmd_sn"}},
    {"sequence.status_numbers_wrap", {"stat_sn_wrap", "exp_stat_sn"}},
    {"sequence.first_status_is_zero", {"exp_stat_sn"}},
    {"sequence.gap_in_stat_sn", {"stat_sn_gap"}},
    {"sequence.closed_window", {"window"}},
    {"sequence.closed_by_response", {"window"}},
    {"sequence.widest_window", {"plain_window"}},
    {"sequence.senseless_window", {"senseless_window"}},
    {"sequence.stream_in_single_bytes", {"whole_pieces"}},
    {"sequence.stream_in_one_piece", {"one_pdu_a_segment"}},
    {"async.scsi_event", {"event_ends", "no_event_status"}},
    {"async.vendor_event", {"event_ends", "no_event_status"}},
    {"async.logout_requested", {"deaf", "logout_reason", "command_before_logout"}},
    {"async.negotiation_requested", {"deaf"}},
    {"async.connection_dropped", {"deaf"}},
    {"async.session_dropped", {"deaf"}},
    {"reject.of_a_command", {"reject"}},
    {"status.busy", {"status_ends"}},
    {"status.reservation_conflict", {"status_ends"}},
    {"status.crc_error", {"status_ends"}},
    {"status.unexpected_data", {"status_ends"}},
    {"status.too_little_data", {"status_ends"}},
    {"status.of_no_task", {"task_tag"}},
    {"status.reserved_opcode", {"opcode"}},
    {"status.opcode_of_initiators", {"opcode"}},
    {"task_management.abort_task", {"abort_number", "abort_lun", "abort_data", "abort_cmd_sn"}},
    {"task_management.status_before_response", {"abort_forgets"}},
    {"task_management.after_timeout", {"never_aborts"}},
    {"task_management.abort_task_set", {"set_task"}},
    {"task_management.set_answers_on", {"set_deaf", "set_slow", "set_goes_on"}},
    {"nop.of_the_initiator", {"ping_task", "ping_tag"}},
    {"chap.algorithms", {"no_first_step", "no_md5"}},
    {"chap.response", {"no_chap_name", "wrong_secret"}},
    {"chap.mutual", {"not_mutual", "reflects"}},
    {"chap.wrong_proof", {"unproved"}},
    {"chap.own_secret", {"unproved"}},
    {"chap.no_proof", {"unproved"}},
    {"chap.challenge_left_out", {"chap_step"}},
    {"chap.algorithm_not_offered", {"chap_algorithm"}},
    {"chap.longest_challenge", {"chap_short_limit"}},
    {"chap.challenge_too_long", {"chap_long"}},
    {"chap.refused", {"login_status"}},
    {"kerberos.first_step", {"no_krb_request", "no_first_step"}},
    {"kerberos.wrong_proof", {"unproved"}},
    {"spkm.first_step_of_1", {"no_spkm_request"}},
    {"spkm.first_step_of_2", {"no_spkm_request"}},
    {"spkm.wrong_proof", {"unproved"}},
    {"spkm.long_token", {"text_limit"}},
    {"extension_method.labels", {"small_key"}},
    {"srp.first_step", {"no_srp_user"}},
    {"srp.later_steps", {"srp_group", "no_srp_proof"}},
    {"srp.unknown_group", {"srp_group"}},
    {"srp.wrong_proof", {"unproved"}},
    {"recovery.lost_data_in", {"no_snack", "snack_task", "snack_tag"}},
    {"recovery.wrong_digest", {"take_data_digest"}},
    {"recovery.status_waits", {"no_snack", "status_before_data"}},
    {"recovery.data_ack", {"no_data_ack", "ack_task", "ack_tag", "ack_run"}},
    {"recovery.level_of_the_target", {"no_data_ack"}},
    {"recovery.data_ack_waits", {"early_ack"}},
    {"recovery.acknowledged_data", {"asks_for_acknowledged"}},
    {"recovery.lost_status", {"stat_sn_gap", "snack_task"}},
    {"recovery.r_data_snack", {"plain_snack", "r_data_tag", "r_data_run", "r_data_length"}},
    {"recovery.snack_rejected", {"status_ends"}},
    {"recovery.retry", {"retry_tag", "retry_cdb"}},
    {"recovery.no_retry", {"retries_for_nothing"}},
    {"reassign.session_goes_on", {"recovers_elsewhere", "reassigns_at_once"}},
    {"reassign.task_is_taken_along",
     {"reassigns_at_once", "reassigns_in_order", "reassigns_beyond"}},
    {"reassign.nothing_twice", {"asks_for_reassigned"}},
    {"reassign.unacknowledged_data_is_dropped", {"keeps_unacknowledged"}},
    {"reassign.snack_tag_is_forgotten", {"keeps_snack_tag"}},
    {"reassign.cleanup_ends", {"cleans_up_twice"}},
    {"reassign.session_dropped", {"deaf"}},
    {"reassign.time_to_wait", {"no_wait"}},
    {"connection.begins_with_login", {"no_name", "speaks_too_early"}},
    {"connection.full_feature_begins", {"login_again"}},
    {"connection.leaves_by_logout", {"leaves_silently", "after_logout", "stays_connected"}},
    {"connection.asked_again", {"deaf"}},
    {"connection.asked_when_leaving", {"logs_out_twice"}},
    {"connection.ends_in_login", {"stays_open"}},
    {"connection.ended_by_target", {"stays_open"}},
    {"connection.session_begins_anew", {"reinstates_by_tsih", "another_name"}},
    {"connection.second_of_a_session", {"second_tsih", "second_name", "second_isid"}},
    {"connection.session_logged_out", {"second_stays"}},
    {"connection.logout_asked_on_second", {"second_stays"}},
    {"text.several_exchanges", {"text_task", "text_tag", "text_open"}},
    {"text.taken_back", {"half_negotiated"}},
    {"text.rejected", {"text_goes_on"}},
    {"login.offers", {"range", "boolean", "reserved_word", "bursts"}},
    {"login.version_of_the_first", {"version_of_the_last"}},
    {"sequence.expected_length", {"expects_more"}},
    {"logout.in_order", {"logout_data", "after_logout", "stays_connected"}},
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_good_initiator_passes_every_case) {
  const Run run = judge_tiny({"--strict", "--timeout-ms", "10000"});
  BOOST_TEST(run.exit_status == 0);
  std::set<std::string> cases;
  for (const auto& finding : run.findings) {
    cases.insert(finding["case"]);
    BOOST_TEST(finding["verdict"] == "pass", finding.dump());
    BOOST_TEST(finding["party"] == "initiator");
  }
  BOOST_TEST(cases.size() == kRows.size());
}

// Several at once: some cases wait long for what an initiator that breaks its rule never does.
BOOST_AUTO_TEST_CASE(each_case_sees_its_rules_broken) {
  constexpr std::size_t kAtOnce = 6;
  struct Trial {
    const char* test_case;
    const char* rule;
    std::future<Run> run;
  };
  std::deque<Trial> running;
  const auto finish_one = [&] {
    Trial& first = running.front();
    const Run run = first.run.get();
    BOOST_TEST(std::ranges::any_of(run.findings, is_broken),
               first.test_case << " does not see " << first.rule << ": " << run.output);
    running.pop_front();
  };
  for (const Row& row : kRows)
    for (const char* rule : row.rules) {
      if (running.size() == kAtOnce) finish_one();
      running.push_back(
          {row.test_case, rule, std::async(std::launch::async, [&row, rule] {
             return judge_tiny({"--only", row.test_case, "--timeout-ms", "4000"}, rule);
           })});
    }
  while (!running.empty()) finish_one();
}

BOOST_AUTO_TEST_CASE(a_name_that_is_no_case_is_no_pass) {
  const Run run = judge_tiny({"--only", "login.nonsense"});
  BOOST_TEST(run.exit_status == 2);
  BOOST_TEST(run.output.find("matches none") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_initiator_that_does_nothing_is_no_pass) {
  for (const char* program : {"true", "false", "/no/such/program"}) {
    const Run run = judge({"--only", "login", "--timeout-ms", "300"}, {program, "{url}"});
    BOOST_TEST(run.exit_status == 3);
    BOOST_TEST(!run.findings.empty());
    for (const auto& finding : run.findings) BOOST_TEST(finding["verdict"] != "pass");
  }
}

BOOST_AUTO_TEST_CASE(an_initiator_that_hangs_is_inconclusive_in_time) {
  const Run run = judge({"--only", "nop", "--timeout-ms", "100"}, {"sh", "-c", "sleep 60 # {url}"});
  BOOST_TEST(run.exit_status == 3);
  BOOST_TEST(run.findings.size() > 0u);
  for (const auto& finding : run.findings) BOOST_TEST(finding["verdict"] == "inconclusive");
}

// What connects and is no initiator: it says nothing, hangs up, does so for ever, talks nonsense.
BOOST_AUTO_TEST_CASE(what_is_no_initiator_is_inconclusive_in_time) {
  const std::string connect =
      "exec 3<>/dev/tcp/127.0.0.1/$(echo {url} | cut -d: -f3 | cut -d/ -f1)";
  for (const std::string& script : {connect + "; sleep 60", connect + "; exec 3>&-; sleep 60",
                                    "while true; do " + connect + "; exec 3>&-; done",
                                    connect + "; yes nonsense | head -c 3000000 >&3"}) {
    const Run run = judge({"--only", "nop", "--timeout-ms", "500"}, {"bash", "-c", script});
    BOOST_TEST(run.exit_status == 3);
    BOOST_TEST(run.findings.size() > 0u);
    for (const auto& finding : run.findings)
      BOOST_TEST(finding["verdict"] == "inconclusive", script << ": " << finding.dump());
  }
}

BOOST_AUTO_TEST_CASE(a_command_without_a_url_is_refused) {
  const Run run = judge({}, {"iscsi-inq"});
  BOOST_TEST(run.exit_status == 2);
  BOOST_TEST(run.output.find("{url}") != std::string::npos);
}
