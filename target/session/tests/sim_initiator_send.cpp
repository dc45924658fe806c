// From operations to PDUs: commands in their window, data in its sequences, and what else an
// initiator says.
#include <algorithm>
#include <utility>

#include "target/session/tests/sim_initiator.h"
#include "target/session/tests/sim_target.h"
#include "target/session/tests/sim_workload.h"
#include "target/wire/serial.h"
#include "target/wire/text.h"
#include "target/wire/writer.h"

namespace tsihd::session::sim {

namespace {

/// Pieces change places with their neighbours only: a target may bound how scattered data it keeps.
void shuffle_nearby(std::vector<Run>& pieces, Random& random) {
  constexpr std::size_t kReach = 4;
  for (std::size_t first = 0; first < pieces.size(); first += kReach)
    for (std::size_t i = std::min(first + kReach, pieces.size()); i > first + 1; --i)
      std::swap(pieces[i - 1], pieces[first + random.below(i - first)]);
}

}  // namespace

bool Initiator::window_open() const { return wire::serial_less_equal(cmd_sn_, max_cmd_sn_); }

/// The next operation: one that is to be done again, a new one, or a piece of the final check.
std::optional<Operation> Initiator::next_operation() {
  if (!again_.empty()) {
    const Operation operation = again_.front();
    again_.pop_front();
    return operation;
  }
  if (phase_ == Phase::working && operations_left_ > 0) {
    --operations_left_;
    Operation operation = random_operation(settings(), random_);
    if (!strict()) operation.immediate = false;  // nobody would see that it was lost
    return operation;
  }
  if (phase_ == Phase::reading_back && read_back_blocks_ < kDiskBlocks) {
    Operation operation;
    operation.kind = Operation::Kind::read;
    operation.lba = read_back_blocks_;
    operation.blocks = std::min(64u, kDiskBlocks - read_back_blocks_);
    operation.expected_bytes = operation.blocks * kBlockBytes;
    read_back_blocks_ += operation.blocks;
    return operation;
  }
  return std::nullopt;
}

void Initiator::issue_operations() {
  const bool set_is_managed = management_ && management_->referenced_task_tag == wire::kReservedTag;
  while (commands_.size() < settings().queue_depth && window_open() && !set_is_managed) {
    if (random_.chance(60)) {  // a pause for thought
      const bool long_one = random_.chance(30);
      const microseconds pause =
          long_one ? seconds(random_.below(40)) : milliseconds(random_.below(50));
      around_.events.after(pause, [this, session = session_] {
        if (session == session_) go_on();
      });
      return;
    }
    if (phase_ == Phase::working) say_something_else();
    if (!window_open() || management_) return;
    const auto operation = next_operation();
    if (!operation) return;
    issue(*operation, any_line());
  }
}

void Initiator::say_something_else() {
  if (random_.chance(40) && pings_.size() < 4)
    send_ping(any_line(), !window_open() || random_.coin());
  if (random_.chance(20) && !text_ && window_open()) send_text(any_line());
  if (random_.chance(30) && !management_ && !commands_.empty()) send_management();
  if (random_.chance(20) && !logout_ && lines_.size() > 1) leave_and_come_back();
}

void Initiator::issue(const Operation& operation, Line& line) {
  auto owned = std::make_unique<Command>(operation, new_tag());
  Command& command = *owned;
  command.cid = line.cid;
  command.bhs.cmd_sn = operation.immediate ? cmd_sn_ : cmd_sn_++;
  if (operation.writes()) {
    command.stamp = next_stamp_++;
    command.out.resize(operation.expected_bytes);
    for (std::uint32_t i = 0; i < operation.expected_bytes / kBlockBytes; ++i)
      fill_block(std::span(command.out).subspan(i * kBlockBytes, kBlockBytes), command.stamp,
                 operation.lba + i);
    choose_unsolicited(command);
    model_.write_issued(command.stamp, operation.lba, command.blocks_written());
  } else {
    command.issued = model_.read_issued();
  }
  command.progress = around_.events.now();
  const std::uint32_t tag = command.bhs.initiator_task_tag;
  commands_.emplace(tag, std::move(owned));
  if (!command.operation.immediate)
    remember(command.bhs.cmd_sn, line, [this, tag](Line& on) {
      const auto at = commands_.find(tag);
      if (at != commands_.end()) send_command(on, *at->second);
    });
  send_command(line, command);
}

/// How much of a write goes without being asked for (3.2.4.2, 10.3.4): in the command's PDU, and
/// after it; the F bit of the command says whether anything comes after it.
void Initiator::choose_unsolicited(Command& command) {
  const auto whole = static_cast<std::uint32_t>(command.out.size());
  const std::uint32_t most = std::min(agreement_.first_burst_bytes, whole);
  if (agreement_.immediate_data && !random_.chance(200))
    command.immediate_bytes = std::min(most, agreement_.target_segment_bytes);
  if (random_.chance(100)) command.immediate_bytes = command.immediate_bytes / 8 * 4;
  command.unsolicited_bytes = command.immediate_bytes;
  if (agreement_.initial_r2t || command.immediate_bytes == most || random_.chance(200)) return;
  command.unsolicited_bytes = most;
  command.bhs.flags &= static_cast<std::uint8_t>(~wire::kFinalBit);
}

void Initiator::send_command(Line& line, const Command& command) {
  send(line, command.bhs, std::span(command.out).first(command.immediate_bytes));
  if (command.unsolicited_bytes > command.immediate_bytes)
    send_sequence(line, command, command.immediate_bytes,
                  command.unsolicited_bytes - command.immediate_bytes, wire::kReservedTag);
}

/// One sequence of Data-Out PDUs; within it they may come in any order if that was agreed.
void Initiator::send_sequence(Line& line, const Command& command, std::uint32_t offset,
                              std::uint32_t length, std::uint32_t target_transfer_tag) {
  std::vector<Run> pieces;
  const std::uint32_t most = agreement_.target_segment_bytes;
  for (std::uint32_t done = 0; done < length;) {
    const std::uint32_t wanted = random_.chance(100) ? (1 + random_.below(most / 4)) * 4 : most;
    const std::uint32_t bytes = std::min(wanted, length - done);
    pieces.push_back({offset + done, bytes});
    done += bytes;
  }
  if (!agreement_.data_pdu_in_order) shuffle_nearby(pieces, random_);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    wire::DataOutBhs bhs;
    if (i + 1 == pieces.size()) bhs.flags = wire::kFinalBit;
    bhs.initiator_task_tag = command.bhs.initiator_task_tag;
    bhs.target_transfer_tag = target_transfer_tag;
    if (target_transfer_tag != wire::kReservedTag) bhs.lun = command.bhs.lun;
    bhs.data_sn = static_cast<std::uint32_t>(i);
    bhs.buffer_offset_bytes = pieces[i].first;
    send(line, bhs, std::span(command.out).subspan(pieces[i].first, pieces[i].length));
  }
}

