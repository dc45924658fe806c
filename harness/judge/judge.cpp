#include "harness/judge/judge.h"

#include <algorithm>
#include <utility>

#include "harness/judge/framer.h"
#include "harness/judge/partings.h"
#include "harness/judge/tcp_flow.h"

namespace tsih::judge {
namespace {

constexpr std::size_t kLimitReports = 4096;
constexpr std::size_t kLimitTargets = 4096;
constexpr std::int32_t kNear = 1 << 16;  // numbers of one conversation lie close together

// A Login Request that a connection can begin with.
bool looks_like_login(const Pdu& pdu) {
  const auto csg = pdu[field::csg];
  return (pdu.header[0] & 0xbf) == static_cast<std::uint8_t>(Opcode::login_request) &&
         pdu.header[4] == 0 && pdu[field::data_segment_length] <= (1u << 17) && csg != 2 &&
         (pdu.header[1] & 0x30) == 0 && pdu.header[2] <= 1 && pdu.header[3] <= pdu.header[2];
}

std::uint64_t opcodes_of(From from) {
  return from == From::initiator ? kFromInitiator : kFromTarget;
}

}  // namespace

/// A TCP connection: its two flows, and as soon as it is known to be iSCSI its two framers.
class Judge::Talk {
 public:
  Talk(Judge& judge, const Endpoint& first, const Endpoint& second)
      : judge_(judge), sides_{{{*this, 0}, {*this, 1}}}, ends_{first, second} {}

  void take(const Segment& segment, const Place& place) {
    const std::size_t from = segment.from == ends_[0] ? 0 : 1;
    Side& sender = sides_[from];
    if (segment.syn) {
      sender.flow.syn(segment.seq);
      seen_syn_ = true;
      if (!segment.has_ack) opener_ = from;
    }
    if (segment.fin)
      sender.flow.fin(segment.seq + static_cast<std::uint32_t>(segment.payload_bytes));
    last_ = place;
    if (foreign_) return;
    if (segment.has_ack && !segment.rst) sides_[1 - from].flow.acknowledged(segment.ack, place);
    if (!foreign_) sender.flow.take(segment, place);
    if (segment.fin || segment.rst) note_end(from, segment.fin);
  }
  /// How it ended, seen from the end of what was read.
  Closing closing(std::uint64_t now_ns) const {
    Closing closing;
    for (std::size_t index : {0u, 1u}) {
      const std::size_t who = side(from_of(sides_[index]));
      closing.fin[who] = fin_[index];
      closing.rst[who] = rst_[index];
    }
    if (first_to_end_) closing.first = from_of(sides_[*first_to_end_]);
    closing.opened_by_initiator = !opener_ || *opener_ == initiator_;
    closing.capture_end_ns = now_ns;
    return closing;
  }
  const Place& last() const { return last_; }
  bool is_foreign() const { return foreign_; }
  bool is_iscsi() const { return connection_.number != 0; }
  Connection& connection() { return connection_; }

 private:
  struct Side : ByteSink, PduSink {
    Side(Talk& the_talk, std::size_t the_index)
        : talk(the_talk), index(the_index), flow(*this), framer(*this) {}
    void on_bytes(std::span<const std::uint8_t> bytes, const Place& place) override {
      if (talk.is_iscsi())
        framer.on_bytes(bytes, place);
      else
        talk.look(*this, bytes, place);
    }
    void on_missing(std::size_t count, const Place& place) override {
      if (talk.is_iscsi())
        framer.on_missing(count, place);
      else
        talk.give_up();
    }
    void on_pdu(SeenPdu& seen) override { talk.on_pdu(*this, seen); }
    void on_hole(std::size_t bytes, bool synchronised, const Place&) override {
      talk.connection_.missing_bytes += bytes;
      if (!synchronised) talk.hole(*this);
    }
    bool is_plausible(const Pdu& pdu) const override { return talk.is_plausible(*this, pdu); }

    Talk& talk;
    std::size_t index;
    TcpFlow flow;
    Framer framer;
    wire::Bytes head;  // until it is known what this is
  };

  From from_of(const Side& one) const {
    return one.index == initiator_ ? From::initiator : From::target;
  }

  void note_end(std::size_t from, bool fin) {
    (fin ? fin_ : rst_)[from] = true;
    const bool first = !first_to_end_;
    if (first) first_to_end_ = from;
    if (!is_iscsi()) return;
    if (first) note_loss(connection_, from_of(sides_[from]), last_.time_ns);
    connection_.session->alive.erase(connection_.number);
  }

