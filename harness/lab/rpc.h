// One JSON-lines conversation with a program that answers by id: QEMU's monitor (QMP) and the guest
// agent speak the same shape. Many calls may be under way at once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace tsih::lab {

class Rpc {
 public:
  using Json = nlohmann::json;
  /// Lines that answer no call: QMP's greeting and events.
  using OnEvent = std::function<void(const Json&)>;

  /// Takes over the connected socket `descriptor`. `peer` names the other end in errors; `code` is
  /// the Failure code of its refusals ("qemu", "agent").
  Rpc(const boost::asio::any_io_executor& executor, int descriptor, std::string peer,
      std::string code, OnEvent on_event);
  ~Rpc();
  Rpc(const Rpc&) = delete;
  Rpc& operator=(const Rpc&) = delete;

  /// Sends {"execute": command, "arguments": ...} and gives what came as "return".
  /// Throws Failure: `code` if the peer refused or spoke nonsense, "guest_gone" if it closed,
  /// "timeout" if no answer came (a late one is dropped).
  boost::asio::awaitable<Json> call(std::string command, Json arguments,
                                    std::chrono::milliseconds timeout);

  /// Every call under way fails with "guest_gone", and every later one.
  void close(const std::string& reason);
  bool open() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tsih::lab
