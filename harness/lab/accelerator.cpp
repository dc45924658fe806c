#include "harness/lab/accelerator.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "harness/lab/failure.h"
#include "harness/lab/run.h"

namespace tsih::lab {
namespace asio = boost::asio;

namespace {

/// A kernel under KVM says its first words within a fraction of a second.
constexpr std::chrono::milliseconds probe_timeout{3000};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Boots the kernel without a root: it panics for want of one, and that ends QEMU.
asio::awaitable<AcceleratorVerdict> try_kvm(asio::any_io_executor executor, std::string image,
                                            std::string directory) {
  const auto serial = directory + "/kvm-probe.serial";
  Launch launch;
  launch.argv = {"qemu-system-x86_64",
                 "-nodefaults",
                 "-no-user-config",
                 "-no-reboot",
                 "-display",
                 "none",
                 "-accel",
                 "kvm",
                 "-cpu",
                 "host",
                 "-machine",
                 "pc",
                 "-m",
                 "128M",
                 "-kernel",
                 image + "/vmlinuz",
                 "-append",
                 "console=ttyS0 panic=-1",
                 "-serial",
                 "file:" + serial};
  launch.directory = directory;
  launch.log = directory + "/kvm-probe.log";
  const auto started = std::chrono::steady_clock::now();
  const auto ended = co_await run_to_end(executor, launch, probe_timeout);
  const auto took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                           std::chrono::steady_clock::now() - started)
                           .count();
  const bool kernel_ran = contents(serial).find("Kernel panic") != std::string::npos;
  if (ended && kernel_ran)
    co_return AcceleratorVerdict{Accelerator::kvm,
                                 fmt::format("a kernel ran under KVM in {} ms", took_ms)};
  if (!ended)
    co_return AcceleratorVerdict{
        Accelerator::tcg,
        fmt::format("/dev/kvm opens, but a kernel had not run after {} ms", probe_timeout.count())};
  auto words = contents(launch.log);
  words = words.substr(0, words.find('\n'));
  co_return AcceleratorVerdict{Accelerator::tcg, fmt::format("QEMU refuses KVM: {}", words)};
}

/// Verdicts are kept beside the image, and hold for this boot of the host.
class Memory {
 public:
  explicit Memory(const std::string& image) : path_(image + "/accelerator") {
    key_ = contents("/proc/sys/kernel/random/boot_id");
    key_ = key_.substr(0, key_.find('\n'));
  }
  std::optional<AcceleratorVerdict> recall() const {
    std::ifstream file(path_);
    std::string key, name, reason;
    if (!std::getline(file, key) || !std::getline(file, name) || !std::getline(file, reason) ||
        key != key_)
      return std::nullopt;
    return AcceleratorVerdict{name == "kvm" ? Accelerator::kvm : Accelerator::tcg, reason};
  }
  void keep(const AcceleratorVerdict& verdict) const {
    const auto draft = fmt::format("{}.{}", path_, ::getpid());
    std::ofstream(draft) << key_ << "\n"
                         << (verdict.accelerator == Accelerator::kvm ? "kvm" : "tcg") << "\n"
                         << verdict.reason << "\n";
    // A folder that cannot be written costs a probe each time, nothing else.
    if (std::rename(draft.c_str(), path_.c_str()) != 0) std::remove(draft.c_str());
  }

 private:
  std::string path_;
  std::string key_;
};

}  // namespace

asio::awaitable<AcceleratorVerdict> decide_accelerator(asio::any_io_executor executor,
                                                       std::string wanted, std::string image,
                                                       std::string directory) {
  if (wanted == "tcg") co_return AcceleratorVerdict{Accelerator::tcg, "asked for"};
  if (::access("/dev/kvm", R_OK | W_OK) != 0) {
    if (wanted == "kvm")
      throw Failure(
          "host",
          "KVM was asked for, but /dev/kvm cannot be opened; TSIH_ACCEL=tcg runs without it");
    co_return AcceleratorVerdict{Accelerator::tcg, "/dev/kvm cannot be opened"};
  }
  const Memory memory(image);
  auto verdict = memory.recall();
  if (!verdict) {
    verdict = co_await try_kvm(executor, image, directory);
    memory.keep(*verdict);
  }
  if (wanted == "kvm" && verdict->accelerator != Accelerator::kvm)
    throw Failure("host", fmt::format("KVM was asked for, but {}; TSIH_ACCEL=tcg runs without it",
                                      verdict->reason));
  co_return *verdict;
}

}  // namespace tsih::lab
