#include "harness/judge/tests/story.h"

#include <algorithm>

namespace tsih::judge::testing {
namespace {

constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;

void append(Bytes& out, std::uint64_t value, unsigned bytes) {  // in network byte order
  for (unsigned i = bytes; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace

Scribe::Scribe() {
  append(file_, 0xa1b2c3d4, 4);
  append(file_, 0x00020004, 4);
  append(file_, 0, 8);
  append(file_, 65535, 4);
  append(file_, 1, 4);
}

void Scribe::open(std::uint16_t client_port) {
  numbers_[client_port] = {};
  frame(client_port, From::initiator, {}, kSyn);
  frame(client_port, From::target, {}, kSyn | kAck);
  frame(client_port, From::initiator, {}, kAck);
}

void Scribe::send(std::uint16_t client_port, From from, const Bytes& bytes, bool seen) {
  frame(client_port, from, bytes, kAck, seen);
}

void Scribe::close(std::uint16_t client_port, From by) {
  frame(client_port, by, {}, kFin | kAck);
  frame(client_port, by == From::initiator ? From::target : From::initiator, {}, kFin | kAck);
}

void Scribe::shut(std::uint16_t client_port, From by) { frame(client_port, by, {}, kFin | kAck); }

void Scribe::reset(std::uint16_t client_port, From by) { frame(client_port, by, {}, kRst | kAck); }

void Scribe::frame(std::uint16_t client_port, From from, const Bytes& bytes, std::uint8_t flags,
                   bool seen) {
  auto& seq = numbers_[client_port].seq;
  const std::size_t me = side(from);
  Bytes packet(12, 0);
  append(packet, 0x0800, 2);
  append(packet, 0x4500, 2);
  append(packet, 40 + bytes.size(), 2);
  append(packet, 0x00004000, 4);
  append(packet, 0x40060000, 4);
  append(packet, me == 0 ? 0x0a000002 : 0x0a000001, 4);
  append(packet, me == 0 ? 0x0a000001 : 0x0a000002, 4);
  append(packet, me == 0 ? client_port : target_port, 2);
  append(packet, me == 0 ? target_port : client_port, 2);
  append(packet, seq[me], 4);
  append(packet, seq[1 - me], 4);
  append(packet, 0x5000u | flags, 2);
  append(packet, 0xffff00000000, 6);
  packet.insert(packet.end(), bytes.begin(), bytes.end());
  seq[me] += static_cast<std::uint32_t>(bytes.size()) + ((flags & (kSyn | kFin)) ? 1 : 0);
  if (!seen) return;
  const std::size_t captured = std::min(packet.size(), snap_bytes);
  append(file_, ++seconds_, 4);
  append(file_, 0, 4);
  append(file_, captured, 4);
  append(file_, packet.size(), 4);
  file_.insert(file_.end(), packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(captured));
}

void Story::say(const std::string& label, From from, Pdu pdu) {
  if (left_out.contains(label)) return;
  if (const auto change = changes.find(label); change != changes.end()) change->second(pdu);
  wire::Digests digests_now{.header = with_digests_, .data = with_digests_};
  if (const auto spoil = spoils.find(label); spoil != spoils.end()) {
    digests_now.spoil_header = spoil->second.spoil_header;
    digests_now.spoil_data = spoil->second.spoil_data;
  }
  Bytes bytes = wire::encode(pdu, digests_now);
  if (!pdu.padding_is_zero) bytes[bytes.size() - (digests_now.data ? 5 : 1)] = 7;
  scribe.send(50000, from, bytes, !unseen.contains(label));
  if (const auto more = added.find(label); more != added.end())
    scribe.send(50000, from, wire::encode(more->second, digests_now));
}

Pdu Story::request(Opcode opcode, std::uint32_t tag, bool immediate) {
  Pdu pdu(opcode);
  pdu.set(field::final, 1).set(field::immediate, immediate ? 1 : 0);
  pdu.set(field::initiator_task_tag, tag).set(field::cmd_sn, cmd_sn_);
  pdu.set(field::exp_stat_sn, stat_sn_);
  if (!immediate) ++cmd_sn_;
  return pdu;
}

Pdu Story::response(Opcode opcode, std::uint32_t tag) {
  Pdu pdu(opcode);
  pdu.set(field::final, 1).set(field::initiator_task_tag, tag).set(field::stat_sn, stat_sn_++);
  pdu.set(field::exp_cmd_sn, cmd_sn_).set(field::max_cmd_sn, cmd_sn_ + 7);
  return pdu;
}

Pdu Story::data_in(std::uint32_t tag, std::uint32_t number, std::uint32_t offset,
                   std::size_t bytes) {
  Pdu pdu(Opcode::data_in);
  pdu.set(field::initiator_task_tag, tag).set(field::target_transfer_tag, wire::kReservedTag);
  pdu.set(field::exp_cmd_sn, cmd_sn_).set(field::max_cmd_sn, cmd_sn_ + 7);
  pdu.set(field::data_sn, number).set(field::buffer_offset, offset);
  pdu.data.assign(bytes, 5);
  return pdu;
}

Pdu Story::data_out(std::uint32_t tag, std::uint32_t transfer_tag, std::uint32_t number,
                    std::uint32_t offset, std::size_t bytes, bool last) {
  Pdu pdu(Opcode::data_out);
  pdu.set(field::final, last ? 1 : 0).set(field::initiator_task_tag, tag);
  pdu.set(field::target_transfer_tag, transfer_tag).set(field::exp_stat_sn, stat_sn_);
  pdu.set(field::data_sn, number).set(field::buffer_offset, offset);
  if (transfer_tag != wire::kReservedTag) pdu.set(field::lun, 1ull << 48);
  pdu.data.assign(bytes, 6);
  return pdu;
}

void Story::log_in() {
  Pdu pdu(Opcode::login_request);
  pdu.set(field::immediate, 1).set(field::transit, 1).set(field::nsg, 1);
  pdu.set(field::isid, 0x800000000001).set(field::cid, 1).set(field::initiator_task_tag, 1);
  pdu.set(field::cmd_sn, cmd_sn_);
  wire::TextKeys names{{"InitiatorName", "iqn.2026-01.example.story:i"}};
  if (discovery)
    names.add("SessionType", "Discovery");
  else
    names.add("TargetName", "iqn.2026-01.example.story:t");
  names.add("AuthMethod", "None");
  pdu.data = wire::encode_text(names);
  say("login1", From::initiator, pdu);

  Pdu reply = response(Opcode::login_response, 1);
  reply.set(field::transit, 1).set(field::nsg, 1).set(field::isid, 0x800000000001);
  wire::TextKeys first{{"AuthMethod", "None"}};
  if (!discovery) first.add("TargetPortalGroupTag", "1");
  reply.data = wire::encode_text(first);
  say("login1.answer", From::target, reply);

  pdu.set(field::csg, 1).set(field::nsg, 3).set(field::exp_stat_sn, stat_sn_);
  const std::string digest = digests ? "CRC32C" : "None";
  wire::TextKeys keys{{"HeaderDigest", digest}, {"DataDigest", digest}};
  wire::TextKeys answers = keys;
  keys.add("MaxRecvDataSegmentLength", "512");
  answers.add("MaxRecvDataSegmentLength", "512");
  if (!discovery)
    for (wire::TextKeys* side_keys : {&keys, &answers})
      side_keys->append({{"InitialR2T", "No"},
                         {"ImmediateData", "Yes"},
                         {"FirstBurstLength", "1024"},
                         {"MaxBurstLength", "1024"}});
  keys.append(offered);
  answers.append(answered);
  pdu.data = wire::encode_text(keys);
  say("login2", From::initiator, pdu);

  Pdu last = response(Opcode::login_response, 1);
  last.set(field::transit, 1).set(field::csg, 1).set(field::nsg, 3).set(field::tsih, 9);
  last.set(field::isid, 0x800000000001);
  last.data = wire::encode_text(answers);
  say("login2.answer", From::target, last);
  with_digests_ = digests;
}

void Story::read() {
  Pdu command = request(Opcode::scsi_command, 10);
  command.set(field::read, 1).set(field::lun, 1ull << 48);
  command.set(field::expected_data_transfer_length, 1024);
  say("read", From::initiator, command);
  say("read.data1", From::target, data_in(10, 0, 0, 512));
  Pdu last = data_in(10, 1, 512, 512);
  last.set(field::final, 1).set(field::has_status, 1).set(field::stat_sn, stat_sn_++);
  say("read.data2", From::target, last);
}

void Story::read_short() {
  Pdu command = request(Opcode::scsi_command, 11);
  command.set(field::read, 1).set(field::lun, 1ull << 48);
  command.set(field::expected_data_transfer_length, 255);
  say("short", From::initiator, command);
  Pdu data = data_in(11, 0, 0, 37);
  data.set(field::final, 1);
  say("short.data", From::target, data);
  Pdu status = response(Opcode::scsi_response, 11);
  status.set(field::underflow, 1).set(field::residual, 218).set(field::exp_data_sn, 1);
  say("short.status", From::target, status);
}

void Story::write() {
  Pdu command = request(Opcode::scsi_command, 12);
  command.set(field::final, 0).set(field::write, 1).set(field::lun, 1ull << 48);
  command.set(field::expected_data_transfer_length, 2048);
  command.data.assign(512, 1);
  say("write", From::initiator, command);
  say("write.unsolicited", From::initiator, data_out(12, wire::kReservedTag, 0, 512, 512, true));
  Pdu r2t = response(Opcode::r2t, 12);
  r2t.set(field::stat_sn, --stat_sn_).set(field::lun, 1ull << 48);
  r2t.set(field::target_transfer_tag, 77).set(field::buffer_offset, 1024);
  r2t.set(field::desired_length, 1024);
  say("write.r2t", From::target, r2t);
  say("write.data1", From::initiator, data_out(12, 77, 0, 1024, 512, false));
  say("write.data2", From::initiator, data_out(12, 77, 1, 1536, 512, true));
  say("write.status", From::target, response(Opcode::scsi_response, 12));
}

// Two commands, so that their R2Ts have an order.
void Story::write_by_r2t() {
  for (std::uint32_t tag : {13u, 14u}) {
    Pdu command = request(Opcode::scsi_command, tag);
    command.set(field::write, 1).set(field::lun, 1ull << 48);
    command.set(field::expected_data_transfer_length, 512);
    say("solicited" + std::to_string(tag), From::initiator, command);
    Pdu r2t = response(Opcode::r2t, tag);
    r2t.set(field::stat_sn, --stat_sn_).set(field::lun, 1ull << 48);
    r2t.set(field::target_transfer_tag, tag + 100).set(field::desired_length, 512);
    say("solicited" + std::to_string(tag) + ".r2t", From::target, r2t);
  }
  for (std::uint32_t tag : {13u, 14u})
    say("solicited" + std::to_string(tag) + ".data", From::initiator,
        data_out(tag, tag + 100, 0, 0, 512, true));
  for (std::uint32_t tag : {13u, 14u})
    say("solicited" + std::to_string(tag) + ".status", From::target,
        response(Opcode::scsi_response, tag));
}

void Story::ping() {
  Pdu out = request(Opcode::nop_out, 20);
  out.set(field::target_transfer_tag, wire::kReservedTag);
  out.data.assign(33, 9);
  say("ping", From::initiator, out);
  Pdu in = response(Opcode::nop_in, 20);
  in.set(field::target_transfer_tag, wire::kReservedTag);
  in.data.assign(33, 9);
  say("ping.answer", From::target, in);
  Pdu asks = response(Opcode::nop_in, wire::kReservedTag);
  asks.set(field::stat_sn, --stat_sn_).set(field::target_transfer_tag, 5);
  asks.set(field::lun, 1ull << 48);
  say("pong", From::target, asks);
  Pdu answers = request(Opcode::nop_out, wire::kReservedTag, true);
  answers.set(field::target_transfer_tag, 5).set(field::lun, 1ull << 48);
  say("pong.answer", From::initiator, answers);
}

void Story::fail() {
  Pdu command = request(Opcode::scsi_command, 15);
  command.set(field::read, 1).set(field::expected_data_transfer_length, 512);
  say("bad", From::initiator, command);
  Pdu status = response(Opcode::scsi_response, 15);
  status.set(field::scsi_status, 2).set(field::underflow, 1).set(field::residual, 512);
  status.data.assign(20, 0);
  status.data[1] = 18;
  status.data[2] = 0x70;
  say("bad.status", From::target, status);
}

void Story::manage() {
  Pdu command = request(Opcode::scsi_command, 16);
  command.set(field::read, 1).set(field::expected_data_transfer_length, 512);
  say("stuck", From::initiator, command);
  Pdu abort = request(Opcode::task_management_request, 17, true);
  abort.set(field::function, 1).set(field::referenced_task_tag, 16);
  abort.set(field::ref_cmd_sn, cmd_sn_ - 1);
  say("abort", From::initiator, abort);
  say("abort.answer", From::target, response(Opcode::task_management_response, 17));
  Pdu reset = request(Opcode::task_management_request, 18, true);
  reset.set(field::function, 5).set(field::referenced_task_tag, wire::kReservedTag);
  say("reset", From::initiator, reset);
  say("reset.answer", From::target, response(Opcode::task_management_response, 18));
}

// A list in two parts.
void Story::ask() {
  Pdu first = request(Opcode::text_request, 30);
  first.set(field::target_transfer_tag, wire::kReservedTag);
  first.data = wire::encode_text({{"SendTargets", discovery ? "All" : ""}});
  say("ask", From::initiator, first);
  Pdu part = response(Opcode::text_response, 30);
  part.set(field::final, 0).set(field::continues, 1).set(field::target_transfer_tag, 88);
  part.data = wire::encode_text({{"TargetName", "iqn.2026-01.example.story:t"}});
  say("ask.part", From::target, part);
  Pdu next = request(Opcode::text_request, 30);
  next.set(field::target_transfer_tag, 88);
  say("ask.more", From::initiator, next);
  Pdu last = response(Opcode::text_response, 30);
  last.set(field::target_transfer_tag, wire::kReservedTag);
  last.data = wire::encode_text({{"TargetAddress", "10.0.0.1:3260,1"}});
  say("ask.last", From::target, last);
}

void Story::log_out() {
  Pdu out = request(Opcode::logout_request, 40, true);
  say("logout", From::initiator, out);
  say("logout.answer", From::target, response(Opcode::logout_response, 40));
}

void Story::tell() {
  scribe.open(50000);
  log_in();
  if (!discovery) {
    read();
    read_short();
    write();
    write_by_r2t();
    ping();
    fail();
    manage();
  }
  ask();
  log_out();
  scribe.close(50000, From::initiator);
}

Report Story::judge() {
  auto report = judge_capture(scribe.file());
  return report ? std::move(*report) : Report();
}

std::string Story::broken() {
  tell();
  const Report report = judge();
  return broken_rules(report);
}

std::string broken_rules(const Report& report) {
  std::string names;
  for (std::size_t i = 0; i < report.tallies.size(); ++i)
    if (report.tallies[i][0].broken + report.tallies[i][1].broken > 0)
      names += (names.empty() ? "" : " ") + std::string(all_rules()[i].name);
  return names;
}

}  // namespace tsih::judge::testing
