// The wire of a lab: the switch with its cables, its clock and its captures.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>

#include "harness/lab/capture.h"
#include "harness/lab/link.h"
#include "harness/lab/switch.h"

namespace tsih::lab {

UnixNanoseconds unix_now();

class Wire {
 public:
  using OnEvent = std::function<void(nlohmann::json)>;

  Wire(const boost::asio::any_io_executor& executor, OnEvent on_event);

  /// Plugs a socket of QEMU into the switch. Throws as Switch::connect.
  void plug(const std::string& link, int descriptor);
  /// Does nothing if it is unplugged already.
  void unplug(const std::string& link);
  bool plugged(const std::string& link) const { return sockets_.contains(link); }

  /// The direction is both if none is given. All three leave a mark.
  UnixNanoseconds cut(const std::string& link, std::optional<Direction> direction);
  UnixNanoseconds heal(const std::string& link);
  UnixNanoseconds shape(const std::string& link, std::optional<Direction> direction,
                        std::uint32_t delay_ms, double loss, std::uint32_t seed);
  nlohmann::json describe_links() const;

  /// Writes a comment into every capture.
  UnixNanoseconds mark(const std::string& text);

  /// Throws Failure: exists, limit, host.
  void start_capture(const std::string& name, const std::string& path, std::set<std::string> links);
  nlohmann::json stop_capture(const std::string& name);
  void flush_captures();
  /// The path of an open capture.
  std::optional<std::string> capture_path(const std::string& name) const;

 private:
  void saw(const std::string& link, const Frame& frame, const std::string& lost);
  /// Sets the alarm for the next delayed frame.
  void arm_delay();
  /// Captures reach their files within a moment, so that a lab that is killed leaves nearly all.
  void arm_flush();

  boost::asio::any_io_executor executor_;
  OnEvent on_event_;
  Switch switch_;
  std::map<std::string, std::unique_ptr<LinkSocket>> sockets_;
  std::map<std::string, std::unique_ptr<CaptureFile>> captures_;
  boost::asio::steady_timer delay_alarm_;
  boost::asio::steady_timer flush_alarm_;
  std::optional<Instant> delay_armed_for_;
  bool flush_armed_ = false;
};

}  // namespace tsih::lab
