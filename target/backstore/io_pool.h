// The asynchronous engine behind fileio and block: what would block the event loop goes to io_uring
// where the kernel lets us, or runs on a bounded pool of threads, and comes back to the loop in
// batches through one eventfd.
#pragma once

#include <cstdint>
#include <memory>

#include "target/backstore/backstore.h"
#include "target/backstore/ring.h"
#include "target/base/result.h"

namespace tsihd::backstore {

/// A queue of requests of one kind at one disk. The pool runs at most `max_running` batches of a
/// lane at once: one where the kernel would serialise them anyway (buffered writes of one file),
/// more where parallel requests pay (reads that miss the page cache).
struct IoLane {
  /// Carries out a batch, a list linked by Io::next, on a thread of the pool: sets Io::error of
  /// each. Must keep the links as they are.
  using Run = void (*)(void* context, Io* batch);

  IoLane(Run run_batch, void* run_context, unsigned max_running_batches, unsigned max_batch_ios)
      : run(run_batch),
        context(run_context),
        max_running(max_running_batches),
        max_batch(max_batch_ios) {}
  IoLane(const IoLane&) = delete;
  IoLane& operator=(const IoLane&) = delete;

  const Run run;
  void* const context;
  const unsigned max_running;
  const unsigned max_batch;

 private:
  friend class IoPool;
  // The loop thread's: submitted, not yet handed over.
  Io* pending_head = nullptr;
  Io* pending_tail = nullptr;
  IoLane* next_pending = nullptr;
  // Under the pool's lock.
  Io* head = nullptr;
  Io* tail = nullptr;
  unsigned running = 0;
  bool ready = false;
  IoLane* next_ready = nullptr;
};

/// `automatic`: io_uring where it works, found out by using it; threads elsewhere.
enum class IoEngine : std::uint8_t { automatic, uring, threads };

/// One per process (or per event loop). All members are called on the event loop's thread. It
/// outlives every backstore opened with it.
///
/// What the loop owes it:
/// - watch wake_fd() for reading and call drain() when it is readable;
/// - call flush_submissions() at the end of every batch of work that may have submitted requests
///   (after each pump of a connection, after a timer). A request stays put until then: that is what
///   makes one lock and at most one wake-up carry a whole batch. drain() flushes by itself.
class IoPool {
 public:
  static constexpr unsigned kDefaultThreads = 8;
  static constexpr unsigned kMaxThreads = 64;

  /// Starts one thread; others come as work does, up to `threads` (1..kMaxThreads). Fails when the
  /// process is out of file descriptors or threads, and with IoEngine::uring when that is not to be
  /// had.
  static Result<std::unique_ptr<IoPool>> create(unsigned threads = kDefaultThreads,
                                                IoEngine engine = IoEngine::automatic);
  /// Waits for what is running; no `done` is called any more. Call wait_idle() first.
  ~IoPool();
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  /// An eventfd, readable while completions wait.
  int wake_fd() const;
  /// Calls `done` for everything that has completed, then flushes what that submitted. Returns how
  /// many completed. Never blocks.
  unsigned drain();
  /// Starts what was submitted since the last call.
  void flush_submissions();
  /// Blocks until nothing is outstanding, calling `done` for each. For the end of the process.
  void wait_idle();
  /// Requests submitted whose `done` has not been called.
  std::uint64_t outstanding() const;
  /// What the engine is, for the log: "io_uring(256)+threads(8)", "threads(8)"; where io_uring was
  /// wanted in vain, followed by why.
  std::string description() const;

  /// Room for `more` threads, kMaxThreads in all at the most: for a backstore whose requests can
  /// hold theirs for long, so that they do not hold up the others.
  void allow_threads(unsigned more);
  /// For backstores: completes a request that was carried out on the loop's thread. After a
  /// millisecond's worth of such work (kSliceBytes) that happens in the loop's next turn, so that
  /// others have theirs between the parts of a long command.
  void complete_inline(Io& io, std::uint64_t worked_bytes);
  /// For backstores: puts a request to io_uring; false when there is none or it is full, and the
  /// request is the caller's again. `again` is whose threads carry out the whole when the kernel
  /// did only a part of it.
  bool submit_to_ring(IoLane& again, Io& io, const RingRequest& how);
  /// For backstores: queues one request.
  void submit(IoLane& lane, Io& io);

 private:
  static constexpr std::uint64_t kSliceBytes = 4u << 20;
  struct Shared;
  explicit IoPool(std::unique_ptr<Shared> shared);
  void enqueue(IoLane& lane, Io& io);
  unsigned drain_ring();
  unsigned complete(Io* chain);

  std::unique_ptr<Shared> shared_;
  std::unique_ptr<Ring> ring_;
  std::string why_no_ring_;
  IoLane* pending_lanes_ = nullptr;
  Io* later_head_ = nullptr;
  Io* later_tail_ = nullptr;
  std::uint64_t worked_bytes_ = 0;  ///< on the loop's thread since the last slice
  std::uint64_t outstanding_ = 0;
};

}  // namespace tsihd::backstore
