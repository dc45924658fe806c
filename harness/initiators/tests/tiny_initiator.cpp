// The tiny initiator's connection and its tasks.
#include "harness/initiators/tests/tiny_initiator.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace tsih::initiators::testing {
namespace {

constexpr std::uint8_t kSnackReject = 0x03;

std::string broken_rule;

}  // namespace

bool breaks(const char* rule) { return broken_rule == rule; }
void break_rule(const std::string& rule) { broken_rule = rule; }

void require(bool right, const char* what, const char* unless) {
  if (!right && !breaks(unless)) throw Wrong{what};
}

Tiny::~Tiny() {
  if (fd_ >= 0) close(fd_);
}

std::uint32_t Tiny::agreed(const char* key, std::uint32_t otherwise) const {
  const auto text = answered_.value(key);
  return text ? static_cast<std::uint32_t>(parse_number(*text).value_or(otherwise)) : otherwise;
}

void Tiny::connect() {
  if (fd_ >= 0) close(fd_);
  const std::string& portal = identity_.portal;
  sockaddr_in at{};
  at.sin_family = AF_INET;
  const auto colon = portal.find(':');
  inet_pton(AF_INET, portal.substr(0, colon).c_str(), &at.sin_addr);
  at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(portal.substr(colon + 1))));
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
    throw Wrong{"no connection"};
  reader_ = PduReader();
  digests_ = {};
  established_ = false;
  offered_ = answered_ = {};
}

void Tiny::send(Pdu pdu) {
  pdu.set(field::exp_stat_sn, acknowledged_status() - (breaks("exp_stat_sn") && established_));
  Digests digests = digests_;
  digests.spoil_header = breaks("own_digest") && established_;
  const Bytes bytes = encode(pdu, digests);
  if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    throw Lost{{"closed"}};
}

Pdu Tiny::receive() {
  while (true) {
    if (auto pdu = reader_.next()) {
      // Above level 0 it is as if it had never come: its number tells.
      if (level() > 0 && !pdu->data_digest_ok && !breaks("take_data_digest")) continue;
      require(pdu->header_digest_ok, "a wrong header digest", "take_header_digest");
      require(pdu->data_digest_ok, "a wrong data digest", "take_data_digest");
      if (breaks("one_pdu_a_segment") && established_ && reader_.pending_bytes() > 0)
        throw Wrong{"two PDUs in one piece"};
      take_numbers(*pdu);
      return *pdu;
    }
    pollfd entry{fd_, POLLIN, 0};
    if (poll(&entry, 1, kPatienceMs) <= 0) throw Wrong{"silence"};
    std::uint8_t buffer[65536];
    const bool at_once = breaks("whole_pieces") && established_;
    const ssize_t count = recv(fd_, buffer, at_once ? kHeaderBytes - 1 : sizeof buffer, 0);
    if (count <= 0 && breaks("stays_open")) poll(nullptr, 0, kPatienceMs);
    if (count <= 0) throw Lost{{"closed"}};
    reader_.feed(std::span(buffer, static_cast<std::size_t>(count)));
    if (at_once) throw Wrong{"a piece of a PDU"};
  }
}

void Tiny::take_numbers(const Pdu& pdu) {
  const bool none = pdu.is(Opcode::r2t) || (pdu.is(Opcode::data_in) && !pdu[field::has_status]) ||
                    (pdu.is(Opcode::nop_in) && pdu[field::initiator_task_tag] == kReservedTag);
  const std::uint32_t stat_sn = pdu.u32(field::stat_sn);
  if (!none && established_ && level() == 0)
    require(stat_sn == next_stat_sn_, "a gap in StatSN", "stat_sn_gap");
  const bool recovered = !none && open_statuses_.erase(stat_sn) > 0;
  if (!none && established_ && level() > 0 && !recovered) miss_statuses(next_stat_sn_, stat_sn);
  const bool uncounted = (breaks("no_event_status") && pdu.is(Opcode::async_message)) ||
                         (breaks("no_data_status") && pdu.is(Opcode::data_in));
  if (!none && !uncounted && !recovered) {
    if (breaks("stat_sn_wrap") && stat_sn == 0xffffffff) throw Wrong{"StatSN at its end"};
    next_stat_sn_ = stat_sn + 1;
  }
  const std::uint32_t exp = pdu.u32(field::exp_cmd_sn), max = pdu.u32(field::max_cmd_sn);
  if (breaks("plain_window") && static_cast<std::int32_t>(max) < 0)
    throw Wrong{"a window below zero"};
  const bool sane = static_cast<std::int32_t>(max - (exp - 1)) >= 0;
  if (sane || breaks("senseless_window")) max_cmd_sn_ = max;
}

