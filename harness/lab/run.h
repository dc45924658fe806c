// Runs a program of the host to its end.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "harness/lab/process.h"

namespace tsih::lab {

/// How it ended, in words ("exit status 0"); nothing if it had to be killed at the time limit.
boost::asio::awaitable<std::optional<std::string>> run_to_end(boost::asio::any_io_executor executor,
                                                              Launch launch,
                                                              std::chrono::milliseconds timeout);

}  // namespace tsih::lab
