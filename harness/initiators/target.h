// The scripted target: its portals, the connections of the initiator under test, and the wait for
// what a case asks about. Everything else is served well meanwhile.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/initiators/peer.h"
#include "harness/initiators/program.h"

namespace tsih::initiators {

/// What a case waits for.
struct Want {
  std::string words;  ///< "a WRITE of more than 64 KiB"
  std::function<bool(const Peer&, const wire::Pdu&)> is;
};

/// Something that came. Without a PDU the connection was closed, by the initiator.
struct Met {
  Peer* peer = nullptr;
  std::optional<wire::Pdu> pdu;
  std::string words;
};

/// How the initiator under test is had; the same for every case.
struct Settings {
  std::vector<std::string> command;   ///< with {url} and {action}
  std::string address = "127.0.0.1";  ///< that the portals listen on
  std::string target_name = "iqn.2026-01.example.tsih:scripted";
  int timeout_ms = 2000;  ///< the longest wait for one thing
  std::uint64_t seed = 1;
};

class Target {
 public:
  static constexpr std::size_t kLimitConnections = 64;
  static constexpr int kLimitEvents = 20000;

  /// Listens on two free ports. Throws Inconclusive when it cannot.
  Target(suite::CaseRecord& record, const Settings& settings);
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  Service service;  ///< a case sets it up before start()

  void start(const std::string& action);
  /// Serves until that comes, and leaves it unanswered. An initiator that ends without it: throws
  /// Unsupported, or Inconclusive when it failed.
  Met serve_until(const Want& want);
  /// The next thing on this connection, or its end; the others are served. Silence: Inconclusive.
  Met next_of(Peer& peer);
  /// The next thing on any connection; nothing when the program has ended and all is closed.
  std::optional<Met> next();
  /// Serves all until the program has ended: its exit status.
  int serve_to_the_end();
  Program& program() { return *program_; }
  const std::list<Peer>& peers() const { return peers_; }

 private:
  std::optional<Met> take_one();
  bool wait_for_something();
  void accept_on(unsigned portal);
  [[noreturn]] void ended_without(const std::string& words);

  suite::CaseRecord& record_;
  const Settings& settings_;
  int listeners_[2] = {-1, -1};
  std::list<Peer> peers_;
  std::list<Peer*> open_;
  std::unique_ptr<Program> program_;
  int events_ = 0;
};

}  // namespace tsih::initiators
