// The simulator's source of chance: one seed, the same sequence on every machine and library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tsihd::session::sim {

/// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  /// 0 to `bound` - 1.
  std::uint32_t below(std::size_t bound) { return static_cast<std::uint32_t>(next() % bound); }
  /// Both ends included.
  std::uint32_t between(std::uint32_t low, std::uint32_t high) {
    return low + below(std::size_t{high} - low + 1);
  }
  bool chance(std::uint32_t per_mille) { return below(1000) < per_mille; }
  bool coin() { return (next() & 1) != 0; }
  template <class T, std::size_t N>
  T pick(const std::array<T, N>& choices) {
    return choices[below(N)];
  }
  /// A sequence of its own: what one part draws does not shift what another part gets.
  Random fork() { return Random(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace tsihd::session::sim
