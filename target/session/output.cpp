#include "target/session/output.h"

#include <utility>

namespace tsihd::session {
namespace {

/// Appends a piece to a gather list, less what of it has gone already.
bool append(std::span<const std::byte> piece, std::size_t& skip_bytes, std::span<iovec> out,
            std::size_t& used) {
  if (skip_bytes >= piece.size()) {
    skip_bytes -= piece.size();
    return true;
  }
  if (used == out.size()) return false;
  piece = piece.subspan(skip_bytes);
  skip_bytes = 0;
  out[used++] = {const_cast<std::byte*>(piece.data()), piece.size()};
  return true;
}

}  // namespace

OutputQueue::OutputQueue() : slots_(16) {}

void OutputQueue::push_raw(std::vector<std::byte>&& bytes) {
  if (bytes.empty()) return;
  Slot& slot = next_slot();
  slot.raw = true;
  slot.owned = std::move(bytes);
  slot.data = slot.owned;
  slot.task = nullptr;
  bytes_ += slot.data.size();
}

std::size_t OutputQueue::gather(std::span<iovec> out) const {
  std::size_t used = 0;
  std::size_t skip_bytes = front_sent_bytes_;
  for (std::size_t i = 0; i < count_; ++i) {
    const Slot& slot = slots_[(head_ + i) & (slots_.size() - 1)];
    if (!slot.raw && !append(slot.frame.head(), skip_bytes, out, used)) break;
    if (!append(slot.data, skip_bytes, out, used)) break;
    if (!slot.raw && !append(slot.frame.tail(), skip_bytes, out, used)) break;
  }
  return used;
}

OutputQueue::Slot& OutputQueue::next_slot() {
  if (count_ == slots_.size()) grow();
  Slot& slot = slots_[(head_ + count_) & (slots_.size() - 1)];
  slot.raw = false;
  ++count_;
  return slot;
}

void OutputQueue::pop() {
  Slot& slot = front();
  if (slot.owned.capacity() > kKeepOwnedBytes) slot.owned = {};
  ++head_;
  --count_;
}

void OutputQueue::grow() {
  std::vector<Slot> larger(slots_.size() * 2);
  for (std::size_t i = 0; i < count_; ++i)
    larger[i] = std::move(slots_[(head_ + i) & (slots_.size() - 1)]);
  slots_ = std::move(larger);  // what a slot owns stays where it is: vectors move their memory
  head_ = 0;
}

}  // namespace tsihd::session
