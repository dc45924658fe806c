#include "target/fuzz/session_play.h"

#include <cstring>

#include "target/scsi/buffer.h"
#include "target/session/guard.h"
#include "target/session/registry.h"
#include "target/session/session.h"
#include "target/wire/text.h"
#include "target/wire/writer.h"

namespace tsihd::fuzz {
namespace {

using session::Connection;
using session::Limits;
using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::Opcode;

constexpr char kTarget[] = "iqn.2026-11.org.example:disk";
constexpr std::uint64_t kDiskBytes = 256 << 10;
constexpr std::uint32_t kBlockBytes = 512;
constexpr std::uint32_t kCommandDepth = 16;
constexpr std::uint32_t kFirstBurstBytes = 16384;

/// Small, so that a short script reaches every one of them.
Limits small_limits() {
  Limits limits;
  limits.max_connections = 2;
  limits.max_sessions = 3;
  limits.session_data_bytes = 64 << 10;
  limits.total_data_bytes = 96 << 10;
  limits.command_data_bytes = 64 << 10;
  limits.immediate_commands = 2;
  limits.task_management_waiting = 2;
  limits.output_pdus = 8;
  return limits;
}

void no_random(std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{0x5a}); }

session::Inventory one_target(Script& script, session::test::SimDisk*& disk) {
  auto backing = std::make_unique<session::test::SimDisk>(kDiskBytes);
  disk = backing.get();
  auto group = std::make_unique<session::PortalGroup>();
  auto& attributes = group->attributes;
  attributes.generate_node_acls = true;
  attributes.demo_mode_write_protect = false;
  attributes.default_cmdsn_depth = kCommandDepth;
  attributes.session_guard = static_cast<session::GuardMode>(script.choose(3));
  attributes.max_sessions = script.choose(3);
  group->offered.initial_r2t = false;
  group->offered.first_burst_length_bytes = kFirstBurstBytes;
  group->offered.max_outstanding_r2t = 4;
  group->offered.data_pdu_in_order = false;
  group->offered.data_sequence_in_order = false;
  group->offered.max_connections = 3;
  group->offered.error_recovery_level = 2;
  group->portals.push_back({"192.0.2.100", 3260});
  group->luns.entries[0] = {std::make_shared<scsi::LogicalUnit>(
                                scsi::Identity{.name = "disk", .vendor = "TSIH", .serial = "0001"},
                                std::move(backing), Log()),
                            false};
  auto target = std::make_unique<session::TargetNode>();
  target->name = kTarget;
  target->portal_groups.push_back(std::move(group));
  session::Inventory inventory;
  inventory.targets.push_back(std::move(target));
  return inventory;
}

Log log_to_stderr(bool trace) {
  if (!trace) return Log([](Severity, std::string_view) {});
  return Log([](Severity, std::string_view line) {
    std::fprintf(stderr, "  %.*s\n", static_cast<int>(line.size()), line.data());
  });
}

}  // namespace

SessionPlay::SessionPlay(Script& script, bool trace) : script_(script), pattern_(64 << 10) {
  service_ = std::make_unique<session::Service>(one_target(script, disk_), small_limits(),
                                                log_to_stderr(trace), no_random);
  service_->advance(Instant(std::chrono::hours(1)));
  for (std::size_t i = 0; i < pattern_.size(); ++i) pattern_[i] = static_cast<std::byte>(i * 7);
}

SessionPlay::~SessionPlay() = default;

void SessionPlay::run() {
  for (unsigned acts = 0; acts < kMostActs && !script_.at_end(); ++acts) {
    act();
    settle();
    check();
  }
  end();
}

void SessionPlay::act() {
  const std::uint8_t choice = script_.byte();
  Line& line = lines_[(choice >> 4) % kLines];
  switch (choice & 0x0f) {
    case 0:
      return log_in(line);
    case 1:
    case 2:
      return command(line);
    case 3:
      return answer_r2t(line);
    case 4:
      return data_out(line);
    case 5:
      return ping(line);
    case 6:
      return text(line);
    case 7:
      return manage(line);
    case 8:
      return log_out(line);
    case 9:
      return snack(line);
    case 10:
      return raw(line);
    case 11:
      return pass_time();
    case 12:
      return complete_one(true);
    case 13:
      return complete_one(false);
    case 14:
      return read_or_not(line);
    case 15:
      return (choice & 0x80) != 0 ? operate() : vanish(line);
  }
}