bool Tiny::window_open() const {
  return breaks("window") || static_cast<std::int32_t>(max_cmd_sn_ - cmd_sn_) >= 0;
}

void Tiny::number(Pdu& pdu, bool immediate) {
  pdu.set(field::immediate, immediate).set(field::cmd_sn, cmd_sn_);
  cmd_sn_ += !immediate;
  if (breaks("cmd_sn")) ++cmd_sn_;
}

// ---- tasks --------------------------------------------------------------------------------------

void Tiny::start(Task& task) {
  Pdu& command = task.command;
  command.set(field::initiator_task_tag, next_tag_++);
  const bool writes = command[field::write];
  const auto total = command.u32(field::expected_data_transfer_length);
  const bool solicited_only = answered_.value("InitialR2T") != "No";
  const std::uint32_t first_burst =
      breaks("first_burst") ? total : std::min(total, agreed("FirstBurstLength", 65536));
  std::uint32_t immediate = 0;
  if (writes && (answered_.value("ImmediateData") == "Yes" || breaks("immediate")))
    immediate = std::min(first_burst, breaks("segment") ? total : most_bytes());
  command.data.assign(task.data.begin(), task.data.begin() + (writes ? immediate : 0));
  const bool more = writes && !solicited_only && first_burst > immediate;
  command.set(field::final, !more && !breaks("no_final"));
  number(command);
  send(command);
  const std::uint32_t less = breaks("short_burst") ? 512 : 0;
  if (more) send_data(task, kReservedTag, immediate, first_burst - immediate - less);
  if (writes && breaks("unsolicited")) send_data(task, kReservedTag, immediate, 512);
}

std::uint32_t Tiny::most_bytes() const { return agreed("MaxRecvDataSegmentLength", 8192); }

void Tiny::send_data(Task& task, std::uint32_t tag, std::uint32_t from, std::uint32_t bytes) {
  const std::uint32_t end = from + bytes, most = breaks("segment") ? bytes : most_bytes();
  static std::uint32_t running = 0;
  for (std::uint32_t data_sn = 0; from < end; ++data_sn, ++running) {
    const bool nothing = breaks("empty_data_out") && data_sn == 0;
    const std::uint32_t count = nothing ? 0 : std::min(most, end - from);
    Pdu pdu(Opcode::data_out);
    pdu.set(field::lun, breaks("lun") ? 0x0009000000000000 : task.command[field::lun]);
    pdu.set(field::initiator_task_tag, task.command[field::initiator_task_tag]);
    pdu.set(field::target_transfer_tag, tag)
        .set(field::data_sn, breaks("data_sn") ? running : data_sn + breaks("data_sn_from_one"));
    pdu.set(field::buffer_offset, from + (breaks("offset") ? 4 : 0));
    pdu.set(field::final, from + count == end);
    pdu.data.assign(task.data.begin() + from, task.data.begin() + from + count);
    send(pdu);
    from += count;
  }
}

void Tiny::take_data_in(Task& task, const Pdu& pdu) {
  const std::uint32_t data_sn = pdu.u32(field::data_sn), offset = pdu.u32(field::buffer_offset);
  if (breaks("empty_data") && pdu.data.empty()) throw Wrong{"no data"};
  if (breaks("a_bit") && pdu[field::acknowledge] && level() == 0) throw Wrong{"the A bit"};
  if (breaks("reserved_bits") && (pdu.header[1] & 0x38)) throw Wrong{"reserved bits"};
  if (pdu.data.size() > most_data_in_) throw Wrong{"more data in one PDU than was declared"};
  const bool asked_for = task.missing.contains(data_sn);
  if (data_sn < task.data_sn && !asked_for && !breaks("twice")) return;
  if (level() > 0) ask_for_data(task, data_sn);
  if (level() == 0) require(data_sn <= task.data_sn, "a gap in DataSN", "data_sn_gap");
  task.data_sn = std::max(task.data_sn, data_sn + 1);
  const bool within = offset <= task.data.size() && pdu.data.size() <= task.data.size() - offset;
  if (!within) throw Wrong{"data beyond the end"};
  if (breaks("lose_last") && offset + pdu.data.size() == task.data.size()) return;
  std::ranges::copy(pdu.data, task.data.begin() + offset);
  if (level() > 0 && pdu[field::acknowledge]) acknowledge_data(task, pdu);
  if (asked_for) came_again(task, data_sn);
  if (pdu[field::has_status] && !breaks("no_data_status")) task.done = true;
}

