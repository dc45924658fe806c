// What the judge knows of sessions, connections and tasks from the PDUs that it saw. Whatever the
// capture does not tell is absent (std::optional) and not guessed; a check that needs it says
// nothing.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "harness/judge/framer.h"
#include "harness/wire/ladder.h"
#include "harness/wire/text.h"

namespace tsih::judge {

using wire::From;

namespace limits {
inline constexpr std::size_t kConnections = 4096;      ///< alive at a time
inline constexpr std::size_t kSessions = 4096;         ///< remembered
inline constexpr std::size_t kTasks = 16384;           ///< outstanding in a session
inline constexpr std::size_t kTransfers = 1024;        ///< outstanding R2Ts of a task
inline constexpr std::size_t kEndedTasks = 64;         ///< remembered in a session
inline constexpr std::size_t kTextBytes = 256u << 10;  ///< of one logical text
inline constexpr std::size_t kKeys = 256;              ///< of one negotiation, by side
inline constexpr std::size_t kAskedAcks = 256;         ///< A bits without DataACK on a connection
inline constexpr std::size_t kSnackTags = 16;          ///< of one task
inline constexpr std::size_t kCommandNumbers = 4096;   ///< latest CmdSNs of a session
inline constexpr std::size_t kReplicas = 64;           ///< latest numbered responses
inline constexpr std::size_t kDataReplicas = 256;      ///< latest Data-Ins of a connection
inline constexpr std::size_t kChallenges = 64;         ///< latest CHAP_C of initiators
}  // namespace limits

/// Values in force in a session, as far as its leading login was seen.
struct SessionParameters {
  bool initial_r2t = true;
  bool immediate_data = true;
  std::uint32_t max_burst_bytes = 262144;
  std::uint32_t first_burst_bytes = 65536;
  std::uint32_t max_outstanding_r2t = 1;
  bool data_pdu_in_order = true;
  bool data_sequence_in_order = true;
  std::uint32_t error_recovery_level = 0;
  std::uint32_t max_connections = 1;
  std::uint32_t time2wait_s = 2;  ///< DefaultTime2Wait
  std::uint32_t time2retain_s = 20;
};

/// A range of a write that the target asked for.
struct Transfer {
  std::uint32_t target_transfer_tag = 0;
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  std::uint32_t received_bytes = 0;
  std::uint32_t next_data_sn = 0;
};

enum class TaskKind : std::uint8_t { scsi, management, text, logout, nop };

/// Data-Ins that a SNACK asked for and that did not come yet.
struct AskedAgain {
  std::uint32_t next = 0;  ///< DataSN
  std::uint32_t end = 0;   ///< behind the last of them
};

struct Task {
  TaskKind kind = TaskKind::scsi;
  unsigned connection = 0;  ///< the connection of its request, by number
  wire::Pdu request;        ///< its header, its data only of a ping
  Place place;
  bool request_data_kept = false;
  std::uint32_t request_data_bytes = 0;
  /// All of its PDUs since the request were seen.
  bool whole = true;
  /// SNACK, retry or reassignment: PDUs may come again, or differently.
  bool recovered = false;

  std::uint32_t write_bytes = 0;  ///< expected by the initiator
  std::uint32_t read_bytes = 0;

  std::uint32_t data_ins = 0;
  std::uint32_t r2ts = 0;
  std::uint64_t data_in_bytes = 0;
  std::uint32_t next_data_sn = 0;  ///< of Data-In and R2T, counted as 3.2.2.3 says
  std::uint32_t next_r2t_sn = 0;
  std::uint32_t next_in_offset = 0;
  std::uint32_t in_sequence_bytes = 0;  ///< since the last F
  std::uint64_t bytes_since_ack = 0;    ///< since the last A bit
  bool asked_for_ack = false;
  std::uint32_t acknowledged_data_sn = 0;  ///< DataSNs below it are, by DataACK or ExpDataSN
  std::optional<AskedAgain> asked_again;
  std::vector<std::uint32_t> snack_tags;  ///< of R-Data SNACKs
  unsigned receive_changes = 0;           ///< Connection::receive_changes when it began

  bool unsolicited_open = false;        ///< F=0: Data-Outs without R2T follow
  std::uint64_t unsolicited_bytes = 0;  ///< with the immediate data
  std::uint32_t next_unsolicited_sn = 0;
  std::uint32_t next_r2t_offset = 0;
  std::deque<Transfer> transfers;  ///< unanswered, in the order of their R2Ts