/// A new connection where there is none, then the whole login in one PDU: every key that the target
/// would propose otherwise, each with the one or the other value.
void SessionPlay::log_in(Line& line) {
  if (!line.connection) {
    const auto address = script_.coin() ? "192.0.2.1" : "192.0.2.2";
    line = Line{};
    line.connection = service_->accept({"192.0.2.100", 3260, address, 40000});
    if (!line.connection) return;
    line.connection->pump = &line;
  }
  struct Choice {
    std::string_view key, value, other;
  };
  static constexpr Choice kKeys[] = {
      {"HeaderDigest", "None", "CRC32C"},
      {"DataDigest", "None", "CRC32C"},
      {"MaxRecvDataSegmentLength", "8192", "512"},  // the rest in a leading login only
      {"InitialR2T", "Yes", "No"},
      {"MaxBurstLength", "262144", "512"},
      {"FirstBurstLength", "16384", "512"},
      {"ImmediateData", "Yes", "No"},
      {"DataPDUInOrder", "Yes", "No"},
      {"DataSequenceInOrder", "Yes", "No"},
      {"MaxOutstandingR2T", "1", "4"},
      {"MaxConnections", "1", "4"},
      {"ErrorRecoveryLevel", "0", "2"},
  };
  constexpr std::size_t kKeysOfAnyLogin = 3;
  const std::uint8_t who = script_.byte();
  const std::uint16_t keys = script_.word();
  std::string text = "InitiatorName=iqn.2026-11.org.example:machine-";
  text += static_cast<char>('a' + (who & 1));
  text += '\0';
  if (who & 2)
    wire::append_text(text, "SessionType", "Discovery");
  else
    wire::append_text(text, "TargetName", kTarget);
  const bool leading = (who & 8) == 0;
  for (std::size_t i = 0; i < (leading ? std::size(kKeys) : kKeysOfAnyLogin); ++i)
    wire::append_text(text, kKeys[i].key, keys >> i & 1 ? kKeys[i].other : kKeys[i].value);
  wire::LoginRequestBhs bhs;
  bhs.flags = wire::LoginFlags::kTransit |
              wire::LoginFlags::stages(wire::Stage::operational, wire::Stage::full_feature);
  bhs.isid = {0x00, 0x02, 0x3d, 0, 0, static_cast<std::uint8_t>(who >> 2 & 1)};
  if (!leading) bhs.tsih = lines_[who >> 4 & 1].tsih;
  bhs.cid = static_cast<std::uint16_t>(who >> 6);
  bhs.cmd_sn = line.cmd_sn;
  send(line, bhs, wire::as_bytes(text));
}

void SessionPlay::command(Line& line) {
  static constexpr std::uint8_t kOpcodes[] = {
      0x28, 0x2a, 0x12, 0x00, 0x35, 0x89, 0x41, 0x42, 0x1a, 0x55, 0x5e, 0x5f, 0xa0, 0x25, 0x2f,
  };
  const std::uint8_t style = script_.byte();
  const std::uint8_t blocks = script_.byte();
  const std::uint8_t operation = script_.byte();
  wire::ScsiCommandBhs bhs;
  bhs.cdb[0] = kOpcodes[operation % std::size(kOpcodes)];
  bhs.cdb[5] = script_.byte();
  bhs.cdb[8] = blocks;
  const bool write = bhs.cdb[0] == 0x2a || (operation & 0x80) != 0;
  bhs.flags = write ? wire::ScsiCommandBhs::kWrite : wire::ScsiCommandBhs::kRead;
  bhs.flags |= style & 0x03;  // the task attribute
  if ((style & 0x04) == 0) bhs.flags |= wire::kFinalBit;
  if (style & 0x08) bhs.opcode_byte |= wire::kImmediateBit;
  if (style & 0x10) bhs.lun[1] = std::byte{1};
  bhs.expected_data_transfer_bytes = blocks * kBlockBytes;
  if ((style & 0x20) == 0) line.last_tag = line.next_tag++;
  bhs.initiator_task_tag = line.last_tag;
  bhs.cmd_sn = style & 0x08 ? line.cmd_sn : line.cmd_sn++;
  send(line, bhs, payload(style & 0x40 ? script_.byte() * 16u : 0));
}

