// What has become of a copy: RECEIVE COPY STATUS and its neighbours (SPC-4 6.24 on).
#include <algorithm>
#include <array>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/copy_manager.h"
#include "target/scsi/copy_pages.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"

namespace tsihd::scsi {
namespace {

using State = CopyRecord::State;
using Bytes = std::vector<std::byte>;

/// The record that the CDB asks for; null: the task has ended.
const CopyRecord* find_record(Task& task, std::uint32_t list_identifier) {
  const CopyRecord* record = task.server->copies()->find(task, list_identifier);
  if (record == nullptr) task.fail(sense::invalid_cdb_field(2));
  return record;
}

void reply(Task& task, Bytes& data) {
  put32(data.data(), data.size() - 4);  // AVAILABLE DATA
  task.reply(data, get32(task.cdb() + 10));
}

std::byte status_lid1(State state) {
  if (state == State::running) return std::byte{0x00};
  return state == State::good ? std::byte{0x01} : std::byte{0x02};
}

std::byte status_lid4(State state) {
  switch (state) {
    case State::running:
      return std::byte{0x11};  // in progress, in the foreground
    case State::good:
      return std::byte{0x01};
    case State::failed:
      return std::byte{0x02};
    case State::aborted:
      return std::byte{0x60};
  }
  return std::byte{0};
}

/// TRANSFER COUNT in the smallest unit that has room for it: units and count.
struct TransferCount {
  std::byte units;
  std::uint64_t count;
};
TransferCount transfer_count_32(std::uint64_t bytes) {
  constexpr std::uint64_t kFits = UINT32_MAX;
  if (bytes <= kFits) return {std::byte{0x00}, bytes};
  return {std::byte{0x02}, bytes >> 20};  // mebibytes
}

/// What the status of LID4 and of a token have in common.
Bytes status_data(const CopyRecord& record, TransferCount transferred) {
  constexpr std::uint32_t kPollAfter_ms = 1000;
  Bytes data(32);
  data[4] = std::byte{record.service_action};
  data[5] = status_lid4(record.state);
  put16(&data[6], record.parts);
  // ESTIMATED STATUS UPDATE DELAY; all ones: no estimate, there will be no update
  put32(&data[8], record.state == State::running ? kPollAfter_ms : UINT32_MAX);
  data[12] = record.state == State::running || record.state == State::good ? std::byte{0x00}
                                                                           : std::byte{0x02};
  data[13] = data[14] = std::byte{record.sense_bytes};
  data[15] = transferred.units;
  put64(&data[16], transferred.count);
  put16(&data[24], record.segments);
  data.insert(data.end(), record.sense.begin(), record.sense.begin() + record.sense_bytes);
  return data;
}

}  // namespace

void receive_copy_status_lid1(Task& task) {
  const CopyRecord* record = find_record(task, task.cdb()[2]);
  if (record == nullptr) return;
  Bytes data(12);
  data[4] = status_lid1(record->state);
  put16(&data[5], record->segments);
  const TransferCount transferred = transfer_count_32(record->bytes);
  data[7] = transferred.units;
  put32(&data[8], transferred.count);
  reply(task, data);
}

void receive_copy_status_lid4(Task& task) {
  const CopyRecord* record = find_record(task, get32(task.cdb() + 2));
  if (record == nullptr) return;
  Bytes data = status_data(*record, {std::byte{0x00}, record->bytes});
  reply(task, data);
}

/// Of a copy that did not fail there are no details: AVAILABLE DATA is zero.
void receive_copy_failure_details(Task& task) {
  const CopyRecord* record = find_record(task, task.cdb()[2]);
  if (record == nullptr) return;
  Bytes data(record->state == State::failed ? 60 : 4);
  if (record->state == State::failed) {
    constexpr std::byte kCheckCondition{0x02};
    data[56] = kCheckCondition;
    put16(&data[58], record->sense_bytes);
    data.insert(data.end(), record->sense.begin(), record->sense.begin() + record->sense_bytes);
  }
  reply(task, data);
}

void receive_rod_token_information(Task& task) {
  constexpr std::byte kBlocks{0xf1};
  const CopyRecord* record = find_record(task, get32(task.cdb() + 2));
  if (record == nullptr) return;
  Bytes data = status_data(*record, {kBlocks, record->bytes / task.server->block_bytes()});
  const std::size_t at = data.size();
  data.resize(at + 4);  // ROD TOKEN DESCRIPTORS LENGTH
  if (record->token) {
    data.resize(at + 6);
    data.insert(data.end(), record->token->begin(), record->token->end());
    put32(&data[at], data.size() - at - 4);
  }
  reply(task, data);
}

void receive_copy_parameters(Task& task) {
  Bytes data = copy_operating_parameters();
  reply(task, data);
}

}  // namespace tsihd::scsi
