// The conversation with drivers: JSON lines in, replies and events out, many requests at a time.
//
// One driver owns the lab's life: when it goes away the guests end, unless the lab is kept. Others
// (a person who looks in) come over DIR/control.sock, and may come and go.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "harness/lab/lab.h"
#include "harness/lab/operations.h"

namespace tsih::lab {

class Control {
 public:
  using OnEnd = std::function<void(const std::string& why)>;

  /// `on_end` is called once, when the lab is to end: lab.shutdown, or its driver went away.
  Control(const boost::asio::any_io_executor& executor, OnEnd on_end);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// The lab that requests are for, and those beyond operations() that a test adds.
  void serve(Lab& lab);
  void keep(bool keep);

  /// The driver: requests from `input`, replies to `output` (the same for a socket).
  void add_driver(int input, int output);
  /// Listens at `path`: for the driver if `owns`, for observers otherwise. Throws Failure("host").
  void listen(const std::string& path, bool owns);

  /// To everybody who is connected.
  void send_event(nlohmann::json event);

  /// Comes back once all that was to be sent is sent, or the time is up.
  boost::asio::awaitable<void> drain(std::chrono::milliseconds timeout);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tsih::lab
