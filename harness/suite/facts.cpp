#include "harness/suite/facts.h"

#include <map>

namespace tsih::suite {

CaseFacts& facts_of(boost::unit_test::test_unit_id id) {
  static std::map<boost::unit_test::test_unit_id, CaseFacts> facts;
  return facts[id];
}

void Judges::apply(boost::unit_test::test_unit& unit) {
  facts_of(unit.p_id).requirements = requirements_;
}
boost::unit_test::decorator::base_ptr Judges::clone() const {
  return boost::unit_test::decorator::base_ptr(new Judges(*this));
}
void ResetsTarget::apply(boost::unit_test::test_unit& unit) { facts_of(unit.p_id).resets = true; }
boost::unit_test::decorator::base_ptr ResetsTarget::clone() const {
  return boost::unit_test::decorator::base_ptr(new ResetsTarget(*this));
}
void WritesLun::apply(boost::unit_test::test_unit& unit) { facts_of(unit.p_id).writes = true; }
boost::unit_test::decorator::base_ptr WritesLun::clone() const {
  return boost::unit_test::decorator::base_ptr(new WritesLun(*this));
}
void UnhTags::apply(boost::unit_test::test_unit& unit) {
  auto& tags = facts_of(unit.p_id).tags;
  tags.insert(tags.end(), tags_.begin(), tags_.end());
}
boost::unit_test::decorator::base_ptr UnhTags::clone() const {
  return boost::unit_test::decorator::base_ptr(new UnhTags(*this));
}

}  // namespace tsih::suite
