// pscsi: commands go to a real SCSI device as they are, on threads of the I/O pool.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

#include "target/backstore/open.h"
#include "target/backstore/scsi_device.h"

namespace tsihd::backstore {
namespace {

/// Commands that are with the device at a time; each waits on a thread of its own.
constexpr unsigned kCommandsAtOnce = 8;

/// A disk that has not answered by then does not; tapes and changers move things about.
constexpr unsigned kDiskTimeoutMs = 60'000;
constexpr unsigned kOtherTimeoutMs = 600'000;
/// Without IMMED these take as long as the medium is large.
constexpr unsigned kLongTimeoutMs = 6u * 3600 * 1000;
constexpr std::array<std::uint8_t, 3> kLongCommands{0x04, 0x1d, 0x48};  // FORMAT UNIT, SEND
                                                                        // DIAGNOSTIC, SANITIZE

/// Optional commands with data for the device that do nothing where all but the opcode is zero, for
/// that means by SBC-4 and SPC-4 no blocks (COMPARE AND WRITE, ORWRITE, WRITE ATOMIC), no parameter
/// list (EXTENDED COPY), or a service action that is reserved (SANITIZE).
constexpr std::array<std::uint8_t, 5> kHarmlessAllZero{0x48, 0x83, 0x89, 0x8b, 0x9c};

constexpr std::uint8_t kIllegalRequest = 0x05;
constexpr unsigned kInvalidOpcode = 0x2000;
constexpr std::uint8_t kUnitAttention = 0x06;
constexpr unsigned kCapacityDataHasChanged = 0x2a09;

/// SPC-4 7.3.1: the peripheral device types that have logical blocks.
bool has_blocks(std::uint8_t device_type) {
  constexpr std::array<std::uint8_t, 5> kTypes{0x00, 0x05, 0x07, 0x0e, 0x14};
  return std::ranges::find(kTypes, device_type) != kTypes.end();
}

std::uint64_t big_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::byte it : bytes) value = value << 8 | static_cast<std::uint8_t>(it);
  return value;
}

/// One question of our own. Unit attentions, which a device may have several of after a reset, are
/// taken out of the way.
struct Asked {
  int error = 0;
  ScsiExchange exchange;
  bool good() const { return error == 0 && exchange.status == 0; }
};
Asked ask(ScsiDevice& device, std::initializer_list<std::uint8_t> cdb, std::span<std::byte> data) {
  constexpr int kAttempts = 8;
  Asked asked;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    asked.exchange = ScsiExchange{};
    std::ranges::copy(cdb, asked.exchange.cdb.begin());
    asked.exchange.cdb_bytes = static_cast<std::uint8_t>(cdb.size());
    asked.exchange.direction = ScsiExchange::Direction::from_device;
    std::ranges::fill(data, std::byte{0});
    asked.error = device.execute(asked.exchange, data, kDiskTimeoutMs);
    const auto sense = sense_code(asked.exchange);
    if (asked.error != 0 || !sense || sense->key != kUnitAttention) break;
  }
  return asked;
}

struct Capacity {
  std::uint64_t size_bytes = 0;
  std::uint32_t block_size_bytes = 512;
};

