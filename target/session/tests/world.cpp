#include "target/session/tests/world.h"

namespace tsihd::session::test {
namespace {

constexpr std::uint32_t kBlockBytes = 512;

void no_random(std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{0x5a}); }

Inventory one_target(HeldDisk*& disk) {
  auto backing = std::make_unique<HeldDisk>(1 << 20);
  disk = backing.get();
  auto group = std::make_unique<PortalGroup>();
  group->attributes.generate_node_acls = true;
  group->attributes.demo_mode_write_protect = false;
  group->portals.push_back({"192.0.2.100", 3260});
  group->offered.initial_r2t = false;
  group->luns.entries[0] = {
      std::make_shared<scsi::LogicalUnit>(scsi::Identity{.name = "disk", .serial = "0001"},
                                          std::move(backing), Log()),
      false};
  auto target = std::make_unique<TargetNode>();
  target->name = kTarget;
  target->portal_groups.push_back(std::move(group));
  Inventory inventory;
  inventory.targets.push_back(std::move(target));
  return inventory;
}

}  // namespace

Bytes pattern(std::size_t bytes, unsigned seed) {
  Bytes data(bytes);
  for (std::size_t i = 0; i < bytes; ++i)
    data[i] = static_cast<std::byte>(seed * 31 + i * 7 + i / 251);
  return data;
}

World::World(Limits limits) {
  Log sink([this](Severity, std::string_view line) { log.emplace_back(line); });
  service = std::make_unique<Service>(one_target(disk), limits, sink, no_random);
  service->advance(Instant(std::chrono::hours(1)));
}

World::~World() {
  disk->complete_all();
  settle();
  BOOST_TEST(service->connections().empty());
  for (const auto& session : service->registry().sessions())
    if (session->state() == Session::State::active) session->end("the test is over");
  service->end_batch();
  BOOST_TEST(service->registry().sessions().empty());  // nothing leaks, whatever the test did
  BOOST_TEST(service->data_bytes() == 0u);
}

void World::settle() {
  while (service->end_batch())
    while (Connection* connection = service->take_ready())
      static_cast<Peer*>(connection->pump)->flush();
}

void World::pass(milliseconds time) {
  const Instant until = service->now() + time;
  while (service->next_deadline() <= until) {
    service->advance(std::max(service->next_deadline(), service->now()));
    service->tick();
    settle();
  }
  service->advance(until);
}

std::size_t World::lines_with(std::string_view text) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      log, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

Peer::Peer(World& the_world, std::string address, std::uint16_t port)
    : world(the_world),
      connection(world.service->accept({"192.0.2.100", 3260, std::move(address), port})) {
  reader_.set_max_data_segment_bytes(1 << 20);
  if (connection)
    connection->pump = this;
  else
    closed = true;
}

Peer::~Peer() { vanish("the test is over"); }

void Peer::vanish(std::string_view why) {
  if (!connection) return;
  connection->disconnected(why);
  connection.reset();
  closed = true;
  world.settle();
}

void Peer::ask_login(const LoginWish& wish) {
  std::string text = "InitiatorName=" + wish.name + '\0';
  if (wish.discovery)
    text += std::string("SessionType=Discovery") + '\0';
  else
    text += std::string("SessionType=Normal") + '\0' + "TargetName=" + kTarget + '\0';
  text += wish.keys;
  wire::LoginRequestBhs bhs;
  bhs.flags = wire::LoginFlags::kTransit |
              wire::LoginFlags::stages(wire::Stage::operational, wire::Stage::full_feature);
  bhs.isid = wish.isid;
  bhs.tsih = wish.tsih;
  bhs.cid = wish.cid;
  bhs.cmd_sn = cmd_sn;
  bhs.initiator_task_tag = 1u;
  send(bhs, std::as_bytes(std::span(text)));
}

void Peer::login(const LoginWish& wish) {
  ask_login(wish);
  BOOST_REQUIRE_MESSAGE(logged_in_, "login refused with status " << status_);
}

void Peer::send_bytes(std::span<const std::byte> bytes) {
  while (!bytes.empty() && connection) {
    const auto piece = bytes.first(std::min(piece_bytes, bytes.size()));
    bytes = bytes.subspan(piece.size());
    // As the pump reads: what the connection has room for at once, then the rest.
    const std::span<std::byte> space = connection->receive_space();
    const std::size_t direct = std::min(space.size(), piece.size());
    if (direct > 0) std::memcpy(space.data(), piece.data(), direct);
    Bytes rest(piece.begin() + static_cast<std::ptrdiff_t>(direct), piece.end());
    connection->received(direct, rest);
    world.settle();
  }
}

