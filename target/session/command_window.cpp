#include "target/session/command_window.h"

#include <algorithm>
#include <utility>

#include "target/wire/serial.h"

namespace tsihd::session {

CommandWindow::CommandWindow(std::uint32_t first_cmd_sn, std::uint32_t depth)
    : exp_cmd_sn_(first_cmd_sn), depth_(std::max(depth, 1u)) {}

CommandWindow::Verdict CommandWindow::judge(std::uint32_t cmd_sn) const {
  if (!wire::serial_in_window(cmd_sn, exp_cmd_sn_, max_cmd_sn())) return Verdict::ignore;
  if (cmd_sn == exp_cmd_sn_) return Verdict::deliver;
  if (!held_.empty() && held_[cmd_sn % depth_].kind != HeldRequest::Kind::none)
    return Verdict::ignore;
  return Verdict::hold;
}

void CommandWindow::hold(std::uint32_t cmd_sn, HeldRequest request) {
  if (held_.empty()) held_.resize(depth_);
  held_[cmd_sn % depth_] = std::move(request);
  ++held_count_;
}

HeldRequest CommandWindow::take_held() {
  if (held_count_ == 0) return {};
  HeldRequest& slot = held_[exp_cmd_sn_ % depth_];
  if (slot.kind == HeldRequest::Kind::none) return {};
  --held_count_;
  ++exp_cmd_sn_;
  return std::exchange(slot, HeldRequest{});
}

void CommandWindow::forget(const Task& task) {
  for (HeldRequest& slot : held_)
    if (slot.kind == HeldRequest::Kind::task && slot.task == &task) {
      slot.kind = HeldRequest::Kind::received;
      slot.task = nullptr;
    }
}

void CommandWindow::drop_held() {
  for (HeldRequest& slot : held_) slot = {};
  held_count_ = 0;
}

}  // namespace tsihd::session
