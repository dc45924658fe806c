// engine_bench PATH [SECONDS]: io_uring against the thread pool, in one run: random reads of 4 KiB
// past the page cache, 32 at a time, in batches as an event loop submits them, the engines in
// turns. PATH is a block device or a file on a filesystem with O_DIRECT; it is only read.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <random>
#include <vector>

#include "target/backstore/file_disk.h"

namespace {

using namespace tsihd::backstore;

constexpr std::size_t kDepth = 32;
constexpr std::size_t kBytes = 4096;
constexpr int kRounds = 5;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Figures {
  double ios = 0;
  double seconds = 0;
  double cpu_seconds = 0;
};

class Reader {
 public:
  Reader(IoEngine engine, const char* path)
      : pool_(IoPool::create(IoPool::kDefaultThreads, engine)) {
    if (!pool_) throw std::runtime_error(pool_.error().message);
    Fd fd(::open(path, O_RDONLY | O_DIRECT | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0)
      throw std::runtime_error(fmt::format("{}: cannot open with O_DIRECT", path));
    FileDiskOptions options{.type = "block",
                            .path = path,
                            .block_device = S_ISBLK(info.st_mode),
                            .direct = true,
                            .geometry = {}};
    options.geometry.size_bytes = size_of(fd.get(), options.block_device, path, kBytes).value();
    blocks_ = options.geometry.size_bytes / kBytes;
    auto files = open_for_each_lane(std::move(fd), options.direct, path).value();
    disk_ = std::make_unique<FileDisk>(**pool_, std::move(files), std::move(options));
    memory_ = static_cast<std::byte*>(std::aligned_alloc(kBytes, kBytes * kDepth));
  }
  ~Reader() {
    (*pool_)->wait_idle();
    std::free(memory_);
  }

  void run(double seconds, Figures& into) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const double cpu_before = cpu_seconds();
    completed_ = 0;
    stopping_ = false;
    for (std::size_t i = 0; i < kDepth; ++i) start(ios_[i], i);
    (*pool_)->flush_submissions();
    while (Clock::now() - begin < std::chrono::duration<double>(seconds)) {
      pollfd wake{(*pool_)->wake_fd(), POLLIN, 0};
      ::poll(&wake, 1, -1);
      (*pool_)->drain();
    }
    stopping_ = true;
    (*pool_)->wait_idle();
    into.ios += static_cast<double>(completed_);
    into.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    into.cpu_seconds += cpu_seconds() - cpu_before;
  }

 private:
  void start(Io& io, std::size_t index) {
    io.op = Op::read;
    io.offset_bytes = random_() % blocks_ * kBytes;
    io.data = {memory_ + index * kBytes, kBytes};
    io.owner = this;
    io.done = [](Io& it) { static_cast<Reader*>(it.owner)->next(it); };
    disk_->submit(io);
  }
  void next(Io& io) {
    if (io.error != 0) throw std::runtime_error("a read failed");
    ++completed_;
    if (!stopping_) start(io, static_cast<std::size_t>(&io - ios_.data()));
  }

  tsihd::Result<std::unique_ptr<IoPool>> pool_;
  std::unique_ptr<FileDisk> disk_;
  std::byte* memory_ = nullptr;
  std::uint64_t blocks_ = 0;
  std::uint64_t completed_ = 0;
  bool stopping_ = false;
  std::mt19937_64 random_{1};
  std::array<Io, kDepth> ios_;
};

void print(const char* name, const Figures& figures) {
  fmt::print("{:8} {:9.0f} reads/s {:7.2f} us CPU each\n", name, figures.ios / figures.seconds,
             1e6 * figures.cpu_seconds / figures.ios);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) return fmt::print(stderr, "usage: engine_bench PATH [SECONDS]\n"), 2;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 10;
  Figures uring, threads;
  Reader by_uring(IoEngine::uring, argv[1]);
  Reader by_threads(IoEngine::threads, argv[1]);
  for (int round = 0; round < kRounds; ++round) {
    by_uring.run(seconds / kRounds / 2, uring);
    by_threads.run(seconds / kRounds / 2, threads);
  }
  print("uring", uring);
  print("threads", threads);
  fmt::print("uring/threads: rate {:.2f}, CPU {:.2f}\n",
             uring.ios / uring.seconds / (threads.ios / threads.seconds),
             uring.cpu_seconds / uring.ios / (threads.cpu_seconds / threads.ios));
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "engine_bench: {}\n", error.what());
  return 1;
}