/// As a good initiator would, at least at first sight: in PDUs of 1 KiB.
void SessionPlay::answer_r2t(Line& line) {
  if (!line.r2t) return;
  const wire::R2tBhs r2t = *std::exchange(line.r2t, std::nullopt);
  const std::uint32_t length = std::min<std::uint32_t>(r2t.desired_data_transfer_bytes, 64 << 10);
  std::uint32_t data_sn = 0;
  for (std::uint32_t sent = 0; sent < length; ++data_sn) {
    const std::uint32_t bytes = std::min(1024u, length - sent);
    wire::DataOutBhs bhs;
    bhs.lun = r2t.lun;
    bhs.initiator_task_tag = r2t.initiator_task_tag;
    bhs.target_transfer_tag = r2t.target_transfer_tag;
    bhs.data_sn = data_sn;
    bhs.buffer_offset_bytes = r2t.buffer_offset_bytes + sent;
    sent += bytes;
    if (sent == length) bhs.flags = wire::kFinalBit;
    send(line, bhs, payload(bytes));
  }
}

void SessionPlay::data_out(Line& line) {
  const std::uint8_t style = script_.byte();
  wire::DataOutBhs bhs;
  bhs.initiator_task_tag = line.last_tag;
  bhs.target_transfer_tag = line.r2t && (style & 1)
                                ? static_cast<std::uint32_t>(line.r2t->target_transfer_tag)
                                : wire::kReservedTag;
  if (style & 2) bhs.flags = wire::kFinalBit;
  bhs.data_sn = (style >> 2 & 3u);
  bhs.buffer_offset_bytes = script_.byte() * 64u;
  send(line, bhs, payload(script_.byte() * 16u));
}

void SessionPlay::ping(Line& line) {
  const std::uint8_t style = script_.byte();
  wire::NopOutBhs bhs;
  if (style & 1) bhs.opcode_byte |= wire::kImmediateBit;
  bhs.initiator_task_tag = style & 2 ? wire::kReservedTag : line.next_tag++;
  bhs.cmd_sn = style & 1 ? line.cmd_sn : line.cmd_sn++;
  send(line, bhs, payload(style >> 2));
}

void SessionPlay::text(Line& line) {
  const std::uint8_t style = script_.byte();
  wire::TextRequestBhs bhs;
  if (style & 1) bhs.flags |= wire::kFinalBit;
  if (style & 2) bhs.flags |= wire::TextRequestBhs::kContinue;
  if (style & 4) bhs.opcode_byte |= wire::kImmediateBit;
  bhs.initiator_task_tag = 0x7e57u;
  if (style & 8) bhs.target_transfer_tag = 1u;
  bhs.cmd_sn = style & 4 ? line.cmd_sn : line.cmd_sn++;
  static constexpr std::string_view kTexts[] = {
      "SendTargets=All", "SendTargets=", "MaxRecvDataSegmentLength=1024", "X-org.e=1"};
  std::string data(kTexts[style >> 4 & 3]);
  data += '\0';
  const auto more = script_.bytes(script_.byte());
  data.append(wire::as_text(more));
  send(line, bhs, wire::as_bytes(data));
}

void SessionPlay::manage(Line& line) {
  const std::uint8_t style = script_.byte();
  wire::TaskManagementRequestBhs bhs;
  bhs.flags = static_cast<std::uint8_t>(wire::kFinalBit | (style & 0x0f));
  if (style & 0x10) bhs.opcode_byte |= wire::kImmediateBit;
  bhs.initiator_task_tag = line.next_tag++;
  bhs.referenced_task_tag = line.last_tag;
  bhs.cmd_sn = style & 0x10 ? line.cmd_sn : line.cmd_sn++;
  bhs.ref_cmd_sn = line.cmd_sn - (style >> 5);
  send(line, bhs);
}

void SessionPlay::log_out(Line& line) {
  const std::uint8_t style = script_.byte();
  wire::LogoutRequestBhs bhs;
  bhs.flags = static_cast<std::uint8_t>(wire::kFinalBit | (style & 3));
  if (style & 4) bhs.opcode_byte |= wire::kImmediateBit;
  bhs.initiator_task_tag = line.next_tag++;
  bhs.cid = static_cast<std::uint16_t>(style >> 6);
  bhs.cmd_sn = style & 4 ? line.cmd_sn : line.cmd_sn++;
  send(line, bhs);
}