  bool is(TaskKind wanted) const { return kind == wanted; }
  bool immediate() const { return request[wire::field::immediate] != 0; }
  bool reads() const { return is(TaskKind::scsi) && request[wire::field::read] != 0; }
  bool writes() const { return is(TaskKind::scsi) && request[wire::field::write] != 0; }
  bool is_bidirectional() const { return reads() && writes(); }
};

/// How a task ended.
struct Ending {
  bool status_in_data = false;
  bool aborted = false;                  ///< by task management
  std::optional<std::uint32_t> stat_sn;  ///< of its status
  std::uint32_t response_tag = 0;        ///< SNACK Tag of its SCSI Response
};

struct EndedTask : Ending {
  std::uint32_t tag = 0;
  unsigned connection = 0;
  std::optional<AskedAgain> asked_again;
  std::optional<std::uint32_t> snack_tag;  ///< of its last R-Data SNACK
  bool tagged = false;                     ///< a response with that tag has come
};

/// How a connection of a session went out of service, and the times that hold for its recovery.
struct Parting {
  enum class How : std::uint8_t {
    logged_out,     ///< at ErrorRecoveryLevel 2: its tasks wait for TASK REASSIGN
    logout_failed,  ///< a Logout Response of 2 or 3: another logout is due
    announced,      ///< by an Asynchronous Message
    lost            ///< ended by the target without a word
  };
  How how = How::lost;
  std::uint64_t time_ns = 0;
  std::uint32_t wait_s = 0, retain_s = 0;
};

/// A command that was retried, as long as its first instance may still turn up (RFC 3720 9.4).
struct Retry {
  std::uint32_t session_cmd_sn = 0;       ///< what the next command was to carry
  std::uint64_t advanced = 0;             ///< how far CmdSN is beyond that of the retry
  std::optional<std::uint32_t> newer_sn;  ///< of a later command of the same connection
};

struct Session {
  unsigned number = 0;
  std::string initiator_name, target_name;
  std::uint64_t isid = 0;
  std::uint16_t handle = 0;  ///< TSIH; 0 until the login of its first connection is over
  bool discovery = false;
  bool known_from_start =
      false;                 ///< its leading login was seen: the parameters are what was agreed
  bool tasks_known = false;  ///< no request of it can have been missed
  bool over = false;
  SessionParameters parameters;
  unsigned connections = 0;  ///< alive
  unsigned connections_ever = 0;

  std::optional<std::uint32_t> next_cmd_sn;  ///< what the next non-immediate command carries
  std::optional<std::uint32_t> max_cmd_sn;   ///< the highest that any response granted
  std::optional<std::uint32_t> exp_cmd_sn;   ///< the highest that any response acknowledged
  std::bitset<limits::kCommandNumbers> numbers_used;  ///< CmdSNs below next_cmd_sn, modulo its size
  std::vector<std::uint32_t> rejected;                ///< CmdSNs of commands that were
  std::unordered_map<std::uint32_t, Task> tasks;      ///< by Initiator Task Tag
  std::deque<EndedTask> ended;
  std::map<std::uint16_t, unsigned> connection_of_cid;  ///< the latest, by number
  std::set<unsigned> alive;                             ///< connections, by number
  std::set<unsigned> logged_out;                        ///< likewise
  /// Likewise: a login is under way that takes their place (5.3.4, 5.3.5).
  std::set<unsigned> giving_way;
  std::map<unsigned, Parting> partings;  ///< by the number of the connection
  std::map<unsigned, Retry> retries;     ///< the latest of each connection
  bool cold_reset = false;      ///< carried out: the target has to end all connections (10.5.1)
  bool drop_announced = false;  ///< by Asynchronous Message
  std::optional<unsigned> closing_connection;  ///< where a Logout Request for all of it went out