void Peer::flush() {
  if (!connection) return;
  if (reads) {
    std::array<iovec, 64> pieces;
    while (connection->has_output()) {
      const std::size_t used = connection->gather(pieces);
      if (used == 0) break;
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < used; ++i) {
        const auto* base = static_cast<const std::byte*>(pieces[i].iov_base);
        wire_.insert(wire_.end(), base, base + pieces[i].iov_len);
        bytes += pieces[i].iov_len;
      }
      connection->sent(bytes);
    }
  }
  if (connection->wants_close()) {
    was_reset = connection->wants_reset();
    connection->disconnected("");
    connection.reset();
    closed = true;
  }
  Bytes bytes = std::exchange(wire_, {});
  reader_.feed(bytes);
  wire::Pdu pdu;
  wire::PduReader::Event event;
  while ((event = reader_.next(pdu)) == wire::PduReader::Event::pdu) take(pdu);
  BOOST_TEST((event == wire::PduReader::Event::need_more));
}

void Peer::take(const wire::Pdu& pdu) {
  BOOST_TEST(pdu.data_digest_ok);
  const auto& bhs = pdu.as<wire::ResponseBhs>();
  if (pdu.opcode() == wire::Opcode::login_response) {
    const auto& login = pdu.as<wire::LoginResponseBhs>();
    status_ = static_cast<std::uint16_t>(login.status_class << 8 | login.status_detail);
    logged_in_ = status_ == 0;
    tsih_ = login.tsih;
    exp_stat_sn = login.stat_sn + 1;
    exp_cmd_sn = login.exp_cmd_sn;
    max_cmd_sn = login.max_cmd_sn;
    const std::string text(reinterpret_cast<const char*>(pdu.data.data()), pdu.data.size());
    digests.header = text.find("HeaderDigest=CRC32C") != std::string::npos;
    digests.data = text.find("DataDigest=CRC32C") != std::string::npos;
    reader_.set_digests(digests);
    return;
  }
  if (lose > 0) {
    --lose;
    return;
  }
  exp_cmd_sn = bhs.exp_cmd_sn;
  max_cmd_sn = bhs.max_cmd_sn;
  const bool numbered =
      pdu.opcode() == wire::Opcode::scsi_response ||
      (pdu.opcode() == wire::Opcode::data_in && bhs.has(wire::DataInBhs::kStatus)) ||
      pdu.opcode() == wire::Opcode::task_management_response ||
      pdu.opcode() == wire::Opcode::text_response || pdu.opcode() == wire::Opcode::reject ||
      pdu.opcode() == wire::Opcode::logout_response ||
      pdu.opcode() == wire::Opcode::async_message ||
      (pdu.opcode() == wire::Opcode::nop_in && bhs.initiator_task_tag != wire::kReservedTag);
  if (numbered) {
    // None is left out, none comes twice (3.2.2.2).
    if (!recovers) BOOST_TEST(bhs.stat_sn == exp_stat_sn);
    if (acknowledges && bhs.stat_sn == exp_stat_sn) ++exp_stat_sn;
  }
  Received received;
  std::memcpy(received.header.data(), pdu.header.data(), wire::kBhsBytes);
  received.data.assign(pdu.data.begin(), pdu.data.end());
  if (answers_pings && pdu.opcode() == wire::Opcode::nop_in &&
      received.as<wire::NopInBhs>().target_transfer_tag != wire::kReservedTag) {
    wire::NopOutBhs out;
    out.opcode_byte |= wire::kImmediateBit;
    out.initiator_task_tag = wire::kReservedTag;
    out.target_transfer_tag = received.as<wire::NopInBhs>().target_transfer_tag;
    out.cmd_sn = cmd_sn;
    out.exp_stat_sn = exp_stat_sn;
    Bytes bytes;
    wire::append_pdu(bytes, out, {}, digests);
    if (connection) connection->received(0, bytes);
    return;
  }
  inbox_.push_back(std::move(received));
}

std::optional<Received> Peer::next() {
  world.settle();
  if (inbox_.empty()) return std::nullopt;
  Received received = std::move(inbox_.front());
  inbox_.pop_front();
  return received;
}

void Peer::expect_reject(wire::RejectReason reason) {
  const Received received = expect<wire::RejectBhs>(wire::Opcode::reject);
  BOOST_TEST(received.as<wire::RejectBhs>().reason() == static_cast<std::uint8_t>(reason));
  BOOST_TEST(received.data.size() >= wire::kBhsBytes);  // the header of the bad PDU (10.17.4)
}

wire::ScsiCommandBhs Peer::command(std::uint8_t opcode, std::uint32_t blocks, std::uint32_t lba) {
  wire::ScsiCommandBhs bhs;
  bhs.flags = wire::kFinalBit | 1;  // simple
  bhs.initiator_task_tag = next_tag++;
  bhs.cmd_sn = cmd_sn++;
  bhs.exp_stat_sn = exp_stat_sn;
  bhs.cdb[0] = opcode;
  for (int i = 0; i < 4; ++i) bhs.cdb[2 + i] = static_cast<std::uint8_t>(lba >> (24 - 8 * i));
  bhs.cdb[7] = static_cast<std::uint8_t>(blocks >> 8);
  bhs.cdb[8] = static_cast<std::uint8_t>(blocks);
  return bhs;
}