/// R2Ts of a task are answered in their order (10.8), each after a while.
void Initiator::answer_r2t_later(std::uint32_t initiator_task_tag) {
  const auto slowest = static_cast<std::uint32_t>(settings().slowest_wire.count());
  around_.events.after(
      microseconds(random_.below(slowest)), [this, initiator_task_tag, session = session_] {
        if (session != session_) return;
        const auto at = commands_.find(initiator_task_tag);
        if (at == commands_.end() || at->second->open_r2ts.empty()) return;
        Command& command = *at->second;
        Line* const line = line_of(command.cid);
        if (!line || line->state != Line::State::full_feature) return;
        const auto next = std::ranges::min_element(
            command.open_r2ts, {}, [](const auto& open) { return +open.second.r2t_sn; });
        const wire::R2tBhs r2t = next->second;
        command.open_r2ts.erase(next);
        send_sequence(*line, command, r2t.buffer_offset_bytes, r2t.desired_data_transfer_bytes,
                      r2t.target_transfer_tag);
      });
}

void Initiator::send_ping(Line& line, bool immediate) {
  wire::NopOutBhs bhs;
  if (immediate) bhs.opcode_byte |= wire::kImmediateBit;
  bhs.initiator_task_tag = new_tag();
  bhs.cmd_sn = immediate ? cmd_sn_ : cmd_sn_++;
  Bytes data(random_.below(std::min(agreement_.target_segment_bytes, 200u)));
  for (std::byte& byte : data) byte = static_cast<std::byte>(random_.next());
  if (!immediate) remember(bhs.cmd_sn, line, [this, bhs, data](Line& on) { send(on, bhs, data); });
  send(line, bhs, data);
  pings_.emplace(bhs.initiator_task_tag, Ping{std::move(data), bhs.cmd_sn, line.cid, immediate});
}

