#include "target/backstore/ring.h"

#include <fmt/format.h>
#include <liburing.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace tsihd::backstore {
namespace {

class KernelRing final : public Ring {
 public:
  KernelRing() {
    for (unsigned i = 0; i < kDepth; ++i) slots_[i].next_free = i + 1;
  }
  ~KernelRing() override {
    if (is_set_up_) ::io_uring_queue_exit(&ring_);
  }

  Result<void> set_up(int event_fd) {
    if (const int error = -::io_uring_queue_init(kDepth, &ring_, 0); error != 0)
      return failed("io_uring_setup", error);
    is_set_up_ = true;
    for (int operation : {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC})
      if (!is_known(operation)) return fail("io_uring: the kernel lacks the operations for files");
    if (auto tried = try_it(); !tried) return tried;
    if (const int error = -::io_uring_register_eventfd(&ring_, event_fd); error != 0)
      return failed("io_uring_register_eventfd", error);
    return {};
  }

  bool submit(IoLane& again, Io& io, const RingRequest& how) override {
    if (first_free_ == kDepth) return false;
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    if (entry == nullptr) return false;  // the kernel has not taken what was put there before
    const unsigned index = first_free_;
    Slot& slot = slots_[index];
    first_free_ = slot.next_free;
    slot = {&io, &again, 0};
    prepare(entry, io, how);
    ::io_uring_sqe_set_data64(entry, index);
    ++held_back_;
    return true;
  }

  /// What the kernel has no memory for now is started with the next batch.
  void flush() override {
    if (held_back_ == 0) return;
    const int started = ::io_uring_submit(&ring_);
    if (started > 0) held_back_ -= static_cast<unsigned>(started);
  }
  bool holds_back() const override { return held_back_ > 0; }

  Io* take_completed(IoLane*& again) override {
    io_uring_cqe* completion = nullptr;
    if (::io_uring_peek_cqe(&ring_, &completion) != 0) return nullptr;
    const auto index = static_cast<unsigned>(::io_uring_cqe_get_data64(completion));
    const int result = completion->res;
    ::io_uring_cqe_seen(&ring_, completion);
    assert(index < kDepth);
    Slot& slot = slots_[index];
    Io& io = *slot.io;
    again = take_result(io, result) ? nullptr : slot.again;
    slot.next_free = first_free_;
    first_free_ = index;
    return &io;
  }

 private:
  struct Slot {
    Io* io = nullptr;
    IoLane* again = nullptr;
    unsigned next_free = 0;
  };

  static std::unexpected<Error> failed(const char* what, int error) {
    return fail(fmt::format("{}: {}", what, std::strerror(error)));
  }

  bool is_known(int operation) {
    io_uring_probe* probe = ::io_uring_get_probe_ring(&ring_);
    const bool known = probe != nullptr && ::io_uring_opcode_supported(probe, operation) != 0;
    ::io_uring_free_probe(probe);
    return known;
  }

  /// Some kernels and sandboxes give a ring and then refuse to be entered.
  Result<void> try_it() {
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    ::io_uring_prep_nop(entry);
    if (const int started = ::io_uring_submit(&ring_); started != 1)
      return failed("io_uring_enter", started < 0 ? -started : EAGAIN);
    io_uring_cqe* completion = nullptr;
    if (const int error = -::io_uring_wait_cqe(&ring_, &completion); error != 0)
      return failed("io_uring_enter", error);
    ::io_uring_cqe_seen(&ring_, completion);
    return {};
  }

  static void prepare(io_uring_sqe* entry, const Io& io, const RingRequest& how) {
    const auto bytes = static_cast<unsigned>(io.data.size());
    switch (how.kind) {
      case RingRequest::Kind::read:
        ::io_uring_prep_read(entry, how.fd, io.data.data(), bytes, io.offset_bytes);
        entry->rw_flags = how.flags;
        return;
      case RingRequest::Kind::write:
        ::io_uring_prep_write(entry, how.fd, io.data.data(), bytes, io.offset_bytes);
        entry->rw_flags = how.flags;
        return;
      case RingRequest::Kind::sync:
        ::io_uring_prep_fsync(entry, how.fd, IORING_FSYNC_DATASYNC);
        return;
    }
  }

  /// False when a thread must carry out the whole. It finds out what "no space" means as well: that
  /// is what a device says that has been pulled out.
  static bool take_result(Io& io, int result) {
    if (result == -EAGAIN || result == -EINTR || result == -ENOSPC) return false;
    if (result < 0) {
      io.error = -result;
      return true;
    }
    if (io.op == Op::flush || static_cast<std::size_t>(result) == io.data.size()) return true;
    return false;
  }

  io_uring ring_{};
  bool is_set_up_ = false;
  unsigned held_back_ = 0;
  std::array<Slot, kDepth> slots_{};
  unsigned first_free_ = 0;
};

}  // namespace

Result<std::unique_ptr<Ring>> Ring::create(int event_fd) {
  auto ring = std::make_unique<KernelRing>();
  if (auto done = ring->set_up(event_fd); !done) return std::unexpected(done.error());
  return ring;
}

}  // namespace tsihd::backstore
