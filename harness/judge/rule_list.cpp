#include <vector>

#include "harness/judge/rules/rules.h"

namespace tsih::judge {

std::span<const Rule> all_rules() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all;
    for (const auto subject :
         {form_rules(),     marker_rules(),         login_rules(),    numbering_rules(),
          command_rules(),  data_in_rules(),        data_out_rules(), r2t_rules(),
          response_rules(), management_rules(),     nop_rules(),      text_rules(),
          logout_rules(),   snack_rules(),          recovery_rules(), key_rules(),
          answer_rules(),   authentication_rules(), identity_rules(), async_rules(),
          reject_rules(),   closing_rules()})
      all.insert(all.end(), subject.begin(), subject.end());
    return all;
  }();
  return rules;
}

}  // namespace tsih::judge
