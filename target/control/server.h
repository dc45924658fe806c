// The control socket: listens on a Unix path, on the pump's own event loop.
#pragma once

#include <memory>
#include <string>

#include "target/base/result.h"
#include "target/control/commands.h"

namespace boost::asio {
class io_context;
}

namespace tsihd::control {

class Server {
 public:
  /// `io` and what `subject` names outlive the server.
  Server(boost::asio::io_context& io, Subject subject);
  ~Server();  ///< closes every client and removes the socket's file
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds `path` with mode 0600. A socket file that nobody listens on any more is replaced; one
  /// that is served is refused, as is a file that is no socket.
  Result<void> listen(const std::string& path);
  const std::string& path() const;
  /// Accepts no more and closes every client, so that the loop can come to its end.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// True when something listens on the socket `path`.
bool is_served(const std::string& path);

}  // namespace tsihd::control