  const Task* find(std::uint32_t tag) const {
    const auto found = tasks.find(tag);
    return found == tasks.end() ? nullptr : &found->second;
  }
  const EndedTask* find_ended(std::uint32_t tag) const {
    for (const EndedTask& one : ended)
      if (one.tag == tag) return &one;
    return nullptr;
  }
};

/// One key of a negotiation: who proposed it, and the answer.
struct Proposal {
  From by = From::initiator;
  std::string value;
  bool answered = false;
  std::string answer;
};

/// A text negotiation: a login phase, or a sequence of Text PDUs.
struct Negotiation {
  std::map<std::string, Proposal, std::less<>> proposals;
  std::array<wire::Bytes, 2> partial;  ///< text of PDUs with C set, by From
  std::array<std::set<std::string, std::less<>>, 2> declared;
  bool last_continues[2] = {false, false};
  bool known = false;                   ///< every text since its beginning was seen
  std::array<std::string, 2> repeated;  ///< a key that this side must not have said again
};

struct LoginState {
  wire::Pdu first_request, last_request, last_response;
  unsigned requests = 0, responses = 0;
  unsigned texts[2] = {0, 0};  ///< whole logical texts of each side
  bool leading = true;
  bool refused = false;
  std::string auth_method;             ///< chosen; empty as long as none is
  unsigned auth_texts[2] = {0, 0};     ///< of each side since the choice, empty ones not counted
  std::string challenge[2];            ///< CHAP_C of each side
  std::string chap_offer;              ///< CHAP_A of the initiator
  std::string srp_groups;              ///< SRP_GROUP of the target
  bool target_auth = false;            ///< SRP: the initiator wants it
  std::string wrong_step;              ///< what was wrong in the target's last step
  bool reflected[2] = {false, false};  ///< this side sent a challenge of the other's
  /// The session of this initiator, ISID and target that was there before; may be none.
  std::shared_ptr<Session> predecessor;
};

/// An Asynchronous Message that asks the initiator for something.
struct AsyncRequest {
  std::uint32_t stat_sn = 0;
  std::uint64_t time_ns = 0;
  std::uint64_t deadline_ns = 0;
};

/// A response with a number, to know it again when it is repeated.
struct NumberedResponse {
  std::uint32_t stat_sn = 0;
  std::uint32_t exp_cmd_sn = 0;
  std::array<std::uint8_t, wire::kHeaderBytes> header{};
};

/// A Data-In, to know it again when it is repeated.
struct SentDataIn {
  std::uint32_t tag = 0, data_sn = 0;
  std::array<std::uint8_t, wire::kHeaderBytes> header{};
  std::optional<std::uint32_t> data_crc;
};

/// A greater MaxRecvDataSegmentLength that was declared in full feature phase, in a negotiation
/// that is under way or has failed.
struct ReceiveChange {
  std::uint32_t before = 0, declared = 0;
  bool failed = false;
};

/// How the transport connection ended, as far as the capture goes.
struct Closing {
  std::array<bool, 2> fin = {false, false};  ///< sent by each side
  std::array<bool, 2> rst = {false, false};
  std::optional<From> first;  ///< who sent the first of these
  bool opened_by_initiator = true;
  std::uint64_t capture_end_ns = 0;
};

enum class Phase : std::uint8_t { before_login, login, full_feature, unknown };

struct Connection {
  unsigned number = 0;
  Endpoint initiator, target;
  std::string name;  ///< of both ends, for humans
  std::shared_ptr<Session> session;
  Phase phase = Phase::unknown;
  bool seen_from_syn = false;
  bool login_lost = false;  ///< what it agreed is not known
  bool ended = false;
  std::uint16_t cid = 0;
  LoginState login;
  Negotiation negotiation;

  bool header_digest = false, data_digest = false;
  std::array<std::uint32_t, 2> marker_interval_bytes{};  ///< in what each side sends; 0: no markers
  std::array<std::optional<std::uint32_t>, 2> max_receive_bytes;  ///< declared by each side
  std::array<std::optional<ReceiveChange>, 2> receive_change;     ///< likewise
  std::optional<std::uint32_t> next_stat_sn;
  std::optional<std::uint32_t> last_exp_stat_sn;
  std::optional<std::uint32_t> last_cmd_sn;  ///< of a command that was not immediate

  struct OpenPing {
    std::uint64_t lun = 0;
    Place place;
  };
  std::map<std::uint32_t, OpenPing> target_pings;  ///< NOP-Ins that want an answer, by TTT
  std::deque<std::uint32_t> write_order;           ///< tags of commands with unsolicited data
  struct ServedR2t {
    std::uint32_t tag, target_transfer_tag;
  };
  std::deque<ServedR2t> r2t_order;                 ///< R2Ts that are not fully answered
  std::optional<std::uint32_t> text_tag;           ///< of the Text Request under way
  std::optional<std::uint32_t> text_transfer_tag;  ///< that the target wants to see again
  std::optional<std::uint64_t> text_lun;
  bool text_reset_due = false;  ///< the last Text Request was rejected
  bool logout_sent = false;     ///< this connection, or its session, ends
  bool logout_answered = false;
  std::uint64_t logout_answered_ns = 0;
  std::optional<AsyncRequest> logout_asked, negotiation_asked;

  struct AskedAck {
    std::uint32_t tag = 0;  ///< of the task
    std::uint64_t lun = 0;
    std::uint32_t next_data_sn = 0;
    std::uint64_t time_ns = 0;
    bool rare = false;  ///< MaxBurstLength or more since the last one: it has to be heeded
  };
  std::map<std::uint32_t, AskedAck> asked_acks;  ///< A bits without DataACK, by TTT
  bool snacked = false;                          ///< responses may come again
  unsigned receive_changes = 0;                  ///< of the initiator's MaxRecvDataSegmentLength
  std::deque<NumberedResponse> responses;        ///< the latest
  std::deque<SentDataIn> data_ins;               ///< likewise; where they may be asked for again
  std::array<bool, 2> hole = {false, false};     ///< PDUs of this side were missed
  std::array<bool, 2> blind = {false, false};    ///< and none was seen since
  std::uint64_t pdus = 0, missing_bytes = 0;

  /// The side that receives what `from` sends has said how much it takes in one PDU.
  std::optional<std::uint32_t> receive_limit(From from) const {
    return max_receive_bytes[from == From::initiator ? 1 : 0];
  }
};

inline std::size_t side(From from) { return from == From::initiator ? 0 : 1; }

}  // namespace tsih::judge
