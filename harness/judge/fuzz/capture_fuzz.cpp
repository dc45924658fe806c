// The judge over any bytes: a capture that is cut, foreign or made to hurt ends in a verdict.
//
// Input: a capture file, pcap or pcapng.
#include <cstdio>
#include <cstdlib>

#include "harness/judge/judge.h"

namespace {

void require(bool held, const char* property) {
  if (held) return;
  std::fprintf(stderr, "broken property: %s\n", property);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto report = tsih::judge::judge_capture({data, size});
  if (!report) {
    require(!report.error().empty(), "what is no capture is refused in words");
    return 0;
  }
  require(report->frames <= size, "no more frames than bytes");
  require(report->pdus * 48 <= size * 2, "no more PDUs than headers fit");
  for (const auto& parties : report->tallies)
    for (const auto& tally : parties) {
      require(tally.first_breaches.size() <= tsih::judge::kLimitKeptBreaches,
              "the breaches kept are bounded");
      require(tally.broken_by_7143 <= tally.broken, "what breaks RFC 7143 is counted once");
      for (const auto& breach : tally.first_breaches)
        require(!breach.words.empty() && breach.frame <= report->frames, "a breach has its place");
    }
  return 0;
}
