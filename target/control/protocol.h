// The control protocol: JSON lines over a Unix socket of mode 0600. A request is one object with
// `command` and its arguments; the answer is one object with `ok`, and then what was asked for or
// `error`. Requests of one client are answered in order, one at a time.
//
//   {"command":"resize","name":"first","size":"2G"}
//   {"ok":true,"name":"first","size_bytes":2147483648,"changed":true}
//   {"ok":false,"error":"no storage object is named \"frist\"; did you mean \"first\"?"}
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tsihd::control {

/// Limits: what one who may open the socket can make the daemon hold.
inline constexpr std::size_t kMaxRequestBytes = 16u << 10;  ///< one line; longer ends the client
inline constexpr std::size_t kMaxClients = 16;              ///< one more is told so and closed
inline constexpr std::uint32_t kIdleClient_s = 60;          ///< silent for so long: closed

/// Where the socket is unless --control says otherwise: /run/tsihd.sock for root, else
/// $XDG_RUNTIME_DIR/tsihd.sock, else /tmp/tsihd-UID.sock.
std::string default_socket_path();

/// Cuts bytes into lines. Pure: no socket.
class LineReader {
 public:
  enum class State { line, incomplete, too_long };

  void append(std::string_view bytes) { buffer_.append(bytes); }
  /// Takes the next whole line, without its end, into `line`. too_long is final.
  State next(std::string& line);

 private:
  std::string buffer_;
};

}  // namespace tsihd::control
