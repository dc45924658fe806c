// What the tests of full feature phase stand on: a service on a virtual clock with one target, a
// disk whose completions the test gives out by hand, and initiators that can say anything.
//
// Nothing here waits: bytes go from object to object, time moves when a test says so.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "target/backstore/open.h"
#include "target/session/connection.h"
#include "target/session/guard.h"
#include "target/session/registry.h"
#include "target/session/service.h"
#include "target/session/session.h"
#include "target/wire/reader.h"
#include "target/wire/writer.h"

namespace tsihd::session::test {

using Bytes = std::vector<std::byte>;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr char kTarget[] = "iqn.2026-11.org.example:disk";
inline constexpr char kInitiator[] = "iqn.2026-11.org.example:machine";

Bytes pattern(std::size_t bytes, unsigned seed = 1);

/// A ramdisk that, while `holding`, keeps its requests until the test completes them.
class HeldDisk final : public backstore::Backstore {
 public:
  explicit HeldDisk(std::uint64_t size_bytes)
      : memory_(backstore::open_ramdisk({.size_bytes = size_bytes}).value()) {}
  std::string_view type() const override { return "held"; }
  const backstore::Geometry& geometry() const override { return memory_->geometry(); }
  void submit(backstore::Io& io) override {
    if (io.op == backstore::Op::write) ++writes;
    if (holding)
      held.push_back(&io);
    else
      memory_->submit(io);
  }
  Result<bool> refresh_size() override { return false; }
  Result<void> resize(std::uint64_t size_bytes) override { return memory_->resize(size_bytes); }
  void complete_all() {
    while (!held.empty()) {
      backstore::Io* io = held.front();
      held.pop_front();
      memory_->submit(*io);
    }
  }

  bool holding = false;
  unsigned writes = 0;
  std::deque<backstore::Io*> held;

 private:
  std::unique_ptr<backstore::Backstore> memory_;
};

class Peer;

/// The target's side.
class World {
 public:
  explicit World(Limits limits = {});
  ~World();

  /// Lets everything happen that can happen now: ready connections say what they have to say.
  void settle();
  void pass(milliseconds time);
  PortalGroup& group() { return *service->inventory().targets.front()->portal_groups.front(); }
  std::size_t lines_with(std::string_view text) const;

  std::vector<std::string> log;
  HeldDisk* disk = nullptr;  ///< LUN 0, 1 MiB
  std::unique_ptr<Service> service;
};

/// A PDU that a peer received, with bytes of its own.
struct Received {
  std::array<std::byte, wire::kBhsBytes> header;
  Bytes data;
  wire::Opcode opcode() const { return as<wire::GenericBhs>().opcode(); }
  template <wire::Bhs T>
  const T& as() const {
    return *reinterpret_cast<const T*>(header.data());
  }
};

struct LoginWish {
  std::string name = kInitiator;
  std::array<std::uint8_t, 6> isid{0x00, 0x02, 0x3d, 0, 0, 1};
  std::uint16_t tsih = 0;
  std::uint16_t cid = 1;
  bool discovery = false;
  std::string keys{};  ///< more keys, each ended by a NUL
};

/// An initiator on one connection.
class Peer {
 public:
  explicit Peer(World& world, std::string address = "192.0.2.1", std::uint16_t port = 40000);
  ~Peer();

  /// Sends the whole login in one PDU and looks at the answer, if there is one now.
  void ask_login(const LoginWish& wish = {});
  /// ... and wants it granted.
  void login(const LoginWish& wish = {});
  bool logged_in() const { return logged_in_; }
  std::uint16_t status() const { return status_; }
  std::uint16_t tsih() const { return tsih_; }

  template <wire::Bhs T>
  void send(const T& bhs, std::span<const std::byte> data = {}) {
    Bytes bytes;
    wire::append_pdu(bytes, bhs, data, digests);
    send_bytes(bytes);
  }
  /// In pieces of `piece_bytes`, each its own read.
  void send_bytes(std::span<const std::byte> bytes);

  /// The next PDU that came, or nothing.
  std::optional<Received> next();
  /// The next PDU must be of this kind.
  template <wire::Bhs T>
  Received expect(wire::Opcode opcode) {
    auto received = next();
    BOOST_REQUIRE(received.has_value());
    BOOST_REQUIRE_EQUAL(static_cast<int>(received->opcode()), static_cast<int>(opcode));
    return *received;
  }
  void expect_silence() { BOOST_TEST(!next().has_value()); }
  void expect_reject(wire::RejectReason reason);

  // -- requests with the numbers of this peer; they return the Initiator Task Tag
  wire::ScsiCommandBhs command(std::uint8_t opcode, std::uint32_t blocks, std::uint32_t lba = 0);
  std::uint32_t read(std::uint32_t blocks, std::uint32_t lba = 0);
  std::uint32_t write(std::uint32_t blocks, std::span<const std::byte> immediate = {},
                      bool final = true, std::uint32_t lba = 0);
  std::uint32_t ping(std::span<const std::byte> data = {});
  std::uint32_t manage(TaskFunction function, std::uint32_t referenced = wire::kReservedTag,
                       std::uint32_t ref_cmd_sn = 0, bool immediate = true);
  std::uint32_t log_out(std::uint8_t reason = 0, std::uint16_t cid = 1);
  void data_out(std::uint32_t tag, std::uint32_t transfer_tag, std::uint32_t data_sn,
                std::uint32_t offset, std::span<const std::byte> data, bool final);
  /// Answers an R2T with one Data-Out.
  void answer(const Received& r2t, std::span<const std::byte> whole);
  /// The next PDU is good status for this task.
  void expect_good(std::uint32_t tag);
  /// ... is CHECK CONDITION with ABORTED COMMAND and this ASC and ASCQ.
  void expect_condition(std::uint32_t tag, unsigned asc_ascq);
  /// Commands go through: a ready unit attention is taken off by this.
  void test_ready();

  void flush();
  /// The socket breaks.
  void vanish(std::string_view why = "reset");

  World& world;
  std::unique_ptr<Connection> connection;
  bool closed = false;
  bool was_reset = false;  ///< ... and what it had not read yet is gone
  bool reads = true;       ///< false: takes nothing from its socket
  bool answers_pings = false;
  unsigned lose = 0;      ///< so many of the next PDUs to come are lost
  bool recovers = false;  ///< takes numbered responses out of turn, as after a loss
  bool acknowledges = true;
  std::size_t piece_bytes = 1 << 20;
  wire::Digests digests;
  std::uint32_t cmd_sn = 1;
  std::uint32_t exp_stat_sn = 0;
  std::uint32_t max_cmd_sn = 0;
  std::uint32_t exp_cmd_sn = 0;
  std::uint32_t next_tag = 0x100;

 private:
  void take(const wire::Pdu& pdu);

  bool logged_in_ = false;
  std::uint16_t status_ = 0xffff;
  std::uint16_t tsih_ = 0;
  Bytes wire_;
  wire::PduReader reader_;
  std::deque<Received> inbox_;
};

}  // namespace tsihd::session::test