void Initiator::send_text(Line& line) {
  wire::TextRequestBhs bhs;
  bhs.flags = wire::kFinalBit;
  bhs.initiator_task_tag = new_tag();
  bhs.cmd_sn = cmd_sn_++;
  text_ = Text{bhs.initiator_task_tag, bhs.cmd_sn, line.cid};
  std::string text;
  wire::append_text(text, "SendTargets", "");  // the target of this session (appendix D)
  remember(bhs.cmd_sn, line, [this, bhs, text](Line& on) { send(on, bhs, wire::as_bytes(text)); });
  send(line, bhs, wire::as_bytes(text));
}

/// ABORT TASK of one in progress, or a function for the whole task set.
void Initiator::send_management() {
  constexpr std::uint8_t kAbortTask = 1, kAbortTaskSet = 2, kClearTaskSet = 4, kLunReset = 5;
  wire::TaskManagementRequestBhs bhs;
  Management management;
  management.function = kAbortTask;
  if (random_.chance(200))
    management.function =
        random_.pick(std::array<std::uint8_t, 3>{kAbortTaskSet, kClearTaskSet, kLunReset});
  Line* line = &any_line();
  if (management.function == kAbortTask) {
    const auto at = std::next(commands_.begin(), random_.below(commands_.size()));
    const Command& command = *at->second;
    line = line_of(command.cid);  // 10.5.1: on the connection of the task
    if (command.operation.immediate || command.adrift || !line ||
        line->state != Line::State::full_feature)
      return;
    management.referenced_task_tag = command.bhs.initiator_task_tag;
    bhs.ref_cmd_sn = command.bhs.cmd_sn;
  }
  // Of an immediate request nobody sees that it was lost.
  const bool immediate = !window_open() || (strict() && random_.chance(700));
  if (immediate && !strict()) return;
  if (immediate) bhs.opcode_byte |= wire::kImmediateBit;
  bhs.flags = wire::kFinalBit | management.function;
  management.initiator_task_tag = new_tag();
  management.cmd_sn = immediate ? cmd_sn_ : cmd_sn_++;
  bhs.initiator_task_tag = management.initiator_task_tag;
  bhs.referenced_task_tag = management.referenced_task_tag;
  bhs.cmd_sn = management.cmd_sn;
  management.cid = line->cid;
  management_ = management;
  if (!immediate)
    remember(bhs.cmd_sn, *line, [this, bhs](Line& on) {
      follow_abort(on, bhs.referenced_task_tag);
      send(on, bhs);
    });
  send(*line, bhs);
}

void Initiator::send_logout(Line& line, std::uint8_t reason, std::uint16_t cid) {
  wire::LogoutRequestBhs bhs;
  bhs.opcode_byte |= wire::kImmediateBit;
  bhs.flags = wire::kFinalBit | reason;
  bhs.initiator_task_tag = new_tag();
  bhs.cid = cid;
  bhs.cmd_sn = cmd_sn_;
  logout_ = Logout{bhs.initiator_task_tag, line.cid, cid, reason};
  constexpr bool kSafely = true;  // an immediate request that is lost is lost for good
  send(line, bhs, {}, kSafely);
}

/// Closes one of several connections by a Logout on itself, so that all that was sent on it is
/// there before; another takes its place after a while.
void Initiator::leave_and_come_back() {
  constexpr std::uint8_t kCloseConnection = 1;
  const auto is_up = [](const auto& line) { return line->state == Line::State::full_feature; };
  if (std::ranges::count_if(lines_, is_up) < 2) return;
  Line& line = any_line();
  if (management_) return;  // it may wait for answers on this connection
  send_logout(line, kCloseConnection, line.cid);
  line.state = Line::State::logging_out;
}

Initiator::Harm Initiator::choose_harm(bool has_data) {
  const Faults chances = faults();
  if (random_.chance(chances.lost_to_target)) return Harm::lost;
  if (random_.chance(chances.header_to_target)) return Harm::header;
  if (has_data && random_.chance(chances.data_to_target)) return Harm::data;
  return Harm::none;
}

void Initiator::send_snack(Line& line, std::uint8_t type, std::uint32_t initiator_task_tag,
                           Run run) {
  wire::SnackRequestBhs bhs;
  bhs.flags = wire::kFinalBit | type;
  bhs.initiator_task_tag = initiator_task_tag;
  bhs.target_transfer_tag = wire::kReservedTag;
  bhs.beg_run = run.first;
  bhs.run_length = run.length;
  ++snacks_;
  send(line, bhs);
}

