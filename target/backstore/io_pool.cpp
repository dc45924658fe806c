#include "target/backstore/io_pool.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace tsihd::backstore {
namespace {

/// Appends a chain that is linked already.
void append(Io*& head, Io*& tail, Io* first, Io* last) {
  (head == nullptr ? head : tail->next) = first;
  tail = last;
}

Io* last_of(Io* chain) {
  while (chain->next != nullptr) chain = chain->next;
  return chain;
}

/// The kernel must not deliver the program's signals to a thread of the pool.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

struct IoPool::Shared {
  Shared(int fd, unsigned thread_limit) : event_fd(fd), max_threads(thread_limit) {}

  const int event_fd;
  unsigned max_threads;
  std::mutex mutex;
  std::condition_variable work;
  IoLane* ready_head = nullptr;
  IoLane* ready_tail = nullptr;
  Io* done_head = nullptr;
  Io* done_tail = nullptr;
  bool signalled = false;  ///< event_fd has been written since the last drain
  bool stopping = false;
  unsigned idle = 0;
  std::vector<std::thread> threads;

  void make_ready(IoLane& lane) {
    if (lane.ready || lane.head == nullptr || lane.running >= lane.max_running) return;
    lane.ready = true;
    lane.next_ready = nullptr;
    (ready_head == nullptr ? ready_head : ready_tail->next_ready) = &lane;
    ready_tail = &lane;
  }

  IoLane& pop_ready() {
    IoLane& lane = *ready_head;
    ready_head = lane.next_ready;
    lane.ready = false;
    return lane;
  }

  static Io* take_batch(IoLane& lane) {
    Io* first = lane.head;
    Io* last = first;
    for (unsigned taken = 1; taken < lane.max_batch && last->next != nullptr; ++taken)
      last = last->next;
    lane.head = std::exchange(last->next, nullptr);
    return first;
  }

  /// Under the lock: one more thread for what is ready. The thread that is woken wakes the next.
  void wake_one() {
    if (ready_head == nullptr) return;
    if (idle > 0)
      work.notify_one();
    else if (threads.size() < max_threads)
      start_thread();
  }

  /// False when the system has no thread to give; those that exist carry on.
  bool start_thread() {
    SignalsBlocked blocked;
    try {
      threads.emplace_back([this] { serve(); });
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  void serve() {
    std::unique_lock lock(mutex);
    for (;;) {
      while (ready_head == nullptr && !stopping) {
        ++idle;
        work.wait(lock);
        --idle;
      }
      if (stopping) return;
      IoLane& lane = pop_ready();
      Io* batch = take_batch(lane);
      ++lane.running;
      make_ready(lane);
      wake_one();
      lock.unlock();
      lane.run(lane.context, batch);
      Io* last = last_of(batch);
      lock.lock();
      append(done_head, done_tail, batch, last);
      --lane.running;
      make_ready(lane);
      if (!std::exchange(signalled, true)) signal();
    }
  }

  void signal() const {
    const std::uint64_t one = 1;
    // Cannot fail: the counter is far from its limit, for drain() empties it.
    [[maybe_unused]] const ssize_t written = ::write(event_fd, &one, sizeof one);
  }
};

Result<std::unique_ptr<IoPool>> IoPool::create(unsigned threads, IoEngine engine) {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0)
    return fail(fmt::format("I/O pool: eventfd: {}; raise the limit of open files (ulimit -n)",
                            std::strerror(errno)));
  auto shared = std::make_unique<Shared>(fd, std::clamp(threads, 1u, kMaxThreads));
  shared->threads.reserve(kMaxThreads);
  std::unique_ptr<IoPool> pool(new IoPool(std::move(shared)));
  // The first starts now: with none at all requests would wait for ever.
  if (!pool->shared_->start_thread())
    return fail("I/O pool: cannot start a thread; raise the limit of processes (ulimit -u)");
  if (engine == IoEngine::threads) return pool;
  auto ring = Ring::create(fd);
  if (!ring && engine == IoEngine::uring)
    return fail(
        fmt::format("I/O engine: {}; --io-engine auto goes on without it", ring.error().message));
  if (ring)
    pool->ring_ = std::move(*ring);
  else
    pool->why_no_ring_ = ring.error().message;
  return pool;
}

IoPool::IoPool(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}

IoPool::~IoPool() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
  }
  shared_->work.notify_all();
  for (std::thread& thread : shared_->threads) thread.join();
  ::close(shared_->event_fd);
}