std::uint32_t Peer::read(std::uint32_t blocks, std::uint32_t lba) {
  auto bhs = command(0x28, blocks, lba);
  bhs.flags |= wire::ScsiCommandBhs::kRead;
  bhs.expected_data_transfer_bytes = blocks * kBlockBytes;
  send(bhs);
  return bhs.initiator_task_tag;
}

std::uint32_t Peer::write(std::uint32_t blocks, std::span<const std::byte> immediate, bool final,
                          std::uint32_t lba) {
  auto bhs = command(0x2a, blocks, lba);
  bhs.flags |= wire::ScsiCommandBhs::kWrite;
  if (!final) bhs.flags &= static_cast<std::uint8_t>(~wire::kFinalBit);
  bhs.expected_data_transfer_bytes = blocks * kBlockBytes;
  send(bhs, immediate);
  return bhs.initiator_task_tag;
}

std::uint32_t Peer::ping(std::span<const std::byte> data) {
  wire::NopOutBhs bhs;
  bhs.initiator_task_tag = next_tag++;
  bhs.cmd_sn = cmd_sn++;
  bhs.exp_stat_sn = exp_stat_sn;
  send(bhs, data);
  return bhs.initiator_task_tag;
}

std::uint32_t Peer::manage(TaskFunction function, std::uint32_t referenced,
                           std::uint32_t ref_cmd_sn, bool immediate) {
  wire::TaskManagementRequestBhs bhs;
  if (immediate) bhs.opcode_byte |= wire::kImmediateBit;
  bhs.flags = wire::kFinalBit | static_cast<std::uint8_t>(function);
  bhs.initiator_task_tag = next_tag++;
  bhs.referenced_task_tag = referenced;
  bhs.ref_cmd_sn = ref_cmd_sn;
  bhs.cmd_sn = immediate ? cmd_sn : cmd_sn++;
  bhs.exp_stat_sn = exp_stat_sn;
  send(bhs);
  return bhs.initiator_task_tag;
}

std::uint32_t Peer::log_out(std::uint8_t reason, std::uint16_t cid) {
  wire::LogoutRequestBhs bhs;
  bhs.opcode_byte |= wire::kImmediateBit;
  bhs.flags = static_cast<std::uint8_t>(wire::kFinalBit | reason);
  bhs.initiator_task_tag = next_tag++;
  bhs.cid = cid;
  bhs.cmd_sn = cmd_sn;
  bhs.exp_stat_sn = exp_stat_sn;
  send(bhs);
  return bhs.initiator_task_tag;
}

void Peer::data_out(std::uint32_t tag, std::uint32_t transfer_tag, std::uint32_t data_sn,
                    std::uint32_t offset, std::span<const std::byte> data, bool final) {
  wire::DataOutBhs bhs;
  if (final) bhs.flags = wire::kFinalBit;
  bhs.initiator_task_tag = tag;
  bhs.target_transfer_tag = transfer_tag;
  bhs.data_sn = data_sn;
  bhs.buffer_offset_bytes = offset;
  bhs.exp_stat_sn = exp_stat_sn;
  send(bhs, data);
}

void Peer::answer(const Received& r2t, std::span<const std::byte> whole) {
  const auto& bhs = r2t.as<wire::R2tBhs>();
  data_out(bhs.initiator_task_tag, bhs.target_transfer_tag, 0, bhs.buffer_offset_bytes,
           whole.subspan(bhs.buffer_offset_bytes, bhs.desired_data_transfer_bytes), true);
}

void Peer::expect_good(std::uint32_t tag) {
  const Received received = expect<wire::ScsiResponseBhs>(wire::Opcode::scsi_response);
  const auto& bhs = received.as<wire::ScsiResponseBhs>();
  BOOST_TEST(bhs.initiator_task_tag == tag);
  BOOST_TEST(bhs.response() == 0);
  BOOST_TEST(bhs.status() == 0);
}

void Peer::expect_condition(std::uint32_t tag, unsigned asc_ascq) {
  const Received received = expect<wire::ScsiResponseBhs>(wire::Opcode::scsi_response);
  const auto& bhs = received.as<wire::ScsiResponseBhs>();
  BOOST_TEST(bhs.initiator_task_tag == tag);
  BOOST_TEST(bhs.status() == 2);
  BOOST_REQUIRE(received.data.size() >= 2 + 14);
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(received.data[2 + i]); };
  BOOST_TEST((byte(2) & 0xf) == 0xbu);
  BOOST_TEST((byte(12) << 8 | byte(13)) == asc_ascq);
}

void Peer::test_ready() {
  auto bhs = command(0x00, 0);
  send(bhs);
  (void)expect<wire::ScsiResponseBhs>(wire::Opcode::scsi_response);
}

}  // namespace tsihd::session::test
