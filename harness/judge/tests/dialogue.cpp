#include "harness/judge/tests/dialogue.h"

#include <boost/test/unit_test.hpp>
#include <utility>

#include "harness/wire/crc32c.h"

namespace tsih::judge::testing {
namespace {

constexpr std::uint64_t kIsid = 0x800000000001;

}  // namespace

void Dialogue::connect(std::uint16_t client_port, std::uint16_t cid) {
  lines_[client_port] = {};
  lines_[client_port].port = client_port;
  lines_[client_port].cid = cid;
  use(client_port);
  scribe.open(client_port);
}

void Dialogue::say(From from, const Pdu& pdu) { send(from, wire::encode(pdu, digests)); }

void Dialogue::send(From from, const wire::Bytes& bytes) {
  auto& writer = now_->writers[side(from)];
  now_->sent_bytes[side(from)] += bytes.size();
  scribe.send(now_->port, from, writer ? writer->mark(bytes) : bytes);
}

void Dialogue::use_markers(From from, std::uint32_t interval_bytes, std::uint32_t skew) {
  now_->writers[side(from)].emplace(interval_bytes, now_->sent_bytes[side(from)], skew);
}

void Dialogue::target_with_marked_digest(const Pdu& pdu) {
  wire::Bytes bytes = wire::encode(pdu, {.header = true, .data = true});
  const std::size_t digest_at = bytes.size() - 4;
  const auto marked = [&](std::size_t count) {
    wire::MarkerWriter writer = *now_->writers[side(From::target)];
    return writer.mark(std::span(bytes).first(count)).size();
  };
  wire::MarkerWriter writer = *now_->writers[side(From::target)];
  const wire::Bytes all = writer.mark(bytes);
  const std::size_t begin = marked(wire::kHeaderBytes + 4);
  const std::uint32_t crc = wire::crc32c(std::span(all).subspan(begin, marked(digest_at) - begin));
  for (unsigned i = 0; i < 4; ++i) bytes[digest_at + i] = static_cast<std::uint8_t>(crc >> 8 * i);
  send(From::target, bytes);
}

TextKeys Dialogue::with_names(const TextKeys& keys) {
  if (std::exchange(now_->named, true)) return keys;
  TextKeys all{{"InitiatorName", "iqn.2026-01.example.story:i"}};
  if (keys.value("SessionType") != std::string("Discovery"))
    all.add("TargetName", "iqn.2026-01.example.story:t");
  all.append(keys);
  return all;
}

void Dialogue::login(unsigned stage, const TextKeys& asks, const TextKeys& answers, int next) {
  const bool first = !now_->named;
  const auto to = [&](Pdu& pdu) {
    pdu.set(field::csg, stage).set(field::isid, kIsid);
    if (next >= 0) pdu.set(field::transit, 1).set(field::nsg, static_cast<unsigned>(next));
  };
  Pdu out(Opcode::login_request);
  to(out);
  out.set(field::immediate, 1).set(field::cid, now_->cid).set(field::initiator_task_tag, 1);
  out.set(field::cmd_sn, cmd_sn).set(field::exp_stat_sn, first ? 0 : now_->stat_sn);
  out.set(field::tsih, asked_handle);
  out.data = wire::encode_text(with_names(asks));
  initiator(out);
  Pdu in = response(Opcode::login_response, 1);
  in.header[1] = 0;
  to(in);
  in.set(field::tsih, next == 3 ? handle : asked_handle);
  TextKeys said = answers;
  if (first && asks.value("SessionType") != std::string("Discovery"))
    said.add("TargetPortalGroupTag", "1");
  in.data = wire::encode_text(said);
  target(in);
}

void Dialogue::log_in(const TextKeys& asks, const TextKeys& answers) {
  if (!now_) connect(50000);
  login(kOperational, asks, answers, kFullFeature);
}

void Dialogue::choose_method(const std::string& method) {
  if (!now_) connect(50000);
  login(kSecurity, {{"AuthMethod", method + ",None"}}, {{"AuthMethod", method}});
}

void Dialogue::text(const TextKeys& asks, const TextKeys& answers) {
  Pdu out = request(Opcode::text_request, 700);
  out.set(field::target_transfer_tag, wire::kReservedTag);
  out.data = wire::encode_text(asks);
  initiator(out);
  Pdu in = response(Opcode::text_response, 700);
  in.set(field::target_transfer_tag, wire::kReservedTag);
  in.data = wire::encode_text(answers);
  target(in);
}

void Dialogue::log_out(unsigned reason) {
  Pdu out = request(Opcode::logout_request, 800, true);
  out.set(field::logout_reason, reason);
  if (reason != 0) out.set(field::cid, now_->cid);
  initiator(out);
  target(response(Opcode::logout_response, 800));
  scribe.close(now_->port, From::target);
}

void Dialogue::log_in_at_level(const char* level) {
  const TextKeys keys{{"ErrorRecoveryLevel", level}, {"MaxBurstLength", "1024"},
                      {"FirstBurstLength", "512"},   {"MaxRecvDataSegmentLength", "512"},
                      {"MaxConnections", "4"},       {"InitialR2T", "No"}};
  log_in(keys, keys);
}

void Dialogue::log_in_beside(std::uint16_t cid, std::uint16_t asked) {
  connect(50001, cid);
  asked_handle = asked;
  log_in();
}

Pdu Dialogue::request(Opcode opcode, std::uint32_t tag, bool immediate) {
  Pdu pdu(opcode);
  pdu.set(field::final, 1).set(field::immediate, immediate ? 1 : 0);
  pdu.set(field::initiator_task_tag, tag).set(field::cmd_sn, cmd_sn);
  pdu.set(field::exp_stat_sn, now_->stat_sn);
  if (!immediate) ++cmd_sn;
  return pdu;
}

Pdu Dialogue::response(Opcode opcode, std::uint32_t tag) {
  Pdu pdu(opcode);
  pdu.set(field::final, 1).set(field::initiator_task_tag, tag);
  pdu.set(field::stat_sn, now_->stat_sn++);
  pdu.set(field::exp_cmd_sn, cmd_sn).set(field::max_cmd_sn, cmd_sn + 7);
  return pdu;
}

Pdu Dialogue::read(std::uint32_t tag, std::uint32_t bytes) {
  Pdu pdu = request(Opcode::scsi_command, tag);
  return pdu.set(field::read, 1)
      .set(field::lun, kLun)
      .set(field::expected_data_transfer_length, bytes);
}

Pdu Dialogue::write(std::uint32_t tag, std::uint32_t bytes) {
  Pdu pdu = request(Opcode::scsi_command, tag);
  return pdu.set(field::write, 1)
      .set(field::lun, kLun)
      .set(field::expected_data_transfer_length, bytes);
}

Pdu Dialogue::data_in(std::uint32_t tag, std::uint32_t number, std::uint32_t offset, bool last) {
  Pdu pdu(Opcode::data_in);
  pdu.set(field::initiator_task_tag, tag).set(field::target_transfer_tag, wire::kReservedTag);
  pdu.set(field::exp_cmd_sn, cmd_sn).set(field::max_cmd_sn, cmd_sn + 7);
  pdu.set(field::data_sn, number).set(field::buffer_offset, offset).set(field::final, last);
  pdu.data.assign(512, 5);
  return pdu;
}

Pdu Dialogue::r2t(std::uint32_t tag, std::uint32_t number, std::uint32_t offset,
                  std::uint32_t bytes) {
  Pdu pdu = response(Opcode::r2t, tag);
  keep_stat_sn();
  pdu.set(field::lun, kLun).set(field::target_transfer_tag, 500 + number);
  return pdu.set(field::r2t_sn, number)
      .set(field::buffer_offset, offset)
      .set(field::desired_length, bytes);
}

Pdu Dialogue::snack(unsigned type, std::uint32_t tag, std::uint32_t begin, std::uint32_t length) {
  Pdu pdu(Opcode::snack_request);
  pdu.set(field::final, 1).set(field::snack_type, type).set(field::initiator_task_tag, tag);
  pdu.set(field::target_transfer_tag, wire::kReservedTag).set(field::exp_stat_sn, now_->stat_sn);
  if (tag != wire::kReservedTag) pdu.set(field::lun, kLun);
  return pdu.set(field::beg_run, begin).set(field::run_length, length);
}

Pdu Dialogue::async(unsigned event, std::uint16_t seconds) {
  Pdu pdu = response(Opcode::async_message, wire::kReservedTag);
  return pdu.set(field::async_event, event).set(field::parameter3, seconds);
}

Pdu Dialogue::management(unsigned function, std::uint32_t tag, std::uint32_t referenced) {
  Pdu pdu = request(Opcode::task_management_request, tag, true);
  return pdu.set(field::function, function)
      .set(field::lun, kLun)
      .set(field::referenced_task_tag, referenced);
}

Pdu Dialogue::reject(unsigned reason, const Pdu& bad) {
  Pdu pdu = response(Opcode::reject, wire::kReservedTag);
  pdu.set(field::reject_reason, reason);
  pdu.data.assign(bad.header.begin(), bad.header.end());
  return pdu;
}

Pdu Dialogue::ping(std::uint32_t tag) {
  return request(Opcode::nop_out, tag, true).set(field::target_transfer_tag, wire::kReservedTag);
}

Pdu Dialogue::good(std::uint32_t tag, std::uint32_t data_ins) {
  return response(Opcode::scsi_response, tag).set(field::exp_data_sn, data_ins);
}

void check(std::span<const Tale> tales) {
  for (const Tale& tale : tales) {
    Dialogue dialogue;
    tale.tell(dialogue);
    const std::string broken = dialogue.broken();
    BOOST_TEST(broken == tale.broken,
               tale.about << ": expected \"" << tale.broken << "\", got \"" << broken << "\"");
  }
}

std::string rules_in(std::span<const Tale> tales) {
  std::string names;
  for (const Tale& tale : tales) names += std::string(" ") + tale.broken;
  return names;
}

std::string Dialogue::broken() {
  const auto report = judge_capture(scribe.file());
  return report ? broken_rules(*report) : "no capture";
}

}  // namespace tsih::judge::testing
