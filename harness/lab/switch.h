// The virtual switch: learns where MAC addresses are, forwards or floods, and is where the wire is
// broken. Pure: frames and the time come in by calls, frames leave by a callback; sockets are
// link.h's matter. That makes cuts, delay and loss testable on a virtual clock.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>

#include "harness/lab/capture.h"
#include "harness/lab/frame.h"

namespace tsih::lab {

/// What is done to the frames of one direction of a link.
struct Impairment {
  bool cut = false;
  std::uint32_t delay_ms = 0;
  /// The part of frames that is lost, 0.0 to 1.0; which ones is decided by `seed`.
  double loss = 0.0;
};

struct LinkCounters {
  std::uint64_t frames_in = 0;  // from the guest
  std::uint64_t frames_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t dropped_cut = 0;
  std::uint64_t dropped_loss = 0;
  /// The guest did not read, or the frame waited in a delay when the link was cut or left.
  std::uint64_t dropped_queue = 0;
};

class Switch {
 public:
  /// Takes a frame to a guest; false when its queue is full, then the frame is dropped and counted.
  using Deliver = std::function<bool(const Frame&)>;
  /// Sees every frame as it enters, and in words what was lost of it at once (empty: nothing).
  using Observer =
      std::function<void(const std::string& link, const Frame&, const std::string& lost)>;

  void observe(Observer observer) { observer_ = std::move(observer); }

  /// The link is made if it is new; one that was connected before keeps its impairments and
  /// counters. Throws Failure: `limit` at limits::links, `exists` if it is connected now.
  void connect(const std::string& link, Deliver deliver);
  /// The other end is gone. What the switch learnt of it and what waits for it is forgotten.
  void disconnect(const std::string& link);

  /// A frame from a guest. Too short or too long ones must not come here: link.h refuses them.
  void receive(const std::string& link, Frame frame, Instant now);

  /// Delivers what was delayed until now.
  void advance(Instant now);
  /// When advance() has something to do next.
  std::optional<Instant> next_deadline() const;

  /// Throws Failure("no_such") for a link that never was.
  void set_cut(const std::string& link, std::optional<Direction> direction, bool cut);
  void shape(const std::string& link, std::optional<Direction> direction, std::uint32_t delay_ms,
             double loss, std::uint32_t seed);

  struct Link {
    Deliver deliver;  // empty while nothing is connected
    Impairment from_guest;
    Impairment to_guest;
    LinkCounters counters;
    std::mt19937 random{1};
    struct Waiting {
      Instant at;
      Frame frame;
    };
    std::deque<Waiting> delayed;
    std::size_t delayed_bytes = 0;
  };
  const std::map<std::string, Link>& links() const { return links_; }
  std::size_t learnt() const { return where_.size(); }

 private:
  struct MacHash {
    std::size_t operator()(const Mac& mac) const;
  };

  Link& find(const std::string& link);
  void learn(const Mac& source, Link& link);
  /// Appends to `lost` what this receiver will not get.
  void forward(const std::string& name, Link& to, const Frame& frame, std::uint32_t delay_ms,
               Instant now, std::string& lost);
  void hand_over(Link& to, const Frame& frame);
  static bool is_lost(Link& link, const Impairment& impairment);

  std::map<std::string, Link> links_;  // std::map: its nodes stay where they are
  std::unordered_map<Mac, Link*, MacHash> where_;
  Observer observer_;
};

}  // namespace tsih::lab