void Tiny::take_r2t(Task& task, const Pdu& pdu) {
  const std::uint32_t tag = pdu.u32(field::target_transfer_tag), r2t_sn = pdu.u32(field::r2t_sn);
  const std::uint32_t offset = pdu.u32(field::buffer_offset),
                      bytes = pdu.u32(field::desired_length);
  require(task.command[field::write], "an R2T for a read", "r2t_read");
  if (!task.command[field::write]) {
    if (breaks("r2t_read")) task.data.resize(offset + bytes);
    return send_data(task, tag, offset, bytes);
  }
  if (r2t_sn < task.r2t_sn && !breaks("r2t_twice")) return;
  require(r2t_sn <= task.r2t_sn, "a gap in R2TSN", "r2t_gap");
  task.r2t_sn = r2t_sn + 1;
  require(bytes > 0, "an R2T of nothing", "r2t_zero");
  const bool within = offset <= task.data.size() && bytes <= task.data.size() - offset;
  require(within, "an R2T beyond the end", "r2t_beyond");
  if (!within) task.data.resize(offset + bytes);
  if (breaks("r2t_late")) throw Wrong{"a late R2T"};
  if (breaks("r2t_less")) return send_data(task, tag, offset, bytes - 256);
  if (breaks("r2t_more")) return send_data(task, tag, offset, bytes + 512);
  if (breaks("r2t_odd") && bytes % kBlockBytes != 0) return send_data(task, tag, offset, bytes + 4);
  if (breaks("r2t_order") && r2t_sn == 0) return held_.push_back(pdu);
  send_data(task, breaks("r2t_tag") ? tag + 1 : tag,
            breaks("r2t_back") && r2t_sn > 0 ? offset + 512 : offset, bytes);
  for (const Pdu& held : std::exchange(held_, {}))
    send_data(task, held.u32(field::target_transfer_tag), held.u32(field::buffer_offset),
              held.u32(field::desired_length));
}

void Tiny::take_status(Task& task, const Pdu& pdu) {
  if (pdu[field::snack_tag] != task.snack_tag) return;
  const bool reads = task.command[field::read];
  const bool good = pdu[field::scsi_status] == 0;
  if (reads && good && level() > 0) {
    const std::uint32_t stat_sn = pdu.u32(field::stat_sn);
    if (!breaks("no_snack")) open_statuses_.insert(stat_sn);
    ask_for_data(task, pdu.u32(field::exp_data_sn));
    if (!task.missing.empty()) {
      task.status_response = pdu;
      if (breaks("status_before_data")) open_statuses_.erase(stat_sn);
      return;
    }
    open_statuses_.erase(stat_sn);
  } else if (reads && good)
    require(pdu[field::exp_data_sn] == task.data_sn || pdu[field::exp_data_sn] == 0,
            "a Data-In that never came", "exp_data_sn");
  task.done = true;
  task.status = static_cast<std::uint8_t>(pdu[field::scsi_status]);
  if (breaks("status_ends") && task.status != 0) throw Wrong{"a status"};
}

void Tiny::take_nop_in(std::vector<Task>& tasks, const Pdu& pdu) {
  if (level() > 0) retry(tasks, pdu);
  const bool asks = pdu[field::target_transfer_tag] != kReservedTag || breaks("answers_all");
  if (!asks || breaks("no_pong")) return;
  if (breaks("zero_tag") && pdu[field::target_transfer_tag] == 0) return;
  Pdu pong(Opcode::nop_out);
  pong.set(field::final, 1).set(field::lun, breaks("pong_lun") ? 0 : pdu[field::lun]);
  pong.set(field::initiator_task_tag, breaks("pong_task") ? next_tag_++ : kReservedTag);
  pong.set(field::target_transfer_tag, pdu[field::target_transfer_tag] + breaks("pong_tag"));
  number(pong, !breaks("pong_numbered"));
  if (breaks("pong_cmd_sn")) pong.set(field::cmd_sn, 3);
  send(pong);
}