  // The first bytes tell: a login, or on a target's port something that began before the capture.
  void look(Side& sender, std::span<const std::uint8_t> bytes, const Place& place) {
    sender.head.insert(sender.head.end(), bytes.begin(), bytes.end());
    if (sender.head.size() < wire::kHeaderBytes) return;
    Pdu pdu;
    std::copy_n(sender.head.begin(), wire::kHeaderBytes, pdu.header.begin());
    const bool login = looks_like_login(pdu);
    if (!login && !judge_.is_target(ends_[0]) && !judge_.is_target(ends_[1])) return give_up();
    initiator_ = login ? sender.index : judge_.is_target(ends_[0]) ? 1 : 0;
    const bool own = std::uint64_t{1} << pdu.opcode() & opcodes_of(from_of(sender));
    if (!login && seen_syn_ && !own) return give_up();  // another protocol on that port
    begin(login || seen_syn_);
    for (Side& one : sides_) {
      const wire::Bytes head = std::exchange(one.head, {});
      if (!head.empty()) one.framer.on_bytes(head, place);
    }
  }

  void begin(bool from_start) {
    connection_.number = ++judge_.connections_;
    connection_.initiator = ends_[initiator_];
    connection_.target = ends_[1 - initiator_];
    connection_.name = to_string(connection_.initiator) + " > " + to_string(connection_.target);
    connection_.seen_from_syn = from_start;
    if (judge_.known_targets_.size() < kLimitTargets)
      judge_.known_targets_.insert(connection_.target);
    judge_.follower_.begin(connection_);
    connection_.negotiation.known = seen_syn_;  // else this may be a later Login Request
    connection_.login_lost = !from_start;
    if (!from_start)
      for (Side& one : sides_) one.framer.begin_in_the_middle();
  }

  void give_up() {
    if (!foreign_) ++judge_.report_.foreign;
    foreign_ = true;
    for (Side& one : sides_) one.head = {};
  }

  // Without the whole login nobody knows what was agreed, digests first of all.
  void hole(const Side& sender) {
    if (connection_.phase == Phase::full_feature || connection_.login_lost)
      judge_.follower_.hole(connection_, from_of(sender));
    else
      learn_again();
  }

  void learn_again() {
    connection_.login_lost = true;
    for (Side& one : sides_) one.framer.begin_in_the_middle();
    for (From from : {From::initiator, From::target}) judge_.follower_.hole(connection_, from);
  }

  void on_pdu(Side& sender, SeenPdu& seen) {
    ++judge_.report_.pdus;
    const Phase before = connection_.phase;
    judge_.follower_.take(connection_, from_of(sender), seen,
                          [this](const Moment& moment) { judge_.rule_on(moment); });
    if (connection_.login_lost && before == Phase::unknown) {  // digests are for both directions
      Framer& other = sides_[1 - sender.index].framer;
      other.set_digests(sender.framer.has_header_digest(), sender.framer.has_data_digest());
    } else if (before != Phase::full_feature && connection_.phase == Phase::full_feature) {
      if (connection_.login_lost) return learn_again();
      for (Side& one : sides_) {
        one.framer.set_digests(connection_.header_digest, connection_.data_digest);
        one.framer.use_markers(connection_.marker_interval_bytes[side(from_of(one))]);
      }
      const bool may_repeat = connection_.session->parameters.error_recovery_level > 0;
      sides_[1 - initiator_].framer.set_data_summed(may_repeat);
    }
  }

  // Blocks of data are full of zeros and of repetitions: nothing reserved may be set, and where the
  // figure has a fixed 1 (F of PDUs that have no sequences) it must be there.
  bool is_plausible(const Side& sender, const Pdu& pdu) const {
    const From from = from_of(sender);
    constexpr std::uint64_t kWithSequences =
        pdus(Opcode::scsi_command, Opcode::data_out, Opcode::data_in, Opcode::text_request,
             Opcode::text_response, Opcode::login_request, Opcode::login_response);
    const std::uint64_t bit = std::uint64_t{1} << pdu.opcode();
    if (!(bit & opcodes_of(from)) || pdu.header[4] > 64) return false;
    if (!(bit & kWithSequences) && !pdu[field::final]) return false;
    if (reserved_byte(pdu)) return false;
    const auto limit = connection_.receive_limit(from);
    if (pdu[field::data_segment_length] > limit.value_or(1u << 24)) return false;
    const auto& known = connection_.next_stat_sn;
    if (!known || (pdu.is(Opcode::data_in) && !pdu[field::has_status])) return true;
    const std::uint32_t number =
        from == From::initiator ? pdu.u32(field::exp_stat_sn) : pdu.u32(field::stat_sn);
    const std::int32_t distance = serial_distance(number, *known);
    return distance > -kNear && distance < kNear;
  }

