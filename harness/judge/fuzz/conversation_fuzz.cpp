// The follower and the rules over PDUs that are framed already: any order of requests, responses,
// texts, holes and ends on a few connections. What is kept of them stays within its limits.
//
// Input: a step of four bytes each: what (see Step), two small numbers, a choice of text.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "harness/judge/follower.h"

namespace {

using namespace tsih;
using namespace tsih::judge;
using namespace std::string_view_literals;

constexpr std::size_t kConnections = 3;
constexpr std::size_t kMostSteps = 400;

constexpr Opcode kOpcodes[] = {
    Opcode::login_request,
    Opcode::login_response,
    Opcode::scsi_command,
    Opcode::scsi_response,
    Opcode::data_in,
    Opcode::data_out,
    Opcode::r2t,
    Opcode::nop_out,
    Opcode::nop_in,
    Opcode::task_management_request,
    Opcode::text_request,
    Opcode::task_management_response,
    Opcode::text_response,
    Opcode::logout_request,
    Opcode::logout_response,
    Opcode::snack_request,
    Opcode::async_message,
    Opcode::reject,
};

constexpr std::string_view kTexts[] = {
    ""sv,
    "InitiatorName=iqn.a:i\0TargetName=iqn.a:t\0"sv,
    "InitiatorName=iqn.a:i\0SessionType=Discovery\0"sv,
    "AuthMethod=CHAP,None\0"sv,
    "AuthMethod=CHAP\0TargetPortalGroupTag=1\0"sv,
    "AuthMethod=SRP\0"sv,
    "CHAP_A=5\0CHAP_I=1\0CHAP_C=0x0102\0"sv,
    "CHAP_N=i\0CHAP_R=0b0102\0CHAP_I=2\0CHAP_C=0x0102\0"sv,
    "SRP_U=i\0TargetAuth=Yes\0SRP_GROUP=SRP-1536\0SRP_s=0x1\0"sv,
    "ErrorRecoveryLevel=2\0MaxConnections=4\0MaxOutstandingR2T=2\0"sv,
    "InitialR2T=No\0ImmediateData=Yes\0FirstBurstLength=1024\0MaxBurstLength=512\0"sv,
    "MaxRecvDataSegmentLength=512\0HeaderDigest=CRC32C\0"sv,
    "MaxBurstLength=Reject\0X-a=1\0X#b=\0=\0A\0"sv,
    "SendTargets=All\0TargetAddress=[::1]:3260,1\0"sv,
    "OFMarkInt=1~2\0MaxConnections=99999999999999999999\0"sv,
    "HeaderDigest=,,\0DefaultTime2Wait=0x\0TargetName"sv,
};

void require(bool held, const char* property) {
  if (held) return;
  std::fprintf(stderr, "broken property: %s\n", property);
  std::abort();
}

class Play {
 public:
  Play() {
    for (std::size_t i = 0; i < kConnections; ++i) begin(i);
  }

  void step(std::span<const std::uint8_t, 4> bytes) {
    Connection& connection = connections_[std::min<std::size_t>(bytes[0] >> 6, kConnections - 1)];
    const std::size_t what = bytes[0] & 0x3f;
    time_ns_ += bytes[3] * 10'000'000ull;
    if (what < std::size(kOpcodes)) return say(connection, kOpcodes[what], bytes);
    if (what < 0x30) return say(connection, static_cast<Opcode>(what + bytes[3]), bytes);
    if (what < 0x38) return follower_.hole(connection, what & 1 ? From::target : From::initiator);
    follower_.end(connection);
    connection = Connection();
    begin(static_cast<std::size_t>(&connection - connections_));
  }

  void check() const {
    for (const Connection& connection : connections_) {
      const Session& session = *connection.session;
      require(session.tasks.size() <= limits::kTasks, "tasks are bounded");
      require(session.ended.size() <= limits::kEndedTasks, "ended tasks are bounded");
      require(session.rejected.size() <= limits::kEndedTasks, "rejected numbers are bounded");
      require(connection.asked_acks.size() <= limits::kAskedAcks, "asked DataACKs are bounded");
      require(connection.responses.size() <= limits::kReplicas, "kept responses are bounded");
      require(connection.negotiation.proposals.size() <= limits::kKeys, "proposals are bounded");
      require(session.alive.size() <= kConnections, "the dead are not alive");
    }
  }

