// A SCSI device that answers as a test says: what stands behind a pscsi disk in unit tests.
#pragma once

#include <algorithm>
#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "target/backstore/scsi_device.h"

namespace tsihd::backstore::test {

/// What a device was asked, and what it says to each opcode. Shared with the test, for the disk
/// owns the device. The answers run on the pool's threads.
struct Script {
  using Cdb = std::array<std::uint8_t, 32>;
  using Answer = std::function<int(ScsiExchange&, std::span<std::byte>)>;

  std::mutex mutex;
  std::vector<Cdb> seen;
  std::vector<std::size_t> data_bytes;
  std::map<std::uint8_t, Answer> answers;  ///< GOOD, all data moved, where there is none
  std::condition_variable changed;
  bool holding = false;  ///< no command ends until release()

  std::vector<Cdb> seen_of(std::uint8_t opcode) {
    const std::lock_guard lock(mutex);
    std::vector<Cdb> found;
    std::ranges::copy_if(seen, std::back_inserter(found),
                         [&](const Cdb& it) { return it[0] == opcode; });
    return found;
  }
  void await(std::uint8_t opcode) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] {
      return std::ranges::any_of(seen, [&](const Cdb& it) { return it[0] == opcode; });
    });
  }
  void release() {
    const std::lock_guard lock(mutex);
    holding = false;
    changed.notify_all();
  }
};

inline void check_condition(ScsiExchange& exchange, std::uint8_t key, unsigned code) {
  exchange.status = 0x02;
  exchange.sense = {};
  exchange.sense[0] = std::byte{0x70};
  exchange.sense[2] = std::byte{key};
  exchange.sense[7] = std::byte{10};
  exchange.sense[12] = static_cast<std::byte>(code >> 8);
  exchange.sense[13] = static_cast<std::byte>(code);
  exchange.sense_bytes = 18;
}

inline void put(std::span<std::byte> data, std::initializer_list<unsigned> bytes) {
  std::size_t at = 0;
  for (unsigned it : bytes)
    if (at < data.size()) data[at++] = static_cast<std::byte>(it);
}

class ScriptedDevice final : public ScsiDevice {
 public:
  static constexpr std::uint32_t kMaxTransferBytes = 256u << 10;
  static constexpr std::uint32_t kBlocks = 2048;

  explicit ScriptedDevice(std::shared_ptr<Script> script) : script_(std::move(script)) {
    script_->answers.try_emplace(0x12, [](ScsiExchange&, std::span<std::byte> data) {
      put(data, {0x00, 0x00, 0x06, 0x02, 31});
      return 0;
    });
    script_->answers.try_emplace(0x25, [](ScsiExchange&, std::span<std::byte> data) {
      put(data, {0, 0, (kBlocks - 1) >> 8, (kBlocks - 1) & 0xff, 0, 0, 2, 0});
      return 0;
    });
  }
  int execute(ScsiExchange& exchange, std::span<std::byte> data, unsigned) override {
    Script::Answer answer;
    {
      std::unique_lock lock(script_->mutex);
      script_->seen.push_back(exchange.cdb);
      script_->data_bytes.push_back(data.size());
      script_->changed.notify_all();
      script_->changed.wait(lock, [&] { return !script_->holding; });
      if (const auto it = script_->answers.find(exchange.cdb[0]); it != script_->answers.end())
        answer = it->second;
    }
    exchange.transferred_bytes = static_cast<std::uint32_t>(data.size());
    return answer ? answer(exchange, data) : 0;
  }
  std::uint32_t max_transfer_bytes() const override { return kMaxTransferBytes; }

 private:
  const std::shared_ptr<Script> script_;
};

}  // namespace tsihd::backstore::test
