#include "target/session/tests/sim_initiator.h"

#include <algorithm>

#include "target/session/tests/sim_target.h"
#include "target/session/tests/sim_workload.h"

namespace tsihd::session::sim {

Initiator::Initiator(const Cable::Surroundings& surroundings)
    : around_(surroundings),
      random_(surroundings.settings.seed ^ 0x1417),
      model_(kDiskBlocks),
      operations_left_(surroundings.settings.operations) {}

void Initiator::start() {
  cmd_sn_ = settings().first_cmd_sn;
  open_line(1, true);
}

std::string Initiator::what_it_waits_for() const {
  return fmt::format("phase {}, {} connections, {} commands, {} operations left, {}{}{}",
                     static_cast<int>(phase_), lines_.size(), commands_.size(), operations_left_,
                     management_ ? "a task management response " : "",
                     text_ ? "a Text Response " : "", logout_ ? "a Logout Response" : "");
}

Line* Initiator::line_of(std::uint16_t cid) {
  const auto at = std::ranges::find(lines_, cid, [](const auto& line) { return line->cid; });
  return at == lines_.end() ? nullptr : at->get();
}

Faults Initiator::faults() const {
  constexpr std::uint32_t kEnough = 6;
  return session_recoveries_ < kEnough && connection_recoveries_ < 2 * kEnough ? settings().faults
                                                                               : Faults{};
}

/// One in full feature phase; there is one in the phases that call this.
Line& Initiator::any_line() {
  std::vector<Line*> good;
  for (const auto& line : lines_)
    if (line->state == Line::State::full_feature) good.push_back(line.get());
  return *good[random_.below(good.size())];
}

/// Any that may be used, the first; null when there is none now.
Line* Initiator::first_line() const {
  for (const auto& line : lines_)
    if (line->state == Line::State::full_feature) return line.get();
  return nullptr;
}

/// Called after whatever happened: what can go on goes on.
void Initiator::go_on() {
  const bool idle = commands_.empty() && !management_ && pings_.empty() && !text_ && !logout_ &&
                    lines_to_come_ == 0;
  const bool any = std::ranges::any_of(
      lines_, [](const auto& line) { return line->state == Line::State::full_feature; });
  if (!any) return;
  switch (phase_) {
    case Phase::working:
      issue_operations();
      if (!idle || operations_left_ > 0 || !again_.empty() || !commands_.empty()) return;
      phase_ = Phase::reading_back;
      read_back_blocks_ = 0;
      [[fallthrough]];
    case Phase::reading_back:
      issue_operations();
      if (!idle || read_back_blocks_ < kDiskBlocks || !again_.empty() || !commands_.empty()) return;
      phase_ = Phase::logging_out;
      send_logout(any_line(), 0, 0);
      return;
    case Phase::logging_in:
    case Phase::logging_out:
    case Phase::finished:
      return;
  }
}

/// The target has closed a connection, or it was cut.
void Initiator::on_closed(Line& line) {
  const bool was_up = line.state != Line::State::login;
  line.state = Line::State::dead;
  const bool expected = phase_ == Phase::logging_out && logout_ && logout_->via != line.cid;
  if (phase_ == Phase::finished || expected) return;  // the others go with a session's logout
  constexpr std::uint32_t kEnough = 6;
  const bool in_session = tsih_ != 0 && phase_ != Phase::logging_out;
  if (in_session && agreement_.error_recovery_level == 2 && connection_recoveries_ < kEnough)
    return recover_connection(line, was_up);
  recover_session("a connection is gone");
}

/// Session recovery (6.1.4.4): all connections go, and a new session takes the place of the old.
void Initiator::recover_session(std::string_view why) {
  around_.trace.line("session recovery: {}", why);
  ++session_recoveries_;
  end_session();
  for (const auto& [tag, command] : commands_) {
    again_.push_back(command->operation);
    if (command->operation.writes())
      lost_writes_.push_back({command->stamp, command->operation.lba, command->blocks_written()});
  }
  commands_.clear();
  management_.reset();
  pings_.clear();
  text_.reset();
  logout_.reset();
  unacknowledged_.clear();
  to_reassign_.clear();
  reassign_tag_.reset();
  recovering_.clear();
  lines_to_come_ = 0;
  phase_ = Phase::logging_in;
  const microseconds respite = random_.coin() ? microseconds(1) : seconds(random_.below(4));
  around_.events.after(respite, [this, session = session_] {
    if (session == session_) open_line(1, true);
  });
}

void Initiator::close_line(Line& line) {
  line.state = Line::State::dead;
  line.cable->close();
  const auto at = std::ranges::find(lines_, &line, [](const auto& owned) { return owned.get(); });
  around_.events.after(microseconds(0), [dead = *at] {});  // it may be what called
  lines_.erase(at);
}

void Initiator::end_session() {
  ++session_;
  for (const auto& line : lines_)
    if (line->cable) line->cable->close();
  // Not destroyed here: one of them may be what called.
  around_.events.after(microseconds(0), [dead = std::move(lines_)] {});
  lines_.clear();
  tsih_ = 0;
}

}  // namespace tsihd::session::sim
