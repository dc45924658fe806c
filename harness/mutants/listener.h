// A tiny TCP server of the tests: every connection goes to one function on a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tsih::mutants {

class Listener {
 public:
  /// Listens on this loopback address, any free port. `serve` gets a connected socket, which is
  /// closed when it returns; it has to return soon after the other side closed or after stopping()
  /// turned true.
  Listener(std::function<void(int fd)> serve, const std::string& address = "127.0.0.1");
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  std::uint16_t port() const { return port_; }
  bool stopping() const { return stopping_; }

 private:
  void accept_loop();

  std::function<void(int)> serve_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace tsih::mutants
