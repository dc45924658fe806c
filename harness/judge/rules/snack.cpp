// SNACK requests: tags and runs (RFC 3720 10.16).
#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kSnack = pdus(Opcode::snack_request);
enum Type : unsigned { kDataOrR2t = 0, kStatus = 1, kDataAck = 2, kRData = 3 };

Ruling task_tag_fits(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  if (type == kStatus || type == kDataAck) {
    if (tag == wire::kReservedTag) return Ruling::kept();
    return Ruling::broken("Initiator Task Tag 0xffffffff in a Status SNACK or DataACK", hex(tag));
  }
  return Ruling::aside();
}

Ruling task_tag_is_the_commands(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  if (type != kDataOrR2t && type != kRData) return Ruling::aside();
  if (m.task) return Ruling::kept();
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  if (tag != wire::kReservedTag) return Ruling::unseen();
  return Ruling::broken("the Initiator Task Tag of a command", "0xffffffff");
}

Ruling snack_tag_is_given(const Moment& m) {
  if (m.pdu[field::snack_type] != kRData) return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::snack_tag);
  if (tag != 0 && tag != wire::kReservedTag) return Ruling::kept();
  return Ruling::broken("a SNACK Tag other than 0 and 0xffffffff", hex(tag));
}

Ruling transfer_tag_is_reserved(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  if (type != kDataOrR2t && type != kStatus) return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::target_transfer_tag);
  if (tag == wire::kReservedTag) return Ruling::kept();
  return Ruling::broken("Target Transfer Tag 0xffffffff", hex(tag));
}

Ruling r_data_begins_at_zero(const Moment& m) {
  if (m.pdu[field::snack_type] != kRData) return Ruling::aside();
  return equal("BegRun", 0, m.pdu.u32(field::beg_run));
}

Ruling run_is_zero(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  if (type != kDataAck && type != kRData) return Ruling::aside();
  return equal("RunLength", 0, m.pdu.u32(field::run_length));
}

constexpr Rule kRules[] = {
    {"snack.no_task_tag", {"R3720-10.16.4-01"}, Judged::initiator, kSnack, task_tag_fits},
    {"snack.task_tag", {"R3720-10.16.4-02"}, Judged::initiator, kSnack, task_tag_is_the_commands},
    {"snack.snack_tag", {"R3720-10.16.5-01"}, Judged::initiator, kSnack, snack_tag_is_given},
    {"snack.no_transfer_tag",
     {"R3720-10.16.5-04"},
     Judged::initiator,
     kSnack,
     transfer_tag_is_reserved},
    {"snack.r_data_begin", {"R3720-10.16.6-01"}, Judged::initiator, kSnack, r_data_begins_at_zero},
    {"snack.run_length", {"R3720-10.16.7-01"}, Judged::initiator, kSnack, run_is_zero},
};

}  // namespace

std::span<const Rule> snack_rules() { return kRules; }

}  // namespace tsih::judge
