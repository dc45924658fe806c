// The passive judge: a capture in, a verdict on every rule for both parties out. Finds the iSCSI
// connections by their Login Request, on any port; a connection whose beginning the capture lacks
// is followed when its port is one that targets are known to use.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "harness/judge/follower.h"

namespace tsih::judge {

inline constexpr std::size_t kLimitKeptBreaches = 5;  ///< of one rule and party

/// A rule that was broken, with its place.
struct Breach {
  std::uint64_t frame = 0;
  std::string connection;  ///< both ends
  std::string words;
};

/// What one rule came to for one party.
struct Tally {
  std::uint64_t kept = 0;
  std::uint64_t broken = 0;
  std::uint64_t broken_by_7143 = 0;  ///< of these
  std::uint64_t unseen = 0;          ///< it concerned a PDU, but the capture did not show enough
  std::vector<Breach> first_breaches;
};

/// What the capture showed of a connection.
struct ConnectionReport {
  std::string name;
  std::uint64_t pdus = 0;
  std::uint64_t missing_bytes = 0;
  bool from_start = false;  ///< with its login
};

struct Report {
  std::vector<std::array<Tally, 2>> tallies;  ///< by rule, then by party as `side` counts
  std::vector<ConnectionReport> connections;  ///< iSCSI only
  std::uint64_t connections_seen = 0;         ///< iSCSI only; may be more than were kept
  std::uint64_t frames = 0, bytes = 0, pdus = 0;
  std::uint64_t cut_frames = 0;     ///< shorter than they were on the wire
  std::uint64_t fragments = 0;      ///< IP fragments, not put together
  std::uint64_t unknown_links = 0;  ///< frames of a link type that is not known here
  std::uint64_t foreign = 0;        ///< TCP connections that are not iSCSI
  std::uint64_t not_followed = 0;   ///< connections beyond the limit
  std::string broken_off;           ///< why the file could not be read to its end
};

class Judge {
 public:
  explicit Judge(std::set<std::uint16_t> target_ports = {3260, 860});
  ~Judge();
  void take(const Frame& frame);
  Report finish();

 private:
  class Talk;
  using Ends = std::pair<Endpoint, Endpoint>;  // the lesser one first

  Talk* talk_of(const Segment& segment);
  void close(Talk& talk);
  void rule_on(const Moment& moment);
  void rule_on_end(const Talk& talk, const Connection& connection);
  void apply(const std::vector<std::uint16_t>& rules, const Moment& moment);
  bool is_target(const Endpoint& endpoint) const;

  Report report_;
  Follower follower_;
  std::set<std::uint16_t> target_ports_;
  std::set<Endpoint> known_targets_;
  std::map<Ends, std::unique_ptr<Talk>> talks_;
  std::array<std::vector<std::uint16_t>, 64> rules_of_;  // indices of rules, by opcode
  std::vector<std::uint16_t> rules_of_ends_;
  std::uint64_t now_ns_ = 0;  ///< of the latest frame
  unsigned connections_ = 0;
};

/// A whole capture. The error is one line for a human.
std::expected<Report, std::string> judge_capture(std::span<const std::uint8_t> file,
                                                 std::set<std::uint16_t> target_ports = {3260,
                                                                                         860});

}  // namespace tsih::judge
