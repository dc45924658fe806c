#include "target/session/tests/sim_line.h"

#include "target/wire/serial.h"

namespace tsihd::session::sim {

StatusNumbers::Verdict StatusNumbers::take(std::uint32_t stat_sn) {
  if (wire::serial_less(stat_sn, expected_) || early_.contains(stat_sn)) return Verdict::repeated;
  if (stat_sn != expected_) {
    early_.insert(stat_sn);
    return Verdict::early;
  }
  ++expected_;
  while (early_.erase(expected_) > 0) ++expected_;
  return Verdict::in_order;
}

bool StatusNumbers::all_before(std::uint32_t stat_sn) const {
  for (std::uint32_t at = expected_; wire::serial_less(at, stat_sn); ++at)
    if (!early_.contains(at)) return false;
  return true;
}

Run StatusNumbers::missing(std::uint32_t next) const {
  std::uint32_t end = expected_;
  while (wire::serial_less(end, next) && !early_.contains(end)) ++end;
  return {expected_, end - expected_};
}

}  // namespace tsihd::session::sim