void SessionPlay::snack(Line& line) {
  const std::uint8_t style = script_.byte();
  wire::SnackRequestBhs bhs;
  bhs.flags = static_cast<std::uint8_t>(wire::kFinalBit | (style & 3));
  bhs.initiator_task_tag = style & 4 ? wire::kReservedTag : line.last_tag;
  bhs.target_transfer_tag = style & 8 ? line.last_tag : wire::kReservedTag;
  bhs.beg_run = style & 0x10 ? line.exp_stat_sn : 0u;
  bhs.run_length = style >> 6;
  send(line, bhs);
}

void SessionPlay::raw(Line& line) { deliver(line, script_.bytes(script_.byte())); }

void SessionPlay::read_or_not(Line& line) {
  line.reads = script_.coin();
  piece_bytes_ = std::size_t{1} + script_.byte() * 16u;
  if (line.reads && line.connection) flush(line);
}

void SessionPlay::vanish(Line& line) { close(line, "reset"); }

/// What tsihctl and the daemon do.
void SessionPlay::operate() {
  const std::uint8_t choice = script_.byte();
  if (choice >= 0xf8)
    service_->begin_shutdown();
  else if (choice & 1)
    (void)service_->logout(choice >> 1 & 7);
  else
    (void)service_->unfence("iqn.2026-11.org.example:machine-a");
  service_->refresh_capacities();
  (void)service_->sessions();
}

void SessionPlay::complete_one(bool well) {
  const std::size_t choice = script_.byte();
  if (disk_->waiting() == 0) return;
  const std::size_t which = choice % disk_->waiting();
  well ? disk_->complete(which) : disk_->fail(which);
}

void SessionPlay::pass_time() {
  static constexpr milliseconds kJumps[] = {milliseconds(1), milliseconds(700), seconds(3),
                                            seconds(20), seconds(60)};
  tick_until(service_->now() + kJumps[script_.choose(std::size(kJumps))]);
}

/// Some of its header bytes become others, by the script.
void SessionPlay::patch(std::span<std::byte> header) {
  constexpr std::uint8_t kOften = 0xe0;  // one PDU in eight is patched when scripts are noise
  const std::uint8_t choice = script_.byte();
  if (choice < kOften) return;
  for (unsigned i = 0; i <= (choice & 3u); ++i) {
    const std::size_t at = script_.byte() % header.size();
    header[at] = static_cast<std::byte>(script_.byte());
  }
}

template <wire::Bhs T>
void SessionPlay::send(Line& line, T bhs, std::span<const std::byte> data) {
  if (!line.connection) return;
  if constexpr (requires { bhs.exp_stat_sn; }) bhs.exp_stat_sn = line.exp_stat_sn;
  patch(std::as_writable_bytes(std::span(&bhs, 1)));
  std::vector<std::byte> bytes;
  wire::append_pdu(bytes, bhs, data, line.digests);
  deliver(line, bytes);
}

std::span<const std::byte> SessionPlay::payload(std::size_t bytes) const {
  return std::span(pattern_).first(bytes);
}

/// As the pump does it: nothing when the connection wants none, first into the room it offers.
void SessionPlay::deliver(Line& line, std::span<const std::byte> bytes) {
  while (!bytes.empty() && line.connection && line.connection->wants_input()) {
    const auto piece = bytes.first(std::min(piece_bytes_, bytes.size()));
    bytes = bytes.subspan(piece.size());
    const std::span<std::byte> space = line.connection->receive_space();
    const std::size_t direct = std::min(space.size(), piece.size());
    if (direct > 0) std::memcpy(space.data(), piece.data(), direct);
    const std::vector<std::byte> rest(piece.begin() + static_cast<std::ptrdiff_t>(direct),
                                      piece.end());
    line.connection->received(direct, rest);
    settle();
  }
}

void SessionPlay::settle() {
  constexpr unsigned kMostRounds = 10000;
  unsigned rounds = 0;
  while (service_->end_batch())
    while (Connection* connection = service_->take_ready()) {
      require(++rounds < kMostRounds, "a batch of work comes to its end");
      flush(*static_cast<Line*>(connection->pump));
    }
}

