#include "harness/lab/run.h"

#include "harness/lab/signal.h"

namespace tsih::lab {
namespace asio = boost::asio;

asio::awaitable<std::optional<std::string>> run_to_end(asio::any_io_executor executor,
                                                       Launch launch,
                                                       std::chrono::milliseconds timeout) {
  Signal done(executor);
  std::optional<std::string> ended;
  const Process process(executor, launch, [&](const std::string& how) {
    ended = how;
    done.notify();
  });
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (!ended && std::chrono::steady_clock::now() < until) co_await done.wait_until(until);
  co_return ended;
}

}  // namespace tsih::lab
