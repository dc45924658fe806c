// How a case is written:
//
//   TSIH_CASE(reserved_csg, "A login cannot begin in stage 2, which nobody has defined",
//             judges("R3720-10-03")) {
//     auto initiator = connect();
//     initiator.send(initiator.login_request(kReservedStage, kFullFeature));
//     const Refusal refusal = initiator.expect_refusal();
//     confirm(refusal.words);
//   }
//
// It stands in Boost.Test suites (BOOST_AUTO_TEST_SUITE(login), then (stage)) that make its name,
// login.stage.reserved_csg. The body is a member of a Conversation. What it throws and confirms
// becomes one finding for each clause that it judges.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "harness/conformance/initiator.h"
#include "harness/conformance/judgement.h"
#include "harness/suite/facts.h"

namespace tsih::conformance {

/// The base of every case.
class Conversation {
 public:
  using Maker = std::unique_ptr<Conversation> (*)(CaseContext&);
  using Context = CaseContext;
  /// Runs the body of the current test case; everything it throws ends here.
  static void run_current(Maker make);

  explicit Conversation(CaseContext& context) : context_(context) {}
  virtual ~Conversation() = default;
  virtual void converse() = 0;

 protected:
  /// A new TCP connection.
  Initiator connect() { return Initiator(context_); }
  /// A new session in full feature phase, with these keys offered. Not what the case asks: when it
  /// fails, the case is inconclusive.
  Initiator log_in(const wire::TextKeys& keys = {});
  /// The same in a discovery session.
  Initiator discover();
  /// The same for a session at this ErrorRecoveryLevel or above, without a time to wait before
  /// tasks may be reassigned. Unsupported where the target negotiates less.
  Initiator log_in_at_level(unsigned level, const wire::TextKeys& keys = {});
  /// The same for a session of this many connections, of which it is the first.
  Initiator log_in_for(unsigned connections, const wire::TextKeys& keys = {});
  /// Two connections of one session at this level, CIDs 1 and 2, whose logical unit takes commands.
  std::pair<Initiator, Initiator> log_in_twice_at_level(unsigned level, const wire::TextKeys& keys,
                                                        const wire::TextKeys& keys_of_second = {});
  /// A further connection of this one's session: a TCP connection, before its login.
  Initiator beside(const Initiator& first, std::uint16_t cid);
  /// The same in full feature phase. `keys` are of the connection, such as digests.
  Initiator join(const Initiator& first, std::uint16_t cid, const wire::TextKeys& keys = {});

  /// Waits until tasks may be reassigned (Time2Wait); unsupported when that is too long for a case.
  void respite(std::uint64_t seconds);

  /// Makes the target say something of itself to this session: runs `--provoke` with the event's
  /// name (tools/provoke-tsihd has them) and the session's ISID, as 0x and 12 digits. The case
  /// does not apply when no program was given or it has no way to do this.
  void provoke(const std::string& event, const Initiator& session);

  /// Steps that bring the target where the case wants it: what fails or holds in them is not
  /// judged.
  void given(const std::string& what, const std::function<void()>& steps);

  /// The verifiers from here on speak about this clause. Without it: the first one declared.
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
  /// The target has to offer this, else the case does not apply to it.
  void offered(bool yes, const std::string& what);
  /// The logical unit is a disk of at least this many blocks.
  void needs_disk(std::uint64_t blocks);

  // Of the logical unit under test.
  std::uint32_t block_bytes() const { return context_.probe.block_bytes; }
  ScsiCommand read_blocks(std::uint32_t lba, std::uint16_t blocks) const;
  ScsiCommand write_blocks(std::uint32_t lba, std::uint16_t blocks) const;
  /// Bytes that tell their place and the run they were written in.
  wire::Bytes pattern(std::size_t bytes);

  const Settings& settings() const { return context_.settings; }
  CaseContext& context() { return context_; }

 private:
  /// The number agreed on for this key is at least so much, else the case does not apply.
  void agreed_at_least(const Initiator& initiator, const std::string& key, std::uint64_t least);

  CaseContext& context_;
};

}  // namespace tsih::conformance

#define TSIH_CASE(case_name, description_text, ...) \
  TSIH_SUITE_CASE(::tsih::conformance::Conversation, case_name, description_text, __VA_ARGS__)
