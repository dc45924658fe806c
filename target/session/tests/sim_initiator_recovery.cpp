// Recovery within a connection (RFC 3720 6.1.4.2, 6.2.1, 6.7, 6.8, 10.16) and of a connection
// (6.1.4.3, 6.2.2).
#include <algorithm>
#include <utility>

#include "target/session/tests/sim_initiator.h"
#include "target/session/tests/sim_target.h"
#include "target/wire/serial.h"

namespace tsihd::session::sim {

/// True when nothing can be lost, late, or sent twice: every rule of order holds to the letter.
bool Initiator::strict() const {
  const Faults& faults = settings().faults;
  const bool any = faults.lost_to_target + faults.lost_to_initiator + faults.header_to_target +
                       faults.data_to_target + faults.data_to_initiator +
                       faults.cut_per_connection + faults.stall_per_piece >
                   0;
  return !recovers() || !any;
}

/// Once a second: what was lost at the end of a conversation shows only when one asks.
void Initiator::watch() {
  for (const auto& line : std::vector(lines_)) look_after(*line);
  constexpr auto kPatience = std::chrono::minutes(3);
  const Instant now = around_.events.now();
  for (const auto& [tag, command] : commands_)
    if (now - command->progress > kPatience) return recover_session("a command makes no progress");
  go_on();
  if (phase_ == Phase::finished) return;
  around_.events.after(seconds(1), [this, session = session_] {
    if (session == session_) watch();
  });
}

void Initiator::look_after(Line& line) {
  if (line.state != Line::State::full_feature || phase_ == Phase::logging_out) return;
  const Instant now = around_.events.now();
  for (const auto& [tag, command] : commands_) {
    const bool here = command->cid == line.cid && !command->adrift;
    if (const auto run = command->missing(); here && run && now - command->asked > seconds(1))
      ask_for_data(line, *command, *run);
  }
  const bool waits = !commands_.empty() || management_ || text_ || !pings_.empty() ||
                     !unacknowledged_.empty() || logout_;
  if (!waits || now - line.heard < seconds(2)) return;
  constexpr bool kImmediate = true;
  send_ping(line, kImmediate);
}

void Initiator::ask_for_status(Line& line, std::uint32_t next) {
  const Instant now = around_.events.now();
  if (now - line.status_asked < milliseconds(500)) return;
  line.status_asked = now;
  constexpr std::uint8_t kStatus = 1;
  send_snack(line, kStatus, wire::kReservedTag, line.numbers.missing(next));
}

void Initiator::ask_for_data(Line& line, Command& command, Run run) {
  const Instant now = around_.events.now();
  if (now - command.asked < milliseconds(500)) return;
  command.asked = now;
  constexpr std::uint8_t kDataOrR2t = 0;
  send_snack(line, kDataOrR2t, command.bhs.initiator_task_tag, run);
}

/// A PDU with a wrong data digest is discarded, and asked for again by what its header says (6.7).
void Initiator::on_damaged(Line& line, const wire::Pdu& pdu) {
  if (!recovers()) return recover_session("data digest error");
  const auto& bhs = pdu.as<wire::DataInBhs>();
  constexpr std::uint8_t kDataOrR2t = 0;
  const auto at = commands_.find(pdu.initiator_task_tag());
  if (pdu.opcode() != wire::Opcode::data_in) {
    const std::uint32_t stat_sn = pdu.as<wire::ResponseBhs>().stat_sn;
    if (line.numbers.missing(stat_sn + 1).length > 0) ask_for_status(line, stat_sn + 1);
  } else if (at != commands_.end()) {
    const auto& seen = at->second->numbers_seen;
    if (bhs.data_sn >= seen.size() || !seen[bhs.data_sn])
      send_snack(line, kDataOrR2t, pdu.initiator_task_tag(), Run{bhs.data_sn, 1});
  }
}

void Initiator::remember(std::uint32_t cmd_sn, const Line& line, std::function<void(Line&)> again) {
  if (recovers() && !strict())
    unacknowledged_[cmd_sn] = Unacknowledged{line.cid, next_tag_, std::move(again)};
}

/// Plugs a gap in CmdSN: the same PDU on the same connection (6.2.1).
void Initiator::retry(Line& line, std::uint32_t cmd_sn) {
  const auto at = unacknowledged_.find(cmd_sn);
  if (at == unacknowledged_.end()) return;
  ++retries_;
  at->second.cid = line.cid;
  at->second.order = next_tag_;
  at->second.send(line);
}

/// What was sent on this connection before the ping has arrived or is lost: the request that
/// ExpCmdSN stands at is lost, and so are pings before this one that took no number.
void Initiator::on_ping_answered(Line& line, const wire::NopInBhs& answer) {
  const std::uint32_t initiator_task_tag = answer.initiator_task_tag;
  const std::uint32_t exp_cmd_sn = answer.exp_cmd_sn;
  const auto at = unacknowledged_.find(exp_cmd_sn);
  if (at != unacknowledged_.end() && at->second.cid == line.cid &&
      at->second.order <= initiator_task_tag)
    retry(line, exp_cmd_sn);
  if (line.numbers.missing(answer.stat_sn).length > 0) return;  // their answers may be lost
  std::erase_if(pings_, [&](const auto& ping) {
    return ping.second.cid == line.cid && ping.second.immediate && ping.first < initiator_task_tag;
  });
}

/// The connection is gone; its commands go on elsewhere (6.1.4.3). First the old one is logged out:
/// by another connection, or by the login that takes its place (implicitly, 5.3.4).
void Initiator::recover_connection(Line& line, bool was_up) {
  const std::uint16_t cid = line.cid;
  around_.trace.line("connection recovery of {}", cid);
  ++connection_recoveries_;
  close_line(line);
  // A logout that was under way may have ended them.
  const bool logging_out = logout_ && logout_->cid == cid && logout_->reason == 1;
  for (const auto& [tag, command] : commands_) {
    if (command->cid != cid) continue;
    command->cast_adrift();
    command->maybe_aborted |= logging_out;
    std::erase(to_reassign_, tag);
  }
  if (logout_ && (logout_->via == cid || logout_->cid == cid)) logout_.reset();
  if (reassign_cid_ == cid) reassign_tag_.reset();
  if (was_up) ++lines_to_come_;
  if (recovering_.empty() && to_reassign_.empty()) first_loss_ = around_.events.now();
  recovering_.insert(cid);
  const auto respite = seconds(agreement_.time2wait_s) + milliseconds(random_.below(900));
  around_.events.after(respite, [this, cid, was_up, logging_out, session = session_] {
    if (session != session_) return;
    constexpr std::uint8_t kRecovery = 2;
    Line* const other = first_line();
    if (was_up && !logging_out && other && !logout_ && random_.coin())
      send_logout(*other, kRecovery, cid);
    else
      take_the_place_of(cid);
  });
}

void Initiator::take_the_place_of(std::uint16_t cid) {
  if (!line_of(cid)) open_line(cid, false);
}

/// ABORT TASK on another connection than the lost one takes the task's allegiance along (10.5.1).
void Initiator::follow_abort(const Line& line, std::uint32_t referenced_task_tag) {
  const auto at = commands_.find(referenced_task_tag);
  if (at == commands_.end()) return;
  at->second->cid = line.cid;
  at->second->adrift = false;
  std::erase(to_reassign_, referenced_task_tag);
}

/// A request that arrived, and whose answer was lost with its connection, is not answered again.
void Initiator::forget_answers_on(std::uint16_t cid) {
  const auto arrived = [&](std::uint32_t cmd_sn) { return wire::serial_less(cmd_sn, exp_cmd_sn_); };
  std::erase_if(pings_, [&](const auto& entry) {
    const Ping& ping = entry.second;
    return ping.cid == cid && (ping.immediate || arrived(ping.cmd_sn));
  });
  if (text_ && text_->cid == cid && arrived(text_->cmd_sn)) text_.reset();
  if (!management_ || management_->cid != cid || !arrived(management_->cmd_sn)) return;
  for (const auto& [tag, command] : commands_)
    if (management_->referenced_task_tag == wire::kReservedTag ||
        management_->referenced_task_tag == tag)
      command->maybe_aborted = true;
  management_.reset();
}

/// The new connection is up: what never arrived is sent again, immediate commands end (6.12), and
/// the rest is to be reassigned.
void Initiator::take_up_commands(Line& line) {
  forget_answers_on(line.cid);
  std::vector<Command*> immediate;
  for (const auto& [tag, command] : commands_) {
    if (command->cid != line.cid || !command->adrift) continue;
    if (command->operation.immediate)
      immediate.push_back(command.get());
    else if (wire::serial_less(command->bhs.cmd_sn, exp_cmd_sn_))
      to_reassign_.push_back(tag);
    else
      command->adrift = false;
  }
  for (Command* command : immediate) {
    again_.push_back(command->operation);
    give_up(*command);
  }
  std::vector<std::uint32_t> lost;
  for (const auto& [cmd_sn, request] : unacknowledged_)
    if (request.cid == line.cid) lost.push_back(cmd_sn);
  std::ranges::sort(lost, wire::serial_less);
  for (const std::uint32_t cmd_sn : lost) retry(line, cmd_sn);
  reassign_next();
}

/// What is not taken up in Time2Wait and Time2Retain may be gone; the target may have seen the end
/// of a connection some seconds before us.
bool Initiator::may_be_forgotten() const {
  constexpr seconds kSeenEarlier(5);
  const auto kept = seconds(agreement_.time2wait_s + agreement_.time2retain_s) - kSeenEarlier;
  return around_.events.now() - first_loss_ > kept;
}

void Initiator::on_reassigned(Line& line, std::uint8_t response) {
  constexpr std::uint8_t kComplete = 0, kNoSuchTask = 1;
  reassign_tag_.reset();
  const std::uint32_t tag = to_reassign_.front();
  to_reassign_.pop_front();
  if (const auto at = commands_.find(tag); at != commands_.end()) {
    Command& command = *at->second;
    if (response == kComplete) {
      command.cid = line.cid;
      command.adrift = false;
      command.progress = around_.events.now();
    } else if (response == kNoSuchTask && (command.maybe_aborted || may_be_forgotten())) {
      again_.push_back(command.operation);
      give_up(command);
    } else {
      fail("task {:#x}: TASK REASSIGN is answered with {}", tag, response);
    }
  }
  reassign_next();
}

}  // namespace tsihd::session::sim
