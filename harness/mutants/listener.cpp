#include "harness/mutants/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace tsih::mutants {

Listener::Listener(std::function<void(int)> serve, const std::string& address)
    : serve_(std::move(serve)) {
  const bool v6 = address.find(':') != std::string::npos;
  fd_ = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage storage{};
  socklen_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  storage.ss_family = v6 ? AF_INET6 : AF_INET;
  void* where = v6 ? static_cast<void*>(&reinterpret_cast<sockaddr_in6&>(storage).sin6_addr)
                   : static_cast<void*>(&reinterpret_cast<sockaddr_in&>(storage).sin_addr);
  inet_pton(storage.ss_family, address.c_str(), where);
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  if (fd_ < 0 || bind(fd_, generic, size) != 0 || listen(fd_, 64) != 0)
    throw std::runtime_error("cannot listen on " + address);
  getsockname(fd_, generic, &size);
  port_ = ntohs(v6 ? reinterpret_cast<sockaddr_in6&>(storage).sin6_port
                   : reinterpret_cast<sockaddr_in&>(storage).sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

void Listener::accept_loop() {
  while (true) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 || stopping_) {
      if (fd >= 0) close(fd);
      return;
    }
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd] {
      serve_(fd);
      const std::lock_guard inner(mutex_);
      std::erase(open_, fd);
      close(fd);
    });
  }
}

Listener::~Listener() {
  stopping_ = true;
  shutdown(fd_, SHUT_RDWR);
  acceptor_.join();
  close(fd_);
  {
    const std::lock_guard lock(mutex_);
    for (int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace tsih::mutants
