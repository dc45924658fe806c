// Which accelerator guests run on. /dev/kvm proves nothing: it can open, run a BIOS and never start
// a kernel. So `auto` boots one, under a time limit, and remembers the verdict until the next
// reboot.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string>

#include "harness/lab/qemu.h"

namespace tsih::lab {

struct AcceleratorVerdict {
  Accelerator accelerator = Accelerator::tcg;
  std::string reason;
};

/// `wanted` is auto, kvm or tcg; the kernel that is tried is the image's. `directory` takes the
/// attempt's log. Throws Failure("host") if kvm is demanded and does not work.
boost::asio::awaitable<AcceleratorVerdict> decide_accelerator(boost::asio::any_io_executor executor,
                                                              std::string wanted, std::string image,
                                                              std::string directory);

}  // namespace tsih::lab