int IoPool::wake_fd() const { return shared_->event_fd; }

std::uint64_t IoPool::outstanding() const { return outstanding_; }

std::string IoPool::description() const {
  const std::string threads = fmt::format("threads({})", shared_->max_threads);
  if (ring_ != nullptr) return fmt::format("io_uring({})+{}", Ring::kDepth, threads);
  return why_no_ring_.empty() ? threads : fmt::format("{} ({})", threads, why_no_ring_);
}

void IoPool::allow_threads(unsigned more) {
  std::lock_guard lock(shared_->mutex);
  shared_->max_threads = std::min(shared_->max_threads + more, kMaxThreads);
}

void IoPool::complete_inline(Io& io, std::uint64_t worked_bytes) {
  worked_bytes_ += worked_bytes;
  if (worked_bytes_ < kSliceBytes) return io.done(io);
  worked_bytes_ = 0;
  io.next = nullptr;
  append(later_head_, later_tail_, &io, &io);
  ++outstanding_;
  shared_->signal();
}

bool IoPool::submit_to_ring(IoLane& again, Io& io, const RingRequest& how) {
  if (ring_ == nullptr || !ring_->submit(again, io, how)) return false;
  ++outstanding_;
  return true;
}

void IoPool::submit(IoLane& lane, Io& io) {
  ++outstanding_;
  enqueue(lane, io);
}

void IoPool::enqueue(IoLane& lane, Io& io) {
  io.next = nullptr;
  if (lane.pending_head == nullptr) {
    lane.next_pending = pending_lanes_;
    pending_lanes_ = &lane;
  }
  append(lane.pending_head, lane.pending_tail, &io, &io);
}

void IoPool::flush_submissions() {
  if (ring_ != nullptr) ring_->flush();
  if (pending_lanes_ == nullptr) return;
  std::lock_guard lock(shared_->mutex);
  while (pending_lanes_ != nullptr) {
    IoLane& lane = *std::exchange(pending_lanes_, pending_lanes_->next_pending);
    append(lane.head, lane.tail, std::exchange(lane.pending_head, nullptr), lane.pending_tail);
    shared_->make_ready(lane);
  }
  shared_->wake_one();
}

unsigned IoPool::drain() {
  std::uint64_t counter = 0;
  // EAGAIN: called without need, which is harmless.
  [[maybe_unused]] const ssize_t got = ::read(shared_->event_fd, &counter, sizeof counter);
  Io* done = nullptr;
  {
    std::lock_guard lock(shared_->mutex);
    done = std::exchange(shared_->done_head, nullptr);
    shared_->signalled = false;
  }
  unsigned completed = complete(std::exchange(later_head_, nullptr));
  completed += complete(done);
  completed += drain_ring();
  flush_submissions();
  return completed;
}

unsigned IoPool::complete(Io* chain) {
  unsigned completed = 0;
  while (chain != nullptr) {
    Io& io = *std::exchange(chain, chain->next);
    --outstanding_;
    ++completed;
    io.done(io);
  }
  return completed;
}

/// What completes while its own completions are looked at waits for the next turn: the loop's other
/// sources must not starve.
unsigned IoPool::drain_ring() {
  unsigned completed = 0;
  IoLane* again = nullptr;
  for (unsigned i = 0; ring_ != nullptr && i < Ring::kDepth; ++i) {
    Io* io = ring_->take_completed(again);
    if (io == nullptr) break;
    if (again != nullptr) {
      enqueue(*again, *io);
      continue;
    }
    --outstanding_;
    ++completed;
    io->done(*io);
  }
  return completed;
}

void IoPool::wait_idle() {
  flush_submissions();
  while (outstanding_ > 0) {
    constexpr int kTryAgainMs = 10;
    const bool held_back = ring_ != nullptr && ring_->holds_back();
    pollfd wake{shared_->event_fd, POLLIN, 0};
    ::poll(&wake, 1, held_back ? kTryAgainMs : -1);
    drain();
  }
}

}  // namespace tsihd::backstore
