// What a case says of itself: decorators of Boost.Test that carry the clauses it judges, and the
// macro that registers it. A case is a class whose base knows how to talk to whom it judges.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tsih::suite {

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
/// exist are in the suite's unh.h.
template <class... Tags>
UnhTags unh(Tags&&... tags) {
  return UnhTags({std::string(std::forward<Tags>(tags))...});
}

}  // namespace tsih::suite

/// A case of a suite whose conversations are `Conversation_`, which has the types Context and
/// Maker, and a static run_current(Maker) that carries out what the maker makes.
#define TSIH_SUITE_CASE(Conversation_, case_name, description_text, ...)                   \
  struct case_name final : Conversation_ {                                                 \
    using Base = Conversation_;                                                            \
    using Base::Base;                                                                      \
    void converse() override;                                                              \
  };                                                                                       \
  static void case_name##_invoker() {                                                      \
    using Base = Conversation_;                                                            \
    Base::run_current([](Base::Context& context) -> std::unique_ptr<Base> {                \
      return std::make_unique<case_name>(context);                                         \
    });                                                                                    \
  }                                                                                        \
  BOOST_AUTO_TU_REGISTRAR(case_name)                                                       \
  (boost::unit_test::make_test_case(&case_name##_invoker, #case_name, __FILE__, __LINE__), \
   boost::unit_test::decorator::collector_t::instance() *                                  \
       boost::unit_test::description(description_text) * __VA_ARGS__);                     \
  void case_name::converse()
