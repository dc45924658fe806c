// Markers at fixed intervals, where a login agreed to them (RFC 3720 appendix A). Only connections
// whose beginning was seen are read through their markers: places count from it.
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

Ruling markers_point_to_the_pdu(const Moment& m) {
  if (m.seen.markers == 0) return Ruling::aside();
  if (m.seen.marker_problem.empty()) return Ruling::kept();
  return Ruling::broken("markers that point to the next PDU, twice", m.seen.marker_problem);
}

// A digest that is wrong either way is another rule's matter.
Ruling digest_is_without_markers(const Moment& m) {
  if (!m.seen.has_data_digest || !m.seen.markers_in_data) return Ruling::aside();
  if (m.seen.digest_covers_markers)
    return Ruling::broken("a digest of the data alone", "one of the data and its markers");
  return m.pdu.data_digest_ok ? Ruling::kept() : Ruling::aside();
}

constexpr Rule kRules[] = {
    {"markers.point_to_the_pdu",
     {"R3720-A.1-02"},
     Judged::both,
     kEveryOpcode,
     markers_point_to_the_pdu},
    {"markers.not_in_digest",
     {"R3720-AppA-01"},
     Judged::both,
     kEveryOpcode,
     digest_is_without_markers},
};

}  // namespace

std::span<const Rule> marker_rules() { return kRules; }

}  // namespace tsih::judge
