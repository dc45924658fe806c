#include "target/session/tests/sim_line.h"

#include "target/wire/serial.h"

namespace tsihd::session::sim {

bool StatusNumbers::has(std::uint32_t stat_sn) const {
  return wire::serial_less(stat_sn, expected_) || taken_.contains(stat_sn);
}

StatusNumbers::Verdict StatusNumbers::take(std::uint32_t stat_sn) {
  if (has(stat_sn)) return Verdict::repeated;
  const bool in_order = missing(stat_sn).length == 0;
  taken_.insert(stat_sn);
  return in_order ? Verdict::in_order : Verdict::early;
}

std::uint32_t StatusNumbers::expected() {
  while (taken_.contains(expected_) && !held_.contains(expected_)) taken_.erase(expected_++);
  return expected_;
}

Run StatusNumbers::missing(std::uint32_t next) const {
  std::uint32_t first = expected_;
  while (wire::serial_less(first, next) && has(first)) ++first;
  std::uint32_t end = first;
  while (wire::serial_less(end, next) && !has(end)) ++end;
  return {first, end - first};
}

}  // namespace tsihd::session::sim
