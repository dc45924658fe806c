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

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/conformance/initiator.h"
#include "harness/conformance/judgement.h"

namespace tsih::conformance {

/// A clause that a case judges, at the clause's level or, where the RFC is softer for the situation
/// of this case, as a SHOULD.
struct Requirement {
  std::string clause;
  bool softened = false;
};
inline Requirement should(std::string clause) { return {std::move(clause), true}; }

/// What the decorators of one case say.
struct CaseFacts {
  std::vector<Requirement> requirements;
  std::vector<std::string> tags;  ///< of the UNH suites: "FFP 16.3.1"
  bool writes = false;
  bool resets = false;
};
/// The facts of a test case of Boost.Test; created empty at first sight.
CaseFacts& facts_of(boost::unit_test::test_unit_id id);

class Judges : public boost::unit_test::decorator::base {
 public:
  explicit Judges(std::vector<Requirement> requirements) : requirements_(std::move(requirements)) {}

 private:
  void apply(boost::unit_test::test_unit& unit) override;
  boost::unit_test::decorator::base_ptr clone() const override;
  std::vector<Requirement> requirements_;
};

class ResetsTarget : public boost::unit_test::decorator::base {
 private:
  void apply(boost::unit_test::test_unit& unit) override;
  boost::unit_test::decorator::base_ptr clone() const override;
};

class WritesLun : public boost::unit_test::decorator::base {
 private:
  void apply(boost::unit_test::test_unit& unit) override;
  boost::unit_test::decorator::base_ptr clone() const override;
};

class UnhTags : public boost::unit_test::decorator::base {
 public:
  explicit UnhTags(std::vector<std::string> tags) : tags_(std::move(tags)) {}

 private:
  void apply(boost::unit_test::test_unit& unit) override;
  boost::unit_test::decorator::base_ptr clone() const override;
  std::vector<std::string> tags_;
};

/// The clauses this case judges: strings, or should("...").
template <class... Clauses>
Judges judges(Clauses&&... clauses) {
  return Judges({Requirement{std::forward<Clauses>(clauses)}...});
}
/// The case writes to the first blocks of the logical unit: --read-only leaves it out.
inline WritesLun writes_lun() { return {}; }
/// The case ends the work of other initiators: --read-only leaves it out.
inline ResetsTarget resets_target() { return {}; }
/// The case does what these tests of the UNH suites do: unh("FFP 1.1", "FFP 2.1"). The numbers that
/// exist are in unh.h.
template <class... Tags>
UnhTags unh(Tags&&... tags) {
  return UnhTags({std::string(std::forward<Tags>(tags))...});
}

/// The base of every case.
class Conversation {
 public:
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

  /// Steps that bring the target where the case wants it: what fails or holds in them is not
  /// judged.
  void given(const std::string& what, const std::function<void()>& steps);

  /// The verifiers from here on speak about this clause. Without it: the first one declared.
  void judging(const std::string& clause) { context_.clause = clause; }
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

/// Runs the body of the current test case; everything it throws ends here.
using CaseMaker = std::unique_ptr<Conversation> (*)(CaseContext&);
void run_current_case(CaseMaker make);

}  // namespace tsih::conformance

#define TSIH_CASE(case_name, description_text, ...)                                        \
  struct case_name final : ::tsih::conformance::Conversation {                             \
    using Conversation::Conversation;                                                      \
    void converse() override;                                                              \
  };                                                                                       \
  static void case_name##_invoker() {                                                      \
    ::tsih::conformance::run_current_case(                                                 \
        [](::tsih::conformance::CaseContext& context)                                      \
            -> std::unique_ptr<::tsih::conformance::Conversation> {                        \
          return std::make_unique<case_name>(context);                                     \
        });                                                                                \
  }                                                                                        \
  BOOST_AUTO_TU_REGISTRAR(case_name)                                                       \
  (boost::unit_test::make_test_case(&case_name##_invoker, #case_name, __FILE__, __LINE__), \
   boost::unit_test::decorator::collector_t::instance() *                                  \
       boost::unit_test::description(description_text) * __VA_ARGS__);                     \
  void case_name::converse()