void SessionPlay::flush(Line& line) {
  std::vector<std::byte> said;
  while (line.reads && line.connection->has_output()) {
    std::array<iovec, 64> pieces;
    const std::size_t used = line.connection->gather(pieces);
    if (used == 0) break;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < used; ++i) {
      const auto* base = static_cast<const std::byte*>(pieces[i].iov_base);
      said.insert(said.end(), base, base + pieces[i].iov_len);
      bytes += pieces[i].iov_len;
    }
    line.connection->sent(bytes);
  }
  const bool over = line.connection->wants_close();
  line.reader.feed(said);
  wire::Pdu pdu;
  wire::PduReader::Event event;
  while ((event = line.reader.next(pdu)) == wire::PduReader::Event::pdu) take(line, pdu);
  require(event == wire::PduReader::Event::need_more, "what a target says is whole PDUs");
  if (over) close(line, "");
}

void SessionPlay::take(Line& line, const wire::Pdu& pdu) {
  require(pdu.data_digest_ok, "the data digests of a target are right");
  require((static_cast<unsigned>(pdu.opcode()) & 0x20) != 0, "a target sends target opcodes");
  const auto& bhs = pdu.as<wire::ResponseBhs>();
  if (pdu.opcode() == Opcode::login_response) {
    const auto& login = pdu.as<wire::LoginResponseBhs>();
    line.logged_in = login.status_class == 0 && login.has(wire::LoginFlags::kTransit) &&
                     wire::LoginFlags::next(login.flags) == wire::Stage::full_feature;
    line.exp_stat_sn = login.stat_sn + 1;
    if (!line.logged_in) return;
    line.tsih = login.tsih;
    const std::string_view text = wire::as_text(pdu.data);
    line.digests = {text.find("HeaderDigest=CRC32C") != text.npos,
                    text.find("DataDigest=CRC32C") != text.npos};
    line.reader.set_digests(line.digests);
    return;
  }
  require(line.logged_in, "nothing but Login Responses comes before the end of the login");
  if (pdu.opcode() == Opcode::r2t)
    line.r2t = pdu.as<wire::R2tBhs>();
  else if (pdu.opcode() != Opcode::data_in || bhs.has(wire::DataInBhs::kStatus))
    line.exp_stat_sn = bhs.stat_sn + 1;
}

void SessionPlay::close(Line& line, std::string_view why) {
  if (!line.connection) return;
  line.connection->disconnected(why);
  line.connection.reset();
  line.logged_in = false;
}

void SessionPlay::tick_until(Instant until) {
  constexpr unsigned kMostTicks = 1000;
  for (unsigned ticks = 0; service_->next_deadline() <= until; ++ticks) {
    require(ticks < kMostTicks, "what falls due is done");
    service_->advance(std::max(service_->next_deadline(), service_->now()));
    service_->tick();
    settle();
  }
  service_->advance(std::max(until, service_->now()));
}

void SessionPlay::check() const {
  const Limits& limits = service_->limits();
  require(service_->connections().size() <= limits.max_connections, "max_connections holds");
  const auto& sessions = service_->registry().sessions();
  require(sessions.size() <= limits.max_sessions, "max_sessions holds");
  // Beyond the budget one command of each session may go ahead, and each command may hold the
  // unsolicited data that it came with.
  const std::uint64_t ahead_bytes =
      2ull * limits.command_data_bytes +
      std::uint64_t{kCommandDepth + limits.immediate_commands} * kFirstBurstBytes;
  require(service_->data_bytes() <= limits.total_data_bytes + sessions.size() * ahead_bytes,
          "total_data_bytes holds");
}

void SessionPlay::end() {
  for (Line& line : lines_) close(line, "the play is over");
  settle();
  while (disk_->waiting() > 0) {
    disk_->complete(0);
    settle();
  }
  tick_until(service_->now() + std::chrono::hours(2));
  require(service_->connections().empty(), "no connection is left");
  require(service_->registry().sessions().empty(), "no session is left");
  require(service_->data_bytes() == 0, "no budget is left taken");
  require(service_->idle(), "the service is idle");
  require(scsi::BufferPool::local().lent_bytes() == 0, "no buffer is left lent");
}

}  // namespace tsihd::fuzz
