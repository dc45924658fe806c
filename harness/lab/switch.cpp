#include "harness/lab/switch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
namespace {

Mac mac_at(const Bytes& frame, std::size_t offset) {
  Mac mac;
  std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(offset), mac.size(), mac.begin());
  return mac;
}

/// Broadcast or multicast: the lowest bit of the first byte.
bool is_group(const Mac& mac) { return (mac[0] & 1) != 0; }

void append(std::string& lost, std::string_view text) {
  if (!lost.empty()) lost += "; ";
  lost += text;
}

}  // namespace

std::size_t Switch::MacHash::operator()(const Mac& mac) const {
  std::uint64_t value = 0;
  for (const auto byte : mac) value = value << 8 | byte;
  return std::hash<std::uint64_t>{}(value);
}

Switch::Link& Switch::find(const std::string& link) {
  const auto found = links_.find(link);
  if (found == links_.end()) throw Failure("no_such", fmt::format("no link is named '{}'", link));
  return found->second;
}

void Switch::connect(const std::string& name, Deliver deliver) {
  if (!links_.contains(name) && links_.size() >= limits::links)
    throw Failure("limit", fmt::format("the switch has its {} links already", limits::links));
  auto& link = links_[name];
  if (link.deliver) throw Failure("exists", fmt::format("link '{}' is connected already", name));
  link.deliver = std::move(deliver);
}

void Switch::disconnect(const std::string& name) {
  auto& link = find(name);
  link.deliver = nullptr;
  link.counters.dropped_queue += link.delayed.size();
  link.delayed.clear();
  link.delayed_bytes = 0;
  std::erase_if(where_, [&](const auto& entry) { return entry.second == &link; });
}

void Switch::learn(const Mac& source, Link& link) {
  if (is_group(source)) return;
  const auto found = where_.find(source);
  if (found != where_.end())
    found->second = &link;
  else if (where_.size() < limits::mac_table_entries)
    where_.emplace(source, &link);
}

bool Switch::is_lost(Link& link, const Impairment& impairment) {
  if (impairment.loss <= 0.0) return false;
  return std::uniform_real_distribution<double>(0.0, 1.0)(link.random) < impairment.loss;
}

void Switch::receive(const std::string& name, Frame frame, Instant now) {
  auto& from = find(name);
  ++from.counters.frames_in;
  from.counters.bytes_in += frame->size();

  std::string lost;
  if (from.from_guest.cut) {
    ++from.counters.dropped_cut;
    lost = fmt::format("lost: {} is cut", name);
  } else if (is_lost(from, from.from_guest)) {
    ++from.counters.dropped_loss;
    lost = fmt::format("lost: by chance at {}", name);
  } else {
    learn(mac_at(*frame, 6), from);
    const auto destination = mac_at(*frame, 0);
    const auto known = is_group(destination) ? where_.end() : where_.find(destination);
    for (auto& [other_name, other] : links_) {
      if (&other == &from || !other.deliver) continue;
      if (known != where_.end() && known->second != &other) continue;
      forward(other_name, other, frame, from.from_guest.delay_ms, now, lost);
    }
  }
  if (observer_) observer_(name, frame, lost);
}

void Switch::forward(const std::string& name, Link& to, const Frame& frame, std::uint32_t delay_ms,
                     Instant now, std::string& lost) {
  if (to.to_guest.cut) {
    ++to.counters.dropped_cut;
    append(lost, fmt::format("lost: {} is cut", name));
    return;
  }
  if (is_lost(to, to.to_guest)) {
    ++to.counters.dropped_loss;
    append(lost, fmt::format("lost: by chance at {}", name));
    return;
  }
  delay_ms += to.to_guest.delay_ms;
  if (delay_ms == 0 && to.delayed.empty()) {
    const auto dropped_before = to.counters.dropped_queue;
    hand_over(to, frame);
    if (to.counters.dropped_queue != dropped_before)
      append(lost, fmt::format("lost: {} does not read", name));
    return;
  }
  if (to.delayed_bytes + frame->size() > limits::link_queue_bytes) {
    ++to.counters.dropped_queue;
    append(lost, fmt::format("lost: too much is on its way to {}", name));
    return;
  }
  // Frames of one receiver keep their order, also when the delay has just become shorter.
  auto at = now + std::chrono::milliseconds(delay_ms);
  if (!to.delayed.empty()) at = std::max(at, to.delayed.back().at);
  to.delayed.push_back({at, frame});
  to.delayed_bytes += frame->size();
}

void Switch::hand_over(Link& to, const Frame& frame) {
  if (!to.deliver || !to.deliver(frame)) {
    ++to.counters.dropped_queue;
    return;
  }
  ++to.counters.frames_out;
  to.counters.bytes_out += frame->size();
}

void Switch::advance(Instant now) {
  for (auto& [name, link] : links_) {
    while (!link.delayed.empty() && link.delayed.front().at <= now) {
      const auto frame = std::move(link.delayed.front().frame);
      link.delayed.pop_front();
      link.delayed_bytes -= frame->size();
      hand_over(link, frame);
    }
  }
}

std::optional<Instant> Switch::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [name, link] : links_)
    if (!link.delayed.empty() && (!next || link.delayed.front().at < *next))
      next = link.delayed.front().at;
  return next;
}

void Switch::set_cut(const std::string& name, std::optional<Direction> direction, bool cut) {
  auto& link = find(name);
  if (direction != Direction::to_guest) link.from_guest.cut = cut;
  if (direction == Direction::from_guest) return;
  link.to_guest.cut = cut;
  // A cut cable loses what is on it.
  if (cut) {
    link.counters.dropped_cut += link.delayed.size();
    link.delayed.clear();
    link.delayed_bytes = 0;
  }
}

void Switch::shape(const std::string& name, std::optional<Direction> direction,
                   std::uint32_t delay_ms, double loss, std::uint32_t seed) {
  auto& link = find(name);
  link.random.seed(seed);
  for (auto* impairment : {&link.from_guest, &link.to_guest}) {
    const bool chosen =
        !direction || (*direction == Direction::from_guest) == (impairment == &link.from_guest);
    if (!chosen) continue;
    impairment->delay_ms = delay_ms;
    impairment->loss = loss;
  }
}

}  // namespace tsih::lab
