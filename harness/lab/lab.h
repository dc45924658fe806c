// The lab: everything that one run owns. Control speaks to it; it knows no sockets of the driver.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "harness/lab/guest.h"
#include "harness/lab/wire.h"

namespace tsih::lab {

struct LabOptions {
  std::string run_dir;
  std::string image;
  /// Folder of programs for the guests; empty: none.
  std::string binaries;
  /// auto, kvm or tcg.
  std::string accelerator = "auto";
  bool capture = true;
};

class Lab {
 public:
  using OnEvent = std::function<void(nlohmann::json)>;

  Lab(const boost::asio::any_io_executor& executor, LabOptions options, OnEvent on_event);

  /// Checks the image, packs the binaries, decides the accelerator, opens the capture. Throws
  /// Failure.
  boost::asio::awaitable<void> prepare();

  /// Starts a guest from the arguments of guest.start, beyond those that are `given` in `spec`.
  boost::asio::awaitable<std::shared_ptr<Guest>> start_guest(nlohmann::json arguments, bool wait);
  boost::asio::awaitable<std::shared_ptr<Guest>> clone_guest(nlohmann::json arguments);

  std::shared_ptr<Guest> guest(const std::string& name) const;
  const std::map<std::string, std::shared_ptr<Guest>>& guests() const { return guests_; }
  Wire& wire() { return wire_; }
  const LabOptions& options() const { return options_; }
  nlohmann::json describe() const;

  /// Kills every guest and comes back when they are gone.
  boost::asio::awaitable<void> end_guests();

 private:
  GuestSpec read_spec(const nlohmann::json& arguments, const std::string& directory);
  std::vector<Nic> read_nics(const nlohmann::json& wanted, const std::string& guest);
  Nic read_nic(const nlohmann::json& wanted, const std::string& default_link, std::size_t index);
  std::string free_address();
  std::string make_mac();
  boost::asio::awaitable<void> pack_binaries();

  boost::asio::any_io_executor executor_;
  LabOptions options_;
  OnEvent on_event_;
  Wire wire_;
  Machine machine_;
  std::string accelerator_reason_;
  std::map<std::string, std::shared_ptr<Guest>> guests_;
  std::set<std::string> addresses_;
  unsigned next_host_ = 11;
  unsigned next_mac_ = 11;
};

}  // namespace tsih::lab
