// io_uring, for what the kernel carries out without a thread of ours: many requests in one system
// call, completions by the I/O pool's eventfd. The pool owns it (IoPool), and threads stand in for
// it wherever it cannot or will not do a request.
#pragma once

#include <cstdint>
#include <memory>

#include "target/backstore/backstore.h"
#include "target/base/result.h"

namespace tsihd::backstore {

struct IoLane;

/// How a request is put to the kernel.
struct RingRequest {
  enum class Kind : std::uint8_t { read, write, sync };
  Kind kind = Kind::read;
  int fd = -1;
  int flags = 0;  ///< RWF_..., of read and write
};

class Ring {
 public:
  /// Requests that are with the kernel at a time.
  static constexpr unsigned kDepth = 256;

  /// Sets one up and tries it: containers often forbid io_uring (EPERM, ENOSYS), and old kernels
  /// lack the operations. Fails with what was tried and what came.
  static Result<std::unique_ptr<Ring>> create(int event_fd);
  virtual ~Ring() = default;

  /// True when it is taken, and starts with flush(). False when kDepth requests are out.
  virtual bool submit(IoLane& again, Io& io, const RingRequest& how) = 0;
  /// Starts what was submitted.
  virtual void flush() = 0;
  /// True while something submitted has not been started.
  virtual bool holds_back() const = 0;
  /// Next completed request, or null: io->error is set. `again` is set when the kernel did a part
  /// of it only, or wants to be asked another way: then the lane carries out the whole.
  virtual Io* take_completed(IoLane*& again) = 0;
};

}  // namespace tsihd::backstore
