// How a person gets into a lab that runs: one request, or a shell in a guest.
#pragma once

#include <string>

namespace tsih::lab {

/// Sends `request` (a JSON object; its id is ours) to the lab of `run_dir`, prints the reply. 0 if
/// it is ok, 1 if not. Throws Failure("host") when no lab answers there.
int call_lab(const std::string& run_dir, const std::string& request);

/// Joins this terminal with a guest's console until Ctrl-] or the guest's end.
int open_console(const std::string& run_dir, const std::string& guest);

}  // namespace tsih::lab
