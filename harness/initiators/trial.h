// How a case is written:
//
//   TSIH_TRIAL(empty_data_in, "A Data-In without data is taken", judges("R3720-10.7.7-01")) {
//     start(kRead);
//     const auto [initiator, read] = serve_until(read_command());
//     initiator.send(initiator.data_in(read, {}, 0, 0, false));
//     initiator.serve_read(read, 1);
//     expect_goes_on(initiator);
//   }
//
// All is served well but what the case takes: then the case says its one odd thing, and watches.
// Something that did not happen is proved by a fence: a ping that is answered after it.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "harness/initiators/target.h"
#include "harness/suite/facts.h"
#include "harness/suite/judgement.h"

namespace tsih::initiators {

/// What the initiator is asked to do: {action} in its command. Each logs in and out.
inline constexpr const char* kAttach = "attach";      ///< looks at the disk
inline constexpr const char* kRead = "read";          ///< reads 128 KiB from block 0 on
inline constexpr const char* kWrite = "write";        ///< writes 256 KiB from block 0 on, in one
inline constexpr const char* kCopy = "copy";          ///< reads 64 KiB, writes them 64 KiB further
inline constexpr const char* kDiscover = "discover";  ///< a discovery session
inline constexpr const char* kAbort = "abort";        ///< begins a read, and aborts it
inline constexpr const char* kMany = "many";          ///< many reads of one block at a time
inline constexpr const char* kAbortSet =
    "abort-set";                              ///< begins a write of 256 KiB, ABORT TASK SET
inline constexpr const char* kPing = "ping";  ///< a ping of its own
inline constexpr const char* kChap = "chap";  ///< attach, with CHAP (secrets.h)
inline constexpr const char* kMutualChap = "mutual-chap";  ///< the target proves itself, too

struct TrialContext : suite::CaseRecord {
  TrialContext(const Settings& the_settings, std::uint64_t case_seed)
      : CaseRecord(the_settings.timeout_ms, case_seed), settings(the_settings) {}
  const Settings& settings;
};

/// A request that the case has taken, and whose it is.
struct Taken {
  Peer& peer;
  wire::Pdu pdu;
};

// ---- what a case waits for ------------------------------------------------------------------
Want request(wire::Opcode opcode);
Want read_command();
Want write_command();
/// Any SCSI command in full feature phase.
Want any_command();
/// A Login Request in this stage.
Want login_in(Stage stage);
/// The first Login Request of a connection to this portal.
Want login_at_portal(unsigned portal);

bool is_read(const wire::Pdu& pdu);
bool is_write(const wire::Pdu& pdu);

/// The base of every case.
class Trial {
 public:
  using Maker = std::function<std::unique_ptr<Trial>(TrialContext&)>;
  using Context = TrialContext;
  /// Runs the body of the current test case; everything it throws ends here.
  static void run_current(const Maker& make);
  /// The initiator that run_current() judges.
  static void judge(const Settings& settings);

  explicit Trial(TrialContext& context) : context_(context), target_(context, context.settings) {}
  virtual ~Trial() = default;
  virtual void converse() = 0;

 protected:
  Service& service() { return target_.service; }
  void wish(const std::string& key, const std::string& value) { service().wishes.set(key, value); }
  void start(const char* action) { target_.start(action); }
  Taken serve_until(const Want& want);

  /// The same where reaching that is the question: an initiator that does not get there fails.
  Taken expect_until(const Want& want);
  /// The initiator has to offer this: unsupported when it does not.
  void offered(bool yes, const std::string& what);

  // ---- what an initiator may do after the one point --------------------------------------------
  /// It has taken what came and goes on: a ping is answered.
  void expect_goes_on(Peer& peer);
  /// It noticed: the connection ends (or is logged out) and the ping after it stays unanswered.
  void expect_gives_up(Peer& peer, const std::string& because);
  /// The connection ends before the login does.
  void expect_login_ends(Peer& peer, const std::string& because);
  /// A Login Response that sends the initiator to the other portal.
  wire::Pdu moved(Peer& peer, const wire::Pdu& request, std::uint16_t status);
  /// A login comes to the other portal.
  void expect_arrival();
  /// This comes, and by the initiator's own doing: silence is a failure.
  wire::Pdu expect_reaction(Peer& peer, const Want& want);
  /// The same within so many seconds, which the RFC leaves it: here time itself is the question.
  wire::Pdu expect_within(Peer& peer, const Want& want, int seconds);
  /// None of this comes before a ping is answered, or the connection ends.
  void expect_none(Peer& peer, const std::string& what,
                   const std::function<bool(const wire::Pdu&)>& is);
  /// Nothing more comes but the end of the connection, and that soon.
  void expect_closed(Peer& peer);
  /// The status of this number was lost: nothing acknowledges it as if it had come.
  void expect_unacknowledged(Peer& peer, std::uint32_t stat_sn);
  /// Everything up to this, the rest is served; the end of the connection instead is a failure.
  wire::Pdu expect(Peer& peer, const Want& want);
  /// All that this R2T asks for; silence is a failure: the Data-Outs, up to the one with F.
  std::vector<wire::Pdu> expect_data_outs(Peer& peer, const wire::Pdu& r2t);
  /// The initiator ends its work as it wanted: a logout, exit status 0.
  void expect_good_end();
  /// Of kCopy: what was read is what was written, so that all of it came through.
  void expect_copied();
  /// Of kCopy: the initiator made no more of a read that went wrong than of a failure. It may give
  /// up, or get the data in another way, but it does not take what is wrong for good.
  void expect_not_deceived();
  /// What came before the answer to a ping was all that there was.
  std::vector<wire::Pdu> up_to_pong(Peer& peer);

  void judging(const std::string& clause) {
    context_.clause = clause;
    context_.with_it.clear();
  }
  /// The same about several clauses that say the same of this situation: kept or broken together.
  void judging_all(std::initializer_list<const char*> clauses) {
    judging(*clauses.begin());
    context_.with_it.assign(clauses.begin() + 1, clauses.end());
  }
  void verify(bool kept, const std::string& expected, const std::string& actual);
  void verify_equal(const std::string& what, std::uint64_t expected, std::uint64_t actual);
  void confirm(const std::string& actual) { context_.confirm(actual); }
  [[noreturn]] void fail(const std::string& expected, const std::string& actual) {
    context_.fail(expected, actual);
  }
  Target& target() { return target_; }
  TrialContext& context() { return context_; }

 private:
  enum class Copied : std::uint8_t { nothing, right, wrong };
  Copied copied() const;

  TrialContext& context_;
  Target target_;
};

}  // namespace tsih::initiators

#define TSIH_TRIAL(case_name, description_text, ...) \
  TSIH_SUITE_CASE(::tsih::initiators::Trial, case_name, description_text, __VA_ARGS__)
