#include "harness/lab/wire.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace tsih::lab {
using Json = nlohmann::json;

namespace {

constexpr std::chrono::milliseconds flush_after{200};

const char* name_of(std::optional<Direction> direction) {
  if (!direction) return "both directions";
  return *direction == Direction::from_guest ? "from the guest" : "to the guest";
}

}  // namespace

UnixNanoseconds unix_now() {
  return static_cast<UnixNanoseconds>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
}

Wire::Wire(const boost::asio::any_io_executor& executor, OnEvent on_event)
    : executor_(executor),
      on_event_(std::move(on_event)),
      delay_alarm_(executor),
      flush_alarm_(executor) {
  switch_.observe([this](const std::string& link, const Frame& frame, const std::string& lost) {
    saw(link, frame, lost);
  });
}

void Wire::plug(const std::string& link, int descriptor) {
  auto socket = std::make_unique<LinkSocket>(
      executor_, descriptor,
      [this, link](Frame frame) {
        switch_.receive(link, std::move(frame), std::chrono::steady_clock::now());
        arm_delay();
      },
      [this, link](const std::string& reason) {
        if (!reason.empty())
          on_event_({{"event", "lab.warning"},
                     {"message", fmt::format("link {} is disconnected: {}", link, reason)}});
        // Not at once: the socket is still on the stack.
        boost::asio::post(executor_, [this, link] { unplug(link); });
      });
  switch_.connect(link, [raw = socket.get()](const Frame& frame) { return raw->send(frame); });
  sockets_[link] = std::move(socket);
  on_event_({{"event", "link.up"}, {"link", link}});
}

void Wire::unplug(const std::string& link) {
  if (!sockets_.contains(link)) return;
  switch_.disconnect(link);
  sockets_.erase(link);
  on_event_({{"event", "link.down"}, {"link", link}});
}

UnixNanoseconds Wire::cut(const std::string& link, std::optional<Direction> direction) {
  switch_.set_cut(link, direction, true);
  return mark(fmt::format("link {} is cut, {}", link, name_of(direction)));
}

UnixNanoseconds Wire::heal(const std::string& link) {
  switch_.set_cut(link, std::nullopt, false);
  return mark(fmt::format("link {} is healed", link));
}

UnixNanoseconds Wire::shape(const std::string& link, std::optional<Direction> direction,
                            std::uint32_t delay_ms, double loss, std::uint32_t seed) {
  switch_.shape(link, direction, delay_ms, loss, seed);
  return mark(fmt::format("link {} has a delay of {} ms and loses {} of its frames, {} (seed {})",
                          link, delay_ms, loss, name_of(direction), seed));
}

Json Wire::describe_links() const {
  Json list = Json::array();
  for (const auto& [name, link] : switch_.links()) {
    const auto& counters = link.counters;
    Json one = {{"name", name},
                {"connected", static_cast<bool>(link.deliver)},
                {"from_guest", link.from_guest.cut ? "cut" : "up"},
                {"to_guest", link.to_guest.cut ? "cut" : "up"},
                {"delay_ms", {link.from_guest.delay_ms, link.to_guest.delay_ms}},
                {"loss", {link.from_guest.loss, link.to_guest.loss}},
                {"frames_in", counters.frames_in},
                {"frames_out", counters.frames_out},
                {"bytes_in", counters.bytes_in},
                {"bytes_out", counters.bytes_out},
                {"dropped_cut", counters.dropped_cut},
                {"dropped_loss", counters.dropped_loss},
                {"dropped_queue", counters.dropped_queue}};
    list.push_back(std::move(one));
  }
  return list;
}

UnixNanoseconds Wire::mark(const std::string& text) {
  const auto now = unix_now();
  for (auto& [name, capture] : captures_) {
    capture->mark(now, text);
    capture->flush();
  }
  return now;
}

void Wire::start_capture(const std::string& name, const std::string& path,
                         std::set<std::string> links) {
  if (captures_.contains(name))
    throw Failure("exists", fmt::format("a capture named '{}' is open already", name));
  if (captures_.size() >= limits::captures)
    throw Failure("limit", fmt::format("{} captures are open already", limits::captures));
  captures_[name] = std::make_unique<CaptureFile>(path, std::move(links));
}

Json Wire::stop_capture(const std::string& name) {
  const auto found = captures_.find(name);
  if (found == captures_.end())
    throw Failure("no_such", fmt::format("no capture named '{}' is open", name));
  auto& capture = *found->second;
  capture.flush();
  Json result = {
      {"path", capture.path()}, {"frames", capture.frames()}, {"bytes", capture.bytes()}};
  captures_.erase(found);
  return result;
}

void Wire::flush_captures() {
  for (auto& [name, capture] : captures_) capture->flush();
}

std::optional<std::string> Wire::capture_path(const std::string& name) const {
  const auto found = captures_.find(name);
  if (found == captures_.end()) return std::nullopt;
  return found->second->path();
}

void Wire::saw(const std::string& link, const Frame& frame, const std::string& lost) {
  const auto now = unix_now();
  for (auto& [name, capture] : captures_) {
    const bool was_well = capture->trouble().empty();
    capture->packet(link, now, *frame, lost);
    if (was_well && !capture->trouble().empty())
      on_event_({{"event", "lab.warning"}, {"message", capture->trouble()}});
  }
  if (!captures_.empty()) arm_flush();
}

void Wire::arm_delay() {
  const auto next = switch_.next_deadline();
  if (!next || (delay_armed_for_ && *delay_armed_for_ <= *next)) return;
  delay_armed_for_ = next;
  delay_alarm_.expires_at(*next);
  delay_alarm_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    delay_armed_for_.reset();
    switch_.advance(std::chrono::steady_clock::now());
    arm_delay();
  });
}

void Wire::arm_flush() {
  if (flush_armed_) return;
  flush_armed_ = true;
  flush_alarm_.expires_after(flush_after);
  flush_alarm_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    flush_armed_ = false;
    flush_captures();
  });
}

}  // namespace tsih::lab
