// The operations of PROTOCOL.md: one request's arguments in, its result out.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "harness/lab/lab.h"

namespace tsih::lab {

/// Throws Failure; the request may still hold `id` and `op`.
using Operation = std::function<boost::asio::awaitable<nlohmann::json>(Lab&, nlohmann::json)>;

/// All that act on guests, links, disks and captures, by name. Those that act on the conversation
/// itself (lab.keep, lab.shutdown) are control's.
const std::map<std::string, Operation>& operations();

}  // namespace tsih::lab
