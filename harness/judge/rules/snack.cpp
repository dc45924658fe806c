// SNACK requests: tags, runs, what may be asked for, and when (RFC 3720 10.16, 6.2.2, 6.8).
#include <algorithm>

#include "harness/judge/rules/rules.h"

namespace tsih::judge {
namespace {

constexpr std::uint64_t kSnack = pdus(Opcode::snack_request);

Ruling waits_for_full_feature(const Moment& m) {
  if (m.connection.phase == Phase::unknown) return Ruling::unseen();
  if (m.connection.phase == Phase::full_feature) return Ruling::kept();
  return Ruling::broken("recovery within a connection in full feature phase only",
                        "a SNACK before it");
}

Ruling task_tag_fits(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  if (type == kStatusSnack || type == kDataAck) {
    if (tag == wire::kReservedTag) return Ruling::kept();
    return Ruling::broken("Initiator Task Tag 0xffffffff in a Status SNACK or DataACK", hex(tag));
  }
  return Ruling::aside();
}

Ruling task_tag_is_the_commands(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  if (type != kDataSnack && type != kRDataSnack) return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::initiator_task_tag);
  if (m.task || m.session.find_ended(tag)) return Ruling::kept();
  if (tag != wire::kReservedTag) return Ruling::unseen();
  return Ruling::broken("the Initiator Task Tag of a command", "0xffffffff");
}

Ruling snack_tag_is_given(const Moment& m) {
  if (m.pdu[field::snack_type] != kRDataSnack) return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::snack_tag);
  if (tag == 0 || tag == wire::kReservedTag)
    return Ruling::broken("a SNACK Tag other than 0 and 0xffffffff", hex(tag));
  if (m.task && std::ranges::find(m.task->snack_tags, tag) != m.task->snack_tags.end())
    return Ruling::broken("a SNACK Tag that is new in its task", hex(tag));
  return Ruling::kept();
}

Ruling transfer_tag_is_reserved(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  if (type != kDataSnack && type != kStatusSnack) return Ruling::aside();
  const std::uint32_t tag = m.pdu.u32(field::target_transfer_tag);
  if (tag == wire::kReservedTag) return Ruling::kept();
  return Ruling::broken("Target Transfer Tag 0xffffffff", hex(tag));
}

Ruling r_data_begins_at_zero(const Moment& m) {
  if (m.pdu[field::snack_type] != kRDataSnack) return Ruling::aside();
  return equal("BegRun", 0, m.pdu.u32(field::beg_run));
}

Ruling run_is_zero(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  if (type != kDataAck && type != kRDataSnack) return Ruling::aside();
  return equal("RunLength", 0, m.pdu.u32(field::run_length));
}

// What the other side of a SNACK knows.

bool asks_for_data(const Moment& m) {
  const auto type = m.pdu[field::snack_type];
  return type == kDataSnack || type == kRDataSnack;
}

std::int32_t beyond(const Moment& m, std::uint32_t stat_sn) {
  return serial_distance(m.pdu.u32(field::exp_stat_sn), stat_sn);
}

// A SNACK PDU acknowledges as every request does, so a status that it covers is acknowledged.
Ruling precedes_the_acknowledgement(const Moment& m) {
  if (m.pdu[field::snack_type] == kStatusSnack) {
    const std::uint32_t begin = m.pdu.u32(field::beg_run);
    if (begin == 0 && m.pdu.u32(field::run_length) == 0) return Ruling::aside();
    if (beyond(m, begin) <= 0) return Ruling::kept();
    return Ruling::broken(fmt::format("only responses from ExpStatSN {} on, those that are not "
                                      "acknowledged",
                                      m.pdu.u32(field::exp_stat_sn)),
                          fmt::format("BegRun {}", begin));
  }
  if (!asks_for_data(m)) return Ruling::aside();
  if (m.task) return Ruling::kept();
  const EndedTask* ended = m.session.find_ended(m.pdu.u32(field::initiator_task_tag));
  if (!ended || !ended->stat_sn || ended->connection != m.connection.number)
    return Ruling::unseen();
  if (beyond(m, *ended->stat_sn) <= 0) return Ruling::kept();
  return Ruling::broken("a SNACK before the status of its command is acknowledged",
                        fmt::format("ExpStatSN {} behind the status {}",
                                    m.pdu.u32(field::exp_stat_sn), *ended->stat_sn));
}