/// Nothing when there is no medium, or the device does not say.
std::optional<Capacity> read_capacity(ScsiDevice& device) {
  std::array<std::byte, 32> data{};
  Asked asked = ask(device, {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, std::span(data).first(8));
  if (!asked.good() || asked.exchange.transferred_bytes < 8) return std::nullopt;
  std::uint64_t last = big_endian(std::span(data).first(4));
  std::uint64_t block = big_endian(std::span(data).subspan(4, 4));
  if (last == UINT32_MAX) {
    asked = ask(device, {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0}, data);
    if (!asked.good() || asked.exchange.transferred_bytes < 12) return std::nullopt;
    last = big_endian(std::span(data).first(8));
    block = big_endian(std::span(data).subspan(8, 4));
  }
  if (block == 0 || block > 65536 || last >= UINT64_MAX / block) return std::nullopt;
  return Capacity{(last + 1) * block, static_cast<std::uint32_t>(block)};
}

class PscsiDisk final : public Backstore {
 public:
  PscsiDisk(IoPool& pool, std::unique_ptr<ScsiDevice> device, std::string name,
            std::uint8_t device_type, const Geometry& geometry)
      : pool_(pool),
        device_(std::move(device)),
        name_(std::move(name)),
        has_blocks_(has_blocks(device_type)),
        geometry_(geometry),
        seen_size_bytes_(geometry.size_bytes),
        lane_(run, this, kCommandsAtOnce, 1) {
    pool_.allow_threads(kCommandsAtOnce);
  }

  std::string_view type() const override { return "pscsi"; }
  const Geometry& geometry() const override { return geometry_; }

  void submit(Io& io) override {
    io.error = io.op == Op::scsi ? 0 : EOPNOTSUPP;
    if (io.error != 0) return io.done(io);
    pool_.submit(lane_, io);
  }
  void flush_submissions() override { pool_.flush_submissions(); }

  /// The device is not asked each time: it says by a unit attention when its size has changed.
  Result<bool> refresh_size() override {
    const std::uint64_t seen = seen_size_bytes_;
    if (seen == geometry_.size_bytes) return false;
    geometry_.size_bytes = seen;
    return true;
  }

  Result<void> resize(std::uint64_t) override {
    return fail(fmt::format(
        "{}: a SCSI device is resized where it is made; it tells its users of a new size itself",
        name_));
  }

 private:
  // On threads of the pool.
  static void run(void* self, Io* batch) {
    for (Io* io = batch; io != nullptr; io = io->next) static_cast<PscsiDisk*>(self)->execute(*io);
  }

  void execute(Io& io) {
    io.error = device_->execute(*io.scsi, io.data, timeout_ms(io.scsi->cdb[0]));
    if (io.error == EIO) ask_whether_it_has(io);
    const auto sense = sense_code(*io.scsi);
    if (io.error != 0 || !sense || sense->key != kUnitAttention) return;
    if (sense->code != kCapacityDataHasChanged) return;
    if (const auto capacity = read_capacity(*device_)) seen_size_bytes_ = capacity->size_bytes;
  }

  /// An adapter that does not know a command may take its data to go the other way, and fail it
  /// before the device has seen it (virtio-scsi does). A device that has no such command says so.
  void ask_whether_it_has(Io& io) {
    const std::uint8_t opcode = io.scsi->cdb[0];
    if (std::ranges::find(kHarmlessAllZero, opcode) == kHarmlessAllZero.end()) return;
    ScsiExchange question;
    question.cdb[0] = opcode;
    question.cdb_bytes = io.scsi->cdb_bytes;
    if (device_->execute(question, {}, kDiskTimeoutMs) != 0) return;
    const auto sense = sense_code(question);
    if (!sense || sense->key != kIllegalRequest || sense->code != kInvalidOpcode) return;
    io.error = 0;
    io.scsi->status = question.status;
    io.scsi->sense = question.sense;
    io.scsi->sense_bytes = question.sense_bytes;
    io.scsi->transferred_bytes = 0;
  }

  unsigned timeout_ms(std::uint8_t opcode) const {
    if (std::ranges::find(kLongCommands, opcode) != kLongCommands.end()) return kLongTimeoutMs;
    return has_blocks_ ? kDiskTimeoutMs : kOtherTimeoutMs;
  }

  IoPool& pool_;
  const std::unique_ptr<ScsiDevice> device_;
  const std::string name_;
  const bool has_blocks_;
  Geometry geometry_;
  std::atomic<std::uint64_t> seen_size_bytes_;
  IoLane lane_;
};

}  // namespace

Result<std::unique_ptr<Backstore>> open_pscsi(IoPool& pool, std::unique_ptr<ScsiDevice> device,
                                              const PscsiOptions& options) {
  std::array<std::byte, 36> inquiry{};
  const Asked asked = ask(*device, {0x12, 0, 0, 0, inquiry.size(), 0}, inquiry);
  if (!asked.good())
    return fail(fmt::format("{}: the device does not answer INQUIRY: {}", options.device,
                            asked.error != 0
                                ? std::strerror(asked.error)
                                : fmt::format("status {:02x}h", asked.exchange.status)));
  const auto first = static_cast<std::uint8_t>(inquiry[0]);
  if (first >> 5 != 0)
    return fail(fmt::format("{}: no device is connected there (INQUIRY byte 0 is {:02x}h)",
                            options.device, first));
  const std::uint8_t device_type = first & 0x1f;
  Geometry geometry;
  geometry.takes_scsi_commands = true;
  geometry.takes_reservations = options.takes_reservations;
  geometry.read_only = options.read_only;
  constexpr std::byte kProtect{0x01};
  geometry.has_protection = (inquiry[5] & kProtect) != std::byte{0};
  geometry.max_transfer_bytes = device->max_transfer_bytes();
  if (has_blocks(device_type)) {
    const Capacity capacity = read_capacity(*device).value_or(Capacity{});
    geometry.size_bytes = capacity.size_bytes;
    geometry.block_size_bytes = geometry.physical_block_bytes = capacity.block_size_bytes;
  }
  return std::make_unique<PscsiDisk>(pool, std::move(device), options.device, device_type,
                                     geometry);
}

Result<std::unique_ptr<Backstore>> open_pscsi(IoPool& pool, const PscsiOptions& options) {
  auto opened = open_scsi_device(options.device, options.read_only);
  if (!opened) return std::unexpected(opened.error());
  PscsiOptions as_found = options;
  as_found.read_only = opened->read_only;
  return open_pscsi(pool, std::move(opened->device), as_found);
}

}  // namespace tsihd::backstore