 private:
  void begin(std::size_t index) {
    Connection& connection = connections_[index];
    connection.number = ++numbers_;
    connection.seen_from_syn = true;
    follower_.begin(connection);
    connection.negotiation.known = true;
  }

  // Numbers lie close to where they belong, tags are few: so that the PDUs know each other.
  void say(Connection& connection, Opcode opcode, std::span<const std::uint8_t, 4> bytes) {
    SeenPdu seen;
    Pdu& pdu = seen.pdu;
    pdu.header[0] = static_cast<std::uint8_t>(opcode) & 0x3f;
    pdu.header[1] = bytes[1];
    pdu.set(field::initiator_task_tag, bytes[2] & 3 ? bytes[2] & 3 : wire::kReservedTag);
    pdu.set(field::target_transfer_tag, bytes[2] & 0xc ? bytes[2] >> 2 & 3 : wire::kReservedTag);
    const bool of_initiator = pdu.header[0] < 0x20;
    if (of_initiator) {
      pdu.set(field::immediate, bytes[2] >> 7);
      pdu.set(field::cmd_sn, connection.session->next_cmd_sn.value_or(0) + near(bytes[3]));
      pdu.set(field::exp_stat_sn, connection.next_stat_sn.value_or(0) + near(bytes[3] >> 3));
    } else {
      pdu.set(field::stat_sn, connection.next_stat_sn.value_or(0) + near(bytes[3]));
      pdu.set(field::exp_cmd_sn, connection.session->next_cmd_sn.value_or(0) + near(bytes[3] >> 3));
      pdu.set(field::max_cmd_sn, connection.session->next_cmd_sn.value_or(0) + 4);
    }
    for (std::size_t at = 36; at < 48; ++at)
      if (at % 4 == 3) pdu.header[at] = static_cast<std::uint8_t>(bytes[3] >> (at % 3));
    if (pdu.is(Opcode::login_response)) pdu.set(field::status, bytes[3] >= 0xf0 ? 0x0200 : 0);
    if (pdu.is(Opcode::login_request) || pdu.is(Opcode::login_response))
      pdu.header[15] = bytes[2] >> 4 & 1;
    const std::string_view text = kTexts[bytes[3] % std::size(kTexts)];
    pdu.data.assign(text.begin(), text.end());
    if (pdu.is(Opcode::reject)) pdu.data.assign(last_.begin(), last_.end());
    seen.data_bytes = static_cast<std::uint32_t>(pdu.data.size());
    seen.data_kept = (bytes[2] & 0x40) == 0;
    seen.place = {.frame = ++frames_, .time_ns = time_ns_};
    if (of_initiator) last_ = pdu.header;
    follower_.take(connection, of_initiator ? From::initiator : From::target, seen,
                   [](const Moment& moment) { judge(moment); });
  }

  static std::uint32_t near(unsigned bits) { return (bits & 7) == 7 ? ~0u : (bits & 7) == 6; }

  static void judge(const Moment& moment) {
    for (const Rule& rule : all_rules()) {
      if (rule.occasion != Occasion::pdu || !(rule.opcodes >> moment.pdu.opcode() & 1)) continue;
      const Judged party = moment.from == From::initiator ? Judged::initiator : Judged::target;
      if (rule.party != party && rule.party != Judged::both) continue;
      const Ruling ruling = rule.check(moment);
      require(ruling.kind() != Ruling::Kind::broken || !ruling.words().empty(),
              "a breach is told in words");
    }
  }

  Follower follower_;
  Connection connections_[kConnections];
  std::array<std::uint8_t, wire::kHeaderBytes> last_{};
  unsigned numbers_ = 0;
  std::uint64_t frames_ = 0, time_ns_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Play play;
  const std::span<const std::uint8_t> script(data, std::min(size, kMostSteps * 4));
  for (std::size_t at = 0; at + 4 <= script.size(); at += 4) {
    play.step(script.subspan(at).first<4>());
    play.check();
  }
  return 0;
}
