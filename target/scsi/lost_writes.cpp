#include "target/scsi/lost_writes.h"

#include <algorithm>
#include <utility>

namespace tsihd::scsi {

bool LostWrites::note(const std::string* gone) {
  ++losses_;
  if (gone != nullptr) remember(*gone);
  return !std::exchange(failing_, true);
}

LostWrites::Mark LostWrites::mark_for(const std::string& initiator_name) const {
  const bool untold = std::ranges::find(untold_, initiator_name) != untold_.end();
  return untold ? losses_ - 1 : losses_;
}

void LostWrites::leave(Mark mark, const std::string& initiator_name) {
  if (mark != losses_) remember(initiator_name);
}

bool LostWrites::take(Mark& mark, const std::string& initiator_name) {
  if (mark == losses_) return false;
  mark = losses_;
  std::erase(untold_, initiator_name);
  return true;
}

void LostWrites::remember(const std::string& initiator_name) {
  if (std::ranges::find(untold_, initiator_name) != untold_.end()) return;
  if (untold_.size() == kMaxNames) untold_.pop_front();
  untold_.push_back(initiator_name);
}

}  // namespace tsihd::scsi