  Judge& judge_;
  std::array<Side, 2> sides_;
  std::array<Endpoint, 2> ends_;
  std::size_t initiator_ = 0;
  Connection connection_;
  bool foreign_ = false;
  bool seen_syn_ = false;
  std::array<bool, 2> fin_{}, rst_{};
  std::optional<std::size_t> first_to_end_, opener_;  // of the two sides
  Place last_;
};

Judge::Judge(std::set<std::uint16_t> target_ports) : target_ports_(std::move(target_ports)) {
  const auto rules = all_rules();
  report_.tallies.resize(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (rules[i].occasion == Occasion::end_of_connection)
      rules_of_ends_.push_back(static_cast<std::uint16_t>(i));
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (unsigned opcode = 0; opcode < 64; ++opcode)
      if (rules[i].opcodes >> opcode & 1)
        rules_of_[opcode].push_back(static_cast<std::uint16_t>(i));
}

Judge::~Judge() = default;

bool Judge::is_target(const Endpoint& endpoint) const {
  return target_ports_.contains(endpoint.port) || known_targets_.contains(endpoint);
}

void Judge::rule_on(const Moment& moment) { apply(rules_of_[moment.pdu.opcode()], moment); }

void Judge::rule_on_end(const Talk& talk, const Connection& connection) {
  const Closing closing = talk.closing(now_ns_);
  SeenPdu nothing;
  nothing.place = talk.last();
  for (From from : {From::initiator, From::target})
    apply(rules_of_ends_, {.seen = nothing,
                           .pdu = nothing.pdu,
                           .from = from,
                           .connection = connection,
                           .session = *connection.session,
                           .task = nullptr,
                           .keys = nullptr,
                           .text_problems = nullptr,
                           .closing = &closing});
}

void Judge::apply(const std::vector<std::uint16_t>& indices, const Moment& moment) {
  const auto rules = all_rules();
  const auto party = moment.from == From::initiator ? Judged::initiator : Judged::target;
  for (const std::uint16_t index : indices) {
    const Rule& rule = rules[index];
    if (rule.party != party && rule.party != Judged::both) continue;
    const Ruling ruling = rule.check(moment);
    Tally& tally = report_.tallies[index][side(moment.from)];
    switch (ruling.kind()) {
      case Ruling::Kind::aside:
        break;
      case Ruling::Kind::kept:
        ++tally.kept;
        break;
      case Ruling::Kind::unseen:
        ++tally.unseen;
        break;
      case Ruling::Kind::broken:
        ++tally.broken;
        tally.broken_by_7143 += ruling.is_broken_by_7143();
        if (tally.first_breaches.size() < kLimitKeptBreaches)
          tally.first_breaches.push_back(
              {moment.seen.place.frame, moment.connection.name, ruling.words()});
    }
  }
}

void Judge::close(Talk& talk) {
  if (!talk.is_iscsi()) return;
  Connection& connection = talk.connection();
  rule_on_end(talk, connection);
  follower_.end(connection);
  ++report_.connections_seen;
  if (report_.connections.size() < kLimitReports)
    report_.connections.push_back(
        {connection.name, connection.pdus, connection.missing_bytes, connection.seen_from_syn});
}

Judge::Talk* Judge::talk_of(const Segment& segment) {
  const Ends ends = std::minmax(segment.from, segment.to);
  auto found = talks_.find(ends);
  const bool opens = segment.syn && !segment.has_ack;
  if (found != talks_.end() && opens) {  // the same ports once more
    close(*found->second);
    talks_.erase(found);
    found = talks_.end();
  }
  if (found == talks_.end()) {
    if (segment.rst || (segment.payload_bytes == 0 && !segment.syn)) return nullptr;
    if (talks_.size() >= limits::kConnections) {
      std::erase_if(talks_, [](const auto& one) { return one.second->is_foreign(); });
      if (talks_.size() >= limits::kConnections) {
        report_.not_followed += opens;
        return nullptr;
      }
    }
    found = talks_.emplace(ends, std::make_unique<Talk>(*this, ends.first, ends.second)).first;
  }
  return found->second.get();
}

void Judge::take(const Frame& frame) {
  ++report_.frames;
  now_ns_ = std::max(now_ns_, frame.time_ns);
  report_.bytes += frame.bytes.size();
  report_.cut_frames += frame.bytes.size() < frame.original_bytes;
  Segment segment;
  const Decoded decoded = decode(frame, segment);
  report_.fragments += decoded == Decoded::fragment;
  report_.unknown_links += decoded == Decoded::unknown_link;
  if (decoded != Decoded::tcp) return;
  Talk* talk = talk_of(segment);
  if (!talk) return;
  talk->take(segment, {frame.number, frame.time_ns});
  if (segment.rst) {
    close(*talk);
    talks_.erase(std::minmax(segment.from, segment.to));
  }
}

Report Judge::finish() {
  for (auto& [ends, talk] : talks_) close(*talk);
  talks_.clear();
  return std::move(report_);
}

std::expected<Report, std::string> judge_capture(std::span<const std::uint8_t> file,
                                                 std::set<std::uint16_t> target_ports) {
  auto reader = FrameReader::open(file);
  if (!reader) return std::unexpected(reader.error());
  Judge judge(std::move(target_ports));
  while (const auto frame = reader->next()) judge.take(*frame);
  Report report = judge.finish();
  report.broken_off = reader->broken();
  return report;
}

}  // namespace tsih::judge
