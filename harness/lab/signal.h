// Something that coroutines wait for: woken when it has happened, or when their time is up.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

namespace tsih::lab {

/// Keeps no state: the waiter looks again at what it waits for. For one thread.
class Signal {
 public:
  explicit Signal(const boost::asio::any_io_executor& executor) : executor_(executor) {}

  void notify() {
    for (auto* alarm : waiting_) alarm->cancel();
  }

  boost::asio::awaitable<void> wait_until(std::chrono::steady_clock::time_point until) {
    boost::asio::steady_timer alarm(executor_, until);
    waiting_.insert(&alarm);
    boost::system::error_code ignored;
    co_await alarm.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    waiting_.erase(&alarm);
  }

 private:
  boost::asio::any_io_executor executor_;
  std::set<boost::asio::steady_timer*> waiting_;
};

}  // namespace tsih::lab