Ruling acknowledged_data_is_not_asked_for(const Moment& m) {
  if (m.pdu[field::snack_type] != kDataSnack || !m.task || !m.task->reads()) return Ruling::aside();
  const std::uint32_t begin = m.pdu.u32(field::beg_run);
  if (begin == 0 && m.pdu.u32(field::run_length) == 0) return Ruling::kept();  // what is left
  if (serial_distance(begin, m.task->acknowledged_data_sn) >= 0) return Ruling::kept();
  return Ruling::broken(fmt::format("data from DataSN {} on, which is not acknowledged",
                                    m.task->acknowledged_data_sn),
                        fmt::format("BegRun {}", begin));
}

// PDUs that were cut by the old limit cannot come again as they were.
Ruling new_limit_wants_r_data(const Moment& m) {
  if (!asks_for_data(m) || !m.task || !m.task->reads()) return Ruling::aside();
  if (m.task->receive_changes == m.connection.receive_changes) return Ruling::aside();
  if (m.pdu[field::snack_type] == kRDataSnack) return Ruling::kept();
  return Ruling::broken("an R-Data SNACK, since MaxRecvDataSegmentLength has changed",
                        "a Data SNACK");
}

Ruling uses_the_commands_connection(const Moment& m) {
  if (!asks_for_data(m) || !m.task) return Ruling::aside();
  if (m.task->connection == m.connection.number) return Ruling::kept();
  return Ruling::broken("a SNACK on the connection of its command", "another");
}

const Connection::AskedAck* asked_ack(const Moment& m) {
  const auto found = m.connection.asked_acks.find(m.pdu.u32(field::target_transfer_tag));
  return found == m.connection.asked_acks.end() ? nullptr : &found->second;
}

Ruling acknowledgement_copies_the_tag(const Moment& m) {
  if (m.pdu[field::snack_type] != kDataAck) return Ruling::aside();
  const Connection::AskedAck* asked = asked_ack(m);
  if (!asked) {
    if (m.connection.hole[1] || !m.connection.seen_from_syn) return Ruling::unseen();
    return Ruling::broken("the Target Transfer Tag of a Data-In with A",
                          hex(m.pdu.u32(field::target_transfer_tag)));
  }
  if (m.pdu[field::lun] == asked->lun) return Ruling::kept();
  return Ruling::broken(fmt::format("the LUN {} of the Data-In with A", hex(asked->lun)),
                        hex(m.pdu[field::lun]));
}

// Only what the initiator itself has asked for again is known to be a hole of its own.
Ruling acknowledgement_waits_for_holes(const Moment& m) {
  const Connection::AskedAck* asked = asked_ack(m);
  if (m.pdu[field::snack_type] != kDataAck || !asked) return Ruling::aside();
  const Task* task = m.session.find(asked->tag);
  if (!task) return Ruling::aside();
  const auto& hole = task->asked_again;
  if (!hole || serial_distance(hole->next, m.pdu.u32(field::beg_run)) >= 0) return Ruling::kept();
  return Ruling::broken(
      fmt::format("a DataACK that waits for DataSN {}, which was asked for again", hole->next),
      fmt::format("BegRun {}", m.pdu.u32(field::beg_run)));
}