void Tiny::carry_on_regardless() {
  Pdu command(Opcode::scsi_command);
  command.set(field::final, 1).set(field::initiator_task_tag, next_tag_++);
  number(command);
  send(command);
}

void Tiny::take_async(const Pdu& pdu) {
  switch (pdu[field::async_event]) {
    case 1:
      if (breaks("deaf")) return;
      if (breaks("command_before_logout")) carry_on_regardless();
      log_out();
      throw Wrong{"asked to log out"};
    case 4:
      if (breaks("deaf")) return;
      return negotiate();
    case 2:
    case 3:
      require(false, "dropped", "deaf");
      return;
    default:
      if (breaks("event_ends")) throw Wrong{"an event"};
  }
}

void Tiny::take(std::vector<Task>& tasks, const Pdu& pdu) {
  switch (static_cast<Opcode>(pdu.opcode())) {
    case Opcode::nop_in:
      return take_nop_in(tasks, pdu);
    case Opcode::async_message:
      return take_async(pdu);
    case Opcode::reject:
      if (level() > 0 && pdu[field::reject_reason] == kSnackReject) return;  // its status follows
      require(false, "a Reject", "reject");
      tasks.front().done = true;
      return;
    case Opcode::data_in:
    case Opcode::r2t:
    case Opcode::scsi_response:
      break;
    default:
      require(false, "an opcode", "opcode");
      return;
  }
  const auto task = std::ranges::find_if(tasks, [&](const Task& of) {
    return of.command[field::initiator_task_tag] == pdu[field::initiator_task_tag] && !of.done;
  });
  require(task != tasks.end(), "a task tag that is not ours", "task_tag");
  if (task == tasks.end()) return;
  if (pdu.is(Opcode::data_in)) return take_data_in(*task, pdu);
  if (pdu.is(Opcode::r2t)) return take_r2t(*task, pdu);
  take_status(*task, pdu);
}

void Tiny::carry_out(std::vector<Task>& tasks) {
  std::size_t started = 0;
  while (!std::ranges::all_of(tasks, &Task::done)) {
    if (started < tasks.size() && window_open()) {
      start(tasks[started++]);
      continue;
    }
    try {
      take(tasks, receive());
    } catch (const Lost&) {
      if (level() < 2) throw;
      recover_connection(tasks);
    }
  }
}

void Tiny::abort(Task& task) {
  start(task);
  Pdu request(Opcode::task_management_request);
  request.set(field::final, 1).set(field::function, 1);
  request.set(field::lun, breaks("abort_lun") ? 0x0009000000000000 : 0);
  request.set(field::initiator_task_tag, next_tag_++);
  request.set(field::referenced_task_tag, task.command[field::initiator_task_tag]);
  request.set(field::ref_cmd_sn, task.command[field::cmd_sn] + breaks("abort_number"));
  if (breaks("abort_data")) request.data.resize(4);
  number(request, true);
  if (breaks("abort_cmd_sn")) request.set(field::cmd_sn, 3);
  if (breaks("never_aborts")) carry_on_regardless();
  if (!breaks("never_aborts")) send(request);
  std::vector<Task> tasks{std::move(task)};
  if (breaks("abort_forgets")) tasks.clear();
  for (Pdu pdu = receive(); !pdu.is(Opcode::task_management_response); pdu = receive())
    take(tasks, pdu);
}

void Tiny::abort_set(Task& task) {
  std::vector<Task> tasks;
  start(task);
  Pdu request(Opcode::task_management_request);
  request.set(field::final, 1).set(field::function, 2);
  request.set(field::initiator_task_tag, next_tag_++);
  request.set(field::referenced_task_tag, breaks("set_task") ? 3 : kReservedTag);
  number(request, true);
  send(request);
  for (Pdu pdu = receive(); !pdu.is(Opcode::task_management_response); pdu = receive()) {
    if (breaks("set_goes_on")) carry_on_regardless();
    if (pdu.is(Opcode::nop_in)) take_nop_in(tasks, pdu);
    if (!pdu.is(Opcode::r2t) || breaks("set_deaf")) continue;
    const std::uint32_t asked = pdu.u32(field::desired_length);
    send_data(task, pdu.u32(field::target_transfer_tag), pdu.u32(field::buffer_offset),
              breaks("set_slow") ? asked : std::min(asked, kBlockBytes));
  }
}

}  // namespace tsih::initiators::testing