/// DataACK (10.16.2): once there are no holes before what asked for it.
void Initiator::acknowledge_data(Line& line, Command& command) {
  if (!command.acknowledge || command.exp_data_sn() <= command.acknowledge->data_sn) return;
  constexpr std::uint8_t kDataAck = 2;
  wire::SnackRequestBhs bhs;
  bhs.flags = wire::kFinalBit | kDataAck;
  bhs.lun = command.acknowledge->lun;
  bhs.initiator_task_tag = wire::kReservedTag;
  bhs.target_transfer_tag = command.acknowledge->target_transfer_tag;
  bhs.beg_run = command.exp_data_sn();
  command.acknowledge.reset();
  send(line, bhs);
}

void Initiator::reassign_next() {
  const bool must_wait = reassign_tag_ || !recovering_.empty();
  Line* const line = must_wait ? nullptr : first_line();
  while (line && !to_reassign_.empty() && !commands_.contains(to_reassign_.front()))
    to_reassign_.pop_front();
  if (!line || to_reassign_.empty()) return;
  Command& command = *commands_.at(to_reassign_.front());
  constexpr std::uint8_t kTaskReassign = 8;
  wire::TaskManagementRequestBhs bhs;
  bhs.opcode_byte |= wire::kImmediateBit;
  bhs.flags = wire::kFinalBit | kTaskReassign;
  bhs.lun = command.bhs.lun;
  bhs.initiator_task_tag = new_tag();
  bhs.referenced_task_tag = command.bhs.initiator_task_tag;
  bhs.cmd_sn = cmd_sn_;
  bhs.exp_data_sn = command.exp_data_sn();
  reassign_tag_ = bhs.initiator_task_tag;
  reassign_cid_ = line->cid;
  ++reassignments_;
  constexpr bool kSafely = true;
  send(*line, bhs, {}, kSafely);
}

template <wire::Bhs T>
void Initiator::send(Line& line, T bhs, std::span<const std::byte> data, bool safely) {
  bhs.exp_stat_sn = line.numbers.expected();
  const Harm harm = safely ? Harm::none : choose_harm(!data.empty());
  Bytes bytes;
  wire::append_pdu(bytes, bhs, data, line.digests);
  const wire::Pdu pdu{std::span(bytes).first(wire::kBhsBytes), data, true};
  if (around_.trace.on()) {
    constexpr std::string_view kHarms[] = {"", " (lost)", " (header damaged)", " (data damaged)"};
    around_.trace.line("> {} {}{}", line.cid, describe(pdu), kHarms[static_cast<int>(harm)]);
  }
  if (harm == Harm::lost) return;
  const std::size_t data_at = wire::kBhsBytes + (line.digests.header ? wire::kDigestBytes : 0);
  const auto bit = static_cast<std::byte>(1u << random_.below(8));
  if (harm == Harm::header) bytes[random_.below(wire::kBhsBytes)] ^= bit;
  if (harm == Harm::data) bytes[data_at + random_.below(data.size())] ^= bit;
  line.cable->send(bytes);
}

void Initiator::answer_nop_in(Line& line, const wire::NopInBhs& nop_in) {
  const bool leaving = phase_ == Phase::logging_out || line.state == Line::State::logging_out;
  if (leaving) return;  // nothing is sent after a Logout Request (10.14)
  wire::NopOutBhs bhs;
  bhs.opcode_byte |= wire::kImmediateBit;
  bhs.lun = nop_in.lun;
  bhs.initiator_task_tag = wire::kReservedTag;
  bhs.target_transfer_tag = nop_in.target_transfer_tag;
  bhs.cmd_sn = cmd_sn_;
  send(line, bhs);
}

void Initiator::continue_text(Line& line, const wire::TextResponseBhs& response) {
  wire::TextRequestBhs bhs;
  bhs.opcode_byte |= wire::kImmediateBit;
  bhs.flags = wire::kFinalBit;
  bhs.lun = response.lun;
  bhs.initiator_task_tag = response.initiator_task_tag;
  bhs.target_transfer_tag = response.target_transfer_tag;
  bhs.cmd_sn = cmd_sn_;
  constexpr bool kSafely = true;
  send(line, bhs, {}, kSafely);
}

}  // namespace tsihd::session::sim