// A status may be acknowledged when the data that was asked for again has come.
Ruling status_waits_for_holes(const Moment& m) {
  if (m.session.parameters.error_recovery_level == 0) return Ruling::aside();
  for (const EndedTask& ended : m.session.ended) {
    if (!ended.asked_again || !ended.stat_sn || ended.connection != m.connection.number) continue;
    if (beyond(m, *ended.stat_sn) <= 0) return Ruling::kept();
    return Ruling::broken(
        fmt::format(
            "no acknowledgement of the status {} before DataSN {}, which was asked for again",
            *ended.stat_sn, ended.asked_again->next),
        fmt::format("ExpStatSN {}", m.pdu.u32(field::exp_stat_sn)));
  }
  return Ruling::aside();
}

// A status without the tag of the last R-Data SNACK is dropped: the task goes on, and so does the
// use of its tag. Only a tag that is used again shows that it was not.
Ruling status_without_tag_is_dropped(const Moment& m) {
  const EndedTask* ended = m.session.find_ended(m.pdu.u32(field::initiator_task_tag));
  if (m.task || !ended || !ended->snack_tag) return Ruling::aside();
  if (ended->connection != m.connection.number) return Ruling::unseen();
  if (ended->tagged) return Ruling::kept();
  return Ruling::broken(fmt::format("task {} to wait for the response with SNACK Tag {}",
                                    hex(ended->tag), hex(*ended->snack_tag)),
                        "a new command with its tag");
}

// The RFC names no time. An initiator that ends the connection while a DataACK has been due for so
// long did not mean to send it.
constexpr std::uint64_t kDueNs = 5'000'000'000;

Ruling acknowledgement_comes(const Moment& m) {
  if (m.session.parameters.error_recovery_level == 0) return Ruling::aside();
  if (m.pdu.is(Opcode::snack_request))
    return m.pdu[field::snack_type] == kDataAck && asked_ack(m) ? Ruling::kept() : Ruling::aside();
  for (const auto& [tag, asked] : m.connection.asked_acks) {
    const bool due =
        asked.rare && m.session.find(asked.tag) && m.seen.place.time_ns > asked.time_ns + kDueNs;
    if (due)
      return Ruling::broken("a DataACK for the Data-In with A",
                            fmt::format("none for Target Transfer Tag {}", hex(tag)));
  }
  return Ruling::aside();
}

constexpr Rule kRules[] = {
    {"snack.in_full_feature",
     {"R3720-6.1.4-03"},
     Judged::initiator,
     kSnack,
     waits_for_full_feature},
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
    {"snack.before_acknowledgement",
     {"R3720-10.16.1-01"},
     Judged::initiator,
     kSnack,
     precedes_the_acknowledgement},
    {"snack.not_acknowledged",
     {"R3720-10.16.2-04", "R3720-6.2.2-04"},
     Judged::initiator,
     kSnack,
     acknowledged_data_is_not_asked_for},
    {"snack.new_limit", {"R3720-10.16.3-01"}, Judged::initiator, kSnack, new_limit_wants_r_data},
    {"snack.connection",
     {"R3720-3.2.4.1-05"},
     Judged::initiator,
     kSnack,
     uses_the_commands_connection},
    {"snack.ack_tag",
     {"R3720-10.16.5-03"},
     Judged::initiator,
     kSnack,
     acknowledgement_copies_the_tag},
    {"snack.ack_without_holes",
     {"R3720-10.7.2-06", "R3720-10.16.2-02"},
     Judged::initiator,
     kSnack,
     acknowledgement_waits_for_holes},
    {"snack.status_without_holes",
     {"R3720-10.7.2-07", "R3720-6.8-04"},
     Judged::initiator,
     kFromInitiator,
     status_waits_for_holes},
    {"snack.status_with_tag",
     {"R3720-10.4.4-l02"},
     Judged::initiator,
     pdus(Opcode::scsi_command),
     status_without_tag_is_dropped},
    {"snack.ack_comes",
     {"R3720-10.7.2-04", "R3720-10.16.2-01"},
     Judged::initiator,
     pdus(Opcode::snack_request, Opcode::logout_request),
     acknowledgement_comes},
};

}  // namespace

std::span<const Rule> snack_rules() { return kRules; }

}  // namespace tsih::judge
