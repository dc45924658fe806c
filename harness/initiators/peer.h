// One connection of the initiator under test, as its target sees it: what a good target keeps for
// it (sequence numbers, window, keys, tasks) and the answers that a good target gives. A case takes
// what it likes, changes it, and sends anything at any time; the rest is served well.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/initiators/disk.h"
#include "harness/suite/connection.h"
#include "harness/wire/pdu.h"
#include "harness/wire/text.h"

namespace tsih::initiators {

enum Stage : std::uint8_t { kSecurity = 0, kOperational = 1, kFullFeature = 3 };

/// What the scripted target is for all connections of a case. A case sets it before it starts the
/// initiator, or changes it on the way.
struct Service {
  wire::TextKeys wishes;      ///< negotiation.h
  wire::TextKeys proposals;   ///< what the target itself offers, once, in the operational stage
  std::uint32_t window = 32;  ///< commands beyond ExpCmdSN
  std::uint32_t first_stat_sn = 1;
  std::uint16_t tsih = 1;
  std::size_t data_in_bytes = 0;  ///< the most that a Data-In holds; 0: what the initiator takes
  std::string target_name;
  std::string portal;        ///< "127.0.0.1:3260", for TargetAddress
  std::string other_portal;  ///< a second one of the same target
  Disk disk;
};

/// Bytes of one write, as far as they have come.
struct Write {
  wire::Pdu command;
  wire::Bytes data;
  std::vector<wire::Pdu> data_outs;  ///< immediate data is not among them
  std::uint32_t received_bytes = 0;
  std::uint32_t r2ts = 0;  ///< R2TSN of the next one
};

class Peer {
 public:
  Peer(suite::CaseRecord& record, Service& service, int fd, unsigned portal);

  // What it was told, and what it counts; a case may change the numbers at any time.
  unsigned portal;          ///< 0, or 1 for the other portal
  wire::TextKeys offered;   ///< all keys that the initiator has said in the login
  wire::TextKeys answered;  ///< all that we have said
  bool full_feature = false;
  bool discovery = false;
  bool logged_out = false;  ///< a Logout Request was answered
  std::uint64_t isid = 0;
  std::uint16_t cid = 0;
  std::uint32_t stat_sn;  ///< of the next status
  std::uint32_t exp_cmd_sn = 0;
  std::uint32_t acknowledged = 0;  ///< ExpStatSN, as it last came

  // ---- answers, filled as a good target fills them -------------------------------------------
  /// To a Login Request: its stage, its tag, the answers to its keys, T when it asks for it.
  wire::Pdu login_response(const wire::Pdu& request);
  wire::Pdu login_failure(const wire::Pdu& request, std::uint16_t status);
  /// The part of the data of a read from this offset; `last` sets F.
  wire::Pdu data_in(const wire::Pdu& command, std::span<const std::uint8_t> data,
                    std::uint32_t data_sn, std::uint32_t offset, bool last);
  /// The same with the status in it (10.7.3).
  wire::Pdu data_in_with_status(const wire::Pdu& command, std::span<const std::uint8_t> data,
                                std::uint32_t data_sn, std::uint32_t offset);
  /// Residuals are those of the command against `moved_bytes`.
  wire::Pdu scsi_response(const wire::Pdu& command, std::uint8_t status, std::uint32_t moved_bytes,
                          std::span<const std::uint8_t> sense = {});
  wire::Pdu r2t(const wire::Pdu& command, std::uint32_t transfer_tag, std::uint32_t r2t_sn,
                std::uint32_t offset, std::uint32_t bytes);
  wire::Pdu nop_in_answer(const wire::Pdu& nop_out);
  /// Asks for an answer with this tag.
  wire::Pdu ping(std::uint32_t transfer_tag);
  /// Asks for none: tells numbers only.
  wire::Pdu nop_in();
  wire::Pdu text_response(const wire::Pdu& request, const wire::TextKeys& keys);
  wire::Pdu logout_response(const wire::Pdu& request);
  wire::Pdu task_management_response(const wire::Pdu& request, std::uint8_t response = 0);
  wire::Pdu async_message(std::uint8_t event, std::uint16_t parameter1 = 0,
                          std::uint16_t parameter2 = 0, std::uint16_t parameter3 = 0);
  wire::Pdu reject(std::uint8_t reason, const wire::Pdu& rejected);

  // ---- talking ---------------------------------------------------------------------------------
  /// ExpCmdSN, MaxCmdSN and StatSN are put in as they stand; a PDU with a status takes its number.
  /// What is given to send_as_is() keeps the numbers that it has, and takes none.
  void send(wire::Pdu pdu, const wire::Digests& spoiled = {});
  void send_as_is(const wire::Pdu& pdu, const wire::Digests& spoiled = {});
  /// Several PDUs in one piece, or cut where the case likes.
  wire::Bytes encoded(wire::Pdu pdu);
  suite::Event receive(suite::Clock::time_point until);
  suite::Connection& connection() { return connection_; }
  void close() { connection_.close(); }

  // ---- serving ---------------------------------------------------------------------------------
  /// Answers well, whatever it is; what an initiator may not send is left unanswered.
  void serve(const wire::Pdu& pdu);
  /// A Login Response of the case's in the place of the good one: full feature phase begins when it
  /// says so.
  void answer_login(const wire::Pdu& response);
  /// The data that a read command asks for, not beyond its expected length.
  wire::Bytes data_of(const wire::Pdu& command) const;
  /// Data-In and the status of a read from this DataSN and offset on.
  void serve_read(const wire::Pdu& command, std::uint32_t data_sn = 0, std::uint32_t offset = 0);
  /// A write begins: from now on its Data-Outs are gathered. With `solicit` as many R2Ts as it
  /// needs are sent, and its status when all the data is there.
  Write& begin_write(const wire::Pdu& command, bool solicit);
  /// Stores what was gathered and says GOOD.
  void finish_write(const wire::Pdu& command);
  /// What has come of this write.
  const Write& write_of(const wire::Pdu& command) const;
  std::uint32_t next_transfer_tag() { return next_transfer_tag_++; }
  /// A number of the login; `otherwise` is the default of section 12.
  std::uint64_t agreed(std::string_view key, std::uint64_t otherwise) const;
  /// What the target said to this key; empty when it said nothing, for the initiator did not ask.
  std::string said(std::string_view key) const { return answered.value(key).value_or(""); }

 private:
  wire::Pdu answer_to(const wire::Pdu& request, wire::Opcode opcode) const;
  void put_numbers(wire::Pdu& pdu);
  void note_request(const wire::Pdu& pdu);
  void serve_login(const wire::Pdu& request);
  void serve_command(const wire::Pdu& command);
  void serve_text(const wire::Pdu& request);
  void take_data_out(const wire::Pdu& data_out);
  void solicit(Write& write);
  void begin_full_feature();

  Service& service_;
  suite::Connection connection_;
  wire::Digests digests_;
  wire::Bytes text_so_far_;
  bool proposed_ = false;
  std::uint32_t next_transfer_tag_ = 0x1000;
  struct Task {
    Write write;
    bool solicited = false;
    std::uint64_t disk_offset = 0;
  };
  std::map<std::uint32_t, Task> writes_;
};

}  // namespace tsih::initiators
