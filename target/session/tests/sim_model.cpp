#include "target/session/tests/sim_model.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "target/session/tests/sim_trace.h"

namespace tsihd::session::sim {

void fill_block(std::span<std::byte> block, std::uint64_t stamp, std::uint64_t lba) {
  if (stamp == 0) {
    std::ranges::fill(block, std::byte{0});
    return;
  }
  std::uint64_t word = stamp;
  for (std::size_t at = 0; at < block.size(); at += sizeof(word)) {
    std::memcpy(&block[at], &word, std::min(sizeof(word), block.size() - at));
    word = (word ^ (lba << 40) ^ at) * 0x9e3779b97f4a7c15;
  }
}

DiskModel::DiskModel(std::uint32_t blocks) : history_(blocks, {Value{}}) {}

DiskModel::Value& DiskModel::find(std::uint64_t stamp, std::uint32_t lba) {
  return *std::ranges::find(history_[lba], stamp, &Value::stamp);
}

void DiskModel::write_issued(std::uint64_t stamp, std::uint32_t lba, std::uint32_t blocks) {
  ++moment_;
  for (std::uint32_t i = 0; i < blocks; ++i)
    history_[lba + i].push_back({.stamp = stamp, .issued = moment_, .ended = kNever});
}

void DiskModel::write_succeeded(std::uint64_t stamp, std::uint32_t lba, std::uint32_t blocks) {
  ++moment_;
  for (std::uint32_t i = 0; i < blocks; ++i) {
    Value& written = find(stamp, lba + i);
    written.ended = moment_;
    for (Value& other : history_[lba + i])
      if (other.ended <= written.issued) other.until = std::min(other.until, moment_);
  }
}

void DiskModel::write_uncertain(std::uint64_t stamp, std::uint32_t lba, std::uint32_t blocks) {
  ++moment_;
  for (std::uint32_t i = 0; i < blocks; ++i) find(stamp, lba + i).ended = moment_;
}

void DiskModel::write_refused(std::uint64_t stamp, std::uint32_t lba, std::uint32_t blocks) {
  for (std::uint32_t i = 0; i < blocks; ++i)
    std::erase_if(history_[lba + i], [&](const Value& value) { return value.stamp == stamp; });
}

void DiskModel::check_read(std::uint64_t issued, std::uint32_t lba,
                           std::span<const std::byte> data) const {
  for (; !data.empty(); ++lba) {
    const auto block = data.first(std::min<std::size_t>(kBlockBytes, data.size()));
    data = data.subspan(block.size());
    std::uint64_t stamp = 0;
    if (block.size() < sizeof(stamp)) return;  // too little of it to tell
    std::memcpy(&stamp, block.data(), sizeof(stamp));
    const auto& values = history_[lba];
    const auto at = std::ranges::find_if(
        values, [&](const Value& value) { return value.stamp == stamp && value.until > issued; });
    if (at == values.end()) {
      const bool known = std::ranges::find(values, stamp, &Value::stamp) != values.end();
      std::string allowed;
      for (const Value& value : values)
        if (value.until > issued) allowed += fmt::format(" {}", value.stamp);
      fail("block {} holds {} {:#x}, allowed are the writes{}", lba,
           known ? "the overwritten write" : "what was never written there:", stamp, allowed);
    }
    std::array<std::byte, kBlockBytes> expected;
    fill_block(expected, stamp, lba);
    if (std::memcmp(expected.data(), block.data(), block.size()) != 0)
      fail("block {} is torn: it begins as write {} and goes on as another", lba, stamp);
  }
}

void DiskModel::forget_before(std::uint64_t oldest) {
  for (auto& values : history_)
    std::erase_if(values, [&](const Value& value) { return value.until <= oldest; });
}

}  // namespace tsihd::session::sim
