// The target's PDUs: each is checked against what it may say now, then it moves its task on.
#include <algorithm>
#include <cstring>
#include <utility>

#include "target/session/tests/sim_initiator.h"
#include "target/session/tests/sim_target.h"
#include "target/wire/serial.h"
#include "target/wire/text.h"

namespace tsihd::session::sim {

using wire::Opcode;

namespace {

/// Whether a PDU counts in StatSN (3.2.2.2, 10.4.9).
bool bears_status(const wire::Pdu& pdu) {
  switch (pdu.opcode()) {
    case Opcode::r2t:
      return false;
    case Opcode::data_in:
      return pdu.bhs().has(wire::DataInBhs::kStatus);
    case Opcode::nop_in:  // an answer does, a ping of the target's own does not (10.19.2)
      return pdu.initiator_task_tag() != wire::kReservedTag;
    default:
      return true;
  }
}

}  // namespace

void Initiator::on_bytes(Line& line, std::span<const std::byte> bytes) {
  line.heard = around_.events.now();
  line.reader.feed(bytes);
  wire::Pdu pdu;
  const std::uint64_t session = session_;
  while (session == session_ && line.state != Line::State::dead) {
    switch (line.reader.next(pdu)) {
      case wire::PduReader::Event::need_more:
        return;
      case wire::PduReader::Event::pdu:
        on_pdu(line, pdu);
        break;
      case wire::PduReader::Event::header_digest_error:
        fail("the target sent a wrong header digest");
      case wire::PduReader::Event::data_segment_too_long:
        fail("the target sent more than our MaxRecvDataSegmentLength: {}",
             describe(wire::Pdu{pdu.header, {}, true}));
    }
  }
}

void Initiator::on_pdu(Line& line, const wire::Pdu& pdu) {
  ++pdus_received_;
  if (!pdu.data_digest_ok) fail("the target sent a wrong data digest");
  if (pdu.opcode() == Opcode::login_response) {
    around_.trace.line("< {} login response", line.cid);
    if (line.state != Line::State::login) fail("a Login Response in full feature phase");
    on_login_response(line, pdu);
    return;
  }
  if (line.state == Line::State::login) fail("{} before the end of the login", describe(pdu));
  if (befallen(line, pdu)) return;
  if (around_.trace.on()) around_.trace.line("< {} {}", line.cid, describe(pdu));
  if (!check_numbers(line, pdu)) return;
  const std::uint64_t session = session_;
  dispatch(line, pdu);
  if (session == session_) go_on();
}

/// Faults on the way to us: the PDU did not come, or its data is not to be used.
bool Initiator::befallen(Line& line, const wire::Pdu& pdu) {
  const Faults chances = faults();
  const bool lost = recovers() && random_.chance(chances.lost_to_initiator);
  const bool damaged = !lost && !pdu.data.empty() && random_.chance(chances.data_to_initiator);
  if (lost || damaged)
    around_.trace.line("< {} {} ({})", line.cid, describe(pdu), lost ? "lost" : "data damaged");
  if (damaged) on_damaged(line, pdu);
  return lost || damaged;
}

void Initiator::dispatch(Line& line, const wire::Pdu& pdu) {
  if (strays_.contains(pdu.initiator_task_tag())) return;
  switch (pdu.opcode()) {
    case Opcode::data_in:
      return on_data_in(line, pdu);
    case Opcode::scsi_response:
      return on_response(line, pdu);
    case Opcode::r2t:
      return on_r2t(line, pdu);
    case Opcode::nop_in:
      return on_nop_in(line, pdu);
    case Opcode::text_response:
      return on_text_response(line, pdu);
    case Opcode::task_management_response:
      return on_management_response(line, pdu);
    case Opcode::logout_response:
      return on_logout_response(line, pdu);
    case Opcode::async_message:
      return on_async(pdu);
    case Opcode::reject:
      return on_reject(line, pdu);
    default:
      fail("a target does not send {}", describe(pdu));
  }
}

/// StatSN, ExpCmdSN and MaxCmdSN. False when the PDU is not to be looked at further.
bool Initiator::check_numbers(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::ResponseBhs>();
  const std::uint32_t exp = bhs.exp_cmd_sn, max = bhs.max_cmd_sn;
  if (line.exp_cmd_sn && wire::serial_less(exp, *line.exp_cmd_sn))
    fail("{}: ExpCmdSN goes back from {}", describe(pdu), *line.exp_cmd_sn);
  if (line.max_cmd_sn && wire::serial_less(max, *line.max_cmd_sn))
    fail("{}: MaxCmdSN goes back from {}", describe(pdu), *line.max_cmd_sn);
  if (wire::serial_less(cmd_sn_, exp))
    fail("{}: ExpCmdSN beyond what was sent, {}", describe(pdu), cmd_sn_);
  if (wire::serial_less(max, exp - 1)) fail("{}: MaxCmdSN below ExpCmdSN - 1", describe(pdu));
  if (max - exp + 1 > settings().command_window)
    fail("{}: a window of {}", describe(pdu), max - exp + 1);
  line.exp_cmd_sn = exp;
  line.max_cmd_sn = max;
  if (wire::serial_less(exp_cmd_sn_, exp)) exp_cmd_sn_ = exp;
  if (wire::serial_less(max_cmd_sn_, max)) max_cmd_sn_ = max;
  std::erase_if(unacknowledged_,
                [&](const auto& request) { return wire::serial_less(request.first, exp_cmd_sn_); });
  return check_stat_sn(line, pdu);
}

bool Initiator::check_stat_sn(Line& line, const wire::Pdu& pdu) {
  const std::uint32_t stat_sn = pdu.as<wire::ResponseBhs>().stat_sn;
  const bool status = bears_status(pdu);
  if (pdu.opcode() == Opcode::data_in && !status) return true;  // it says nothing then (10.7.3)
  const bool gap = line.numbers.missing(stat_sn).length > 0;
  const auto verdict = status ? line.numbers.take(stat_sn) : StatusNumbers::Verdict::in_order;
  const bool known = verdict == StatusNumbers::Verdict::repeated;
  if (strict() && (gap || known || (!status && stat_sn != line.numbers.expected())))
    fail("{}: StatSN, expected {}", describe(pdu), line.numbers.expected());
  if (gap) ask_for_status(line, stat_sn);
  return !known || pdu.opcode() == Opcode::data_in;
}

Command& Initiator::command_of(const Line& line, const wire::Pdu& pdu) {
  const auto at = commands_.find(pdu.initiator_task_tag());
  if (at == commands_.end()) fail("{}: no such task is in progress", describe(pdu));
  // The answer to TASK REASSIGN may be lost, and what follows it not.
  const bool reassigned = at->second->adrift && reassign_tag_ && reassign_cid_ == line.cid &&
                          to_reassign_.front() == at->first && !strict();
  if (reassigned) {
    at->second->cid = line.cid;
    at->second->adrift = false;
  }
  if (at->second->cid != line.cid || at->second->adrift)
    fail("{}: on connection {}, the task is allegiant to {}", describe(pdu), line.cid,
         at->second->cid);
  return *at->second;
}

void Initiator::on_data_in(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::DataInBhs>();
  if (!strict() && !commands_.contains(pdu.initiator_task_tag())) return;  // sent twice for us
  Command& command = command_of(line, pdu);
  if (!command.take_data_in(bhs, pdu.data, agreement_, strict())) return;
  if (bhs.has(wire::DataInBhs::kAcknowledge)) command.acknowledge = bhs;
  if (bhs.has(wire::DataInBhs::kStatus)) {
    if (!bhs.is_final()) fail("{}: S without F", describe(pdu));
    command.end = Command::End{.status = bhs.status(),
                               .flags = bhs.flags,
                               .residual_bytes = bhs.residual_bytes,
                               .stat_sn = bhs.stat_sn,
                               .data_count = bhs.data_sn + 1,
                               .by_response = false,
                               .sense = {}};
  }
  try_to_finish(line, command);
}

void Initiator::on_response(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::ScsiResponseBhs>();
  Command& command = command_of(line, pdu);
  constexpr std::uint8_t kCompleted = 0;
  if (bhs.response() != kCompleted) fail("{}: response {}", describe(pdu), bhs.response());
  command.end = Command::End{.status = bhs.status(),
                             .flags = bhs.flags,
                             .residual_bytes = bhs.residual_bytes,
                             .stat_sn = bhs.stat_sn,
                             .data_count = bhs.exp_data_sn,
                             .by_response = true,
                             .sense = {pdu.data.begin(), pdu.data.end()}};
  try_to_finish(line, command);
}

/// What is missing is asked for; with nothing missing, a status that has come counts (6.8).
void Initiator::try_to_finish(Line& line, Command& command) {
  command.progress = around_.events.now();
  if (const auto run = command.missing()) {
    if (command.end) line.numbers.hold(command.end->stat_sn);
    ask_for_data(line, command, *run);
    return;
  }
  acknowledge_data(line, command);
  if (!command.end) return;
  line.numbers.let_go(command.end->stat_sn);
  command.check_end(strict());
  complete(command);
}

void Initiator::on_r2t(Line& line, const wire::Pdu& pdu) {
  if (!strict() && !commands_.contains(pdu.initiator_task_tag())) return;  // sent twice for us
  Command& command = command_of(line, pdu);
  if (!command.take_r2t(pdu.as<wire::R2tBhs>(), agreement_, strict())) return;
  try_to_finish(line, command);
  answer_r2t_later(command.bhs.initiator_task_tag);
}

void Initiator::on_nop_in(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::NopInBhs>();
  if (bhs.initiator_task_tag == wire::kReservedTag) {
    if (bhs.target_transfer_tag != wire::kReservedTag) answer_nop_in(line, bhs);
    return;
  }
  const auto at = pings_.find(bhs.initiator_task_tag);
  if (at == pings_.end()) fail("{}: nobody pinged", describe(pdu));
  const std::size_t bytes =
      std::min<std::size_t>(at->second.data.size(), agreement_.initiator_segment_bytes);
  if (!std::ranges::equal(pdu.data, std::span(at->second.data).first(bytes)))
    fail("{}: not the data of the ping", describe(pdu));
  pings_.erase(at);
  if (recovers()) on_ping_answered(line, bhs);
}

void Initiator::on_text_response(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::TextResponseBhs>();
  if (!text_ || bhs.initiator_task_tag != text_->initiator_task_tag)
    fail("{}: no such Text Request", describe(pdu));
  if (!bhs.is_final()) {
    continue_text(line, bhs);
    return;
  }
  if (bhs.target_transfer_tag != wire::kReservedTag) fail("{}: F with a tag", describe(pdu));
  const std::string expected = std::string("TargetName=") + kTargetName;
  if (wire::as_text(pdu.data).find(expected) == std::string_view::npos)
    fail("SendTargets names no target");
  text_.reset();
}

void Initiator::on_management_response(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::TaskManagementResponseBhs>();
  if (bhs.initiator_task_tag == reassign_tag_) return on_reassigned(line, bhs.response());
  if (!management_ || bhs.initiator_task_tag != management_->initiator_task_tag)
    fail("{}: no such task management request", describe(pdu));
  const Management management = *std::exchange(management_, std::nullopt);
  constexpr std::uint8_t kComplete = 0, kNoSuchTask = 1, kLunReset = 5;
  const bool one_task = management.referenced_task_tag != wire::kReservedTag;
  const auto at = commands_.find(management.referenced_task_tag);
  if (one_task && bhs.response() == kNoSuchTask) {
    // Whatever it said of the task came before this (10.6.1).
    if (at != commands_.end() && strict()) fail("{}: the task is in progress", describe(pdu));
    return;
  }
  if (bhs.response() != kComplete) fail("{}: response {}", describe(pdu), bhs.response());
  if (one_task) {
    if (at != commands_.end()) give_up(*at->second);
    return;
  }
  while (!commands_.empty()) {
    Command& command = *commands_.begin()->second;
    // 10.6.2 has the answers to task set functions wait for what is under way on all connections;
    // of resets, and of connections that are being logged out, it says nothing. Nor is what was
    // lost and comes again in order with it.
    const Line* const its_line = line_of(command.cid);
    const bool leaves = its_line && its_line->state == Line::State::logging_out;
    const bool elsewhere = command.cid != line.cid;
    const bool waits = !leaves && management.function != kLunReset;
    if (elsewhere ? !waits : !strict()) strays_.insert(command.bhs.initiator_task_tag);
    give_up(command);
  }
}

void Initiator::on_logout_response(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::LogoutResponseBhs>();
  if (!logout_ || bhs.initiator_task_tag != logout_->initiator_task_tag)
    fail("{}: no such Logout Request", describe(pdu));
  const Logout logout = *std::exchange(logout_, std::nullopt);
  constexpr std::uint8_t kNoSuchCid = 1;
  const bool forgotten = logout.reason == 2 && bhs.response() == kNoSuchCid && may_be_forgotten();
  if (bhs.response() != 0 && !forgotten) fail("{}: response {}", describe(pdu), bhs.response());
  if (logout.reason == 0) {
    phase_ = Phase::finished;
    line.state = Line::State::dead;
    end_session();
    return;
  }
  constexpr std::uint8_t kRecovery = 2;
  if (logout.reason == kRecovery) return take_the_place_of(logout.cid);
  if (Line* const gone = line_of(logout.cid)) close_line(*gone);
  redo_commands_of(logout.cid);
  ++lines_to_come_;
  around_.events.after(milliseconds(random_.below(300)), [this, logout, session = session_] {
    if (session == session_) open_line(logout.cid, false);
  });
}

/// Their connection was closed by a logout: they are terminated without a word (6.5), and done
/// again.
void Initiator::redo_commands_of(std::uint16_t cid) {
  std::vector<Command*> gone;
  for (const auto& [tag, command] : commands_)
    if (command->cid == cid) gone.push_back(command.get());
  for (Command* command : gone) {
    again_.push_back(command->operation);
    give_up(*command);
  }
}

void Initiator::on_async(const wire::Pdu& pdu) {
  constexpr std::uint8_t kDropConnection = 2, kDropSession = 3;
  const std::uint8_t event = pdu.as<wire::AsyncMessageBhs>().async_event;
  if (event != kDropConnection && event != kDropSession) fail("{}: event {}", describe(pdu), event);
  // At level 2 what it says of a connection is seen by that connection's end (6.1.4.3).
  if (event == kDropSession || agreement_.error_recovery_level < 2)
    recover_session("the target drops the session");
}

void Initiator::on_reject(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::RejectBhs>();
  if (pdu.data.size() < wire::kBhsBytes) fail("{}: without the header it rejects", describe(pdu));
  const wire::Pdu rejected{pdu.data, {}, true};
  const bool damaged =
      bhs.reason() == static_cast<std::uint8_t>(wire::RejectReason::data_digest_error);
  if (superseded(rejected)) return;
  // A command that was lost leaves its data behind, and nobody knows what that belongs to.
  // So does data that is so late that the target has asked for it anew.
  const bool stray = rejected.opcode() == Opcode::data_out && !strict();
  if (!stray && (!damaged || settings().faults.data_to_target == 0))
    fail("reject, reason {:#04x}, of {}", bhs.reason(), describe(rejected));
  // The task of a Data-Out goes on to its end (6.3); anything else leaves a gap in CmdSN.
  if (rejected.opcode() == Opcode::data_out) return;
  if (!recovers()) return recover_session("a request was rejected");
  if (!rejected.is_immediate()) return retry(line, rejected.as<wire::RequestBhs>().cmd_sn);
  pings_.erase(rejected.initiator_task_tag());
}

/// A SNACK for an R2T in whose place the target has sent another meanwhile, having waited for data.
bool Initiator::superseded(const wire::Pdu& rejected) {
  if (rejected.opcode() != Opcode::snack_request || strict()) return false;
  const auto& snack = rejected.as<wire::SnackRequestBhs>();
  const auto at = commands_.find(rejected.initiator_task_tag());
  if (at == commands_.end()) return true;  // it has ended
  if (!at->second->operation.writes()) return false;
  auto& seen = at->second->numbers_seen;
  const std::size_t end = std::min<std::size_t>(snack.beg_run + snack.run_length, seen.size());
  for (std::size_t i = snack.beg_run; i < end; ++i) seen[i] = true;
  return true;
}

/// The status of a command has come.
void Initiator::complete(Command& command) {
  const std::uint8_t status = command.end->status;
  const Bytes& sense = command.end->sense;
  constexpr std::uint8_t kGood = 0, kCheckCondition = 2;
  constexpr unsigned kUnitAttention = 6, kAbortedCommand = 0xb;
  const Operation& operation = command.operation;
  if (status == kGood) {
    if (operation.writes())
      model_.write_succeeded(command.stamp, operation.lba, command.blocks_written());
    if (operation.kind == Operation::Kind::read)
      model_.check_read(command.issued, operation.lba,
                        std::span(command.in)
                            .first(std::min(command.required_bytes(), operation.expected_bytes)));
    retire(command);
    return;
  }
  constexpr std::size_t kKeyAt = 2 + 2;  // after SenseLength, in fixed format
  const unsigned key = sense.size() > kKeyAt ? std::to_integer<unsigned>(sense[kKeyAt]) & 0x0f : 0;
  const bool damage = !strict() || settings().faults.data_to_target > 0;
  if (status != kCheckCondition || !(key == kUnitAttention || (key == kAbortedCommand && damage)))
    fail("task {:#x} ends with status {:#04x} and sense key {}",
         static_cast<std::uint32_t>(command.bhs.initiator_task_tag), status, key);
  again_.push_back(operation);
  if (operation.writes() && key == kUnitAttention)
    model_.write_refused(command.stamp, operation.lba, command.blocks_written());
  else if (operation.writes())
    model_.write_uncertain(command.stamp, operation.lba, command.blocks_written());
  retire(command);
}

/// It was aborted: no word comes of it any more, and it does nothing any more.
void Initiator::give_up(Command& command) {
  const Operation& operation = command.operation;
  if (operation.writes())
    model_.write_uncertain(command.stamp, operation.lba, command.blocks_written());
  retire(command);
}

void Initiator::retire(Command& command) {
  commands_.erase(command.bhs.initiator_task_tag);
  constexpr std::uint64_t kEvery = 32;
  if (++retired_ % kEvery != 0) return;
  std::uint64_t oldest = model_.moment();
  for (const auto& [tag, other] : commands_)
    if (other->operation.reads()) oldest = std::min(oldest, other->issued);
  model_.forget_before(oldest);
}

}  // namespace tsihd::session::sim
