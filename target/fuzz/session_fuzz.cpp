// A whole session layer; session_play.h says what a script can do and what must hold.
// TSIH_FUZZ_TRACE=1 in the environment prints the service's log, for the replay of a crash.
#include <cstdlib>

#include "target/fuzz/session_play.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  static const bool trace = std::getenv("TSIH_FUZZ_TRACE") != nullptr;
  tsihd::fuzz::Script script(data, bytes);
  tsihd::fuzz::SessionPlay(script, trace).run();
  return 0;
}
