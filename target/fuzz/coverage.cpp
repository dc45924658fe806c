// Joins gcc's coverage to libFuzzer. gcc calls __sanitizer_cov_trace_pc() at every edge; libFuzzer
// of today counts clang's inline counters instead, and besides them whatever lies in the section
// __libfuzzer_extra_counters. So each edge counts in a table there, at the hash of its address. The
// linker's --wrap puts this function before libFuzzer's own, which only says that it is obsolete.
#include <cstdint>

namespace {

// Each run clears and reads the whole table. At some 20,000 edges of the largest program one in
// seven shares its counter with another.
constexpr unsigned kTableBits = 17;
__attribute__((section("__libfuzzer_extra_counters"))) std::uint8_t edges[1u << kTableBits];

}  // namespace

extern "C" void __wrap___sanitizer_cov_trace_pc() {
  const auto address = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  constexpr std::uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;
  ++edges[address * kGoldenRatio >> (64 - kTableBits)];
}

// gcc reports comparisons of floating point numbers too; libFuzzer has no use for them.
extern "C" void __sanitizer_cov_trace_cmpf(float, float) {}
extern "C" void __sanitizer_cov_trace_cmpd(double, double) {}
