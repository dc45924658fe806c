#include "harness/initiators/target.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "harness/initiators/negotiation.h"

namespace tsih::initiators {

using suite::Clock;
using suite::Heard;
using suite::Inconclusive;

namespace {

struct Listening {
  int fd;
  std::string portal;
};

Listening listen_on(const std::string& address) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  if (inet_pton(AF_INET, address.c_str(), &at.sin_addr) != 1)
    throw Inconclusive{fmt::format("\"{}\" is no IPv4 address to listen on", address)};
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  socklen_t size = sizeof at;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || listen(fd, 16) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0)
    throw Inconclusive{fmt::format("cannot listen on {}: {}", address, std::strerror(errno))};
  return {fd, fmt::format("{}:{}", address, ntohs(at.sin_port))};
}

}  // namespace

Target::Target(suite::CaseRecord& record, const Settings& settings)
    : record_(record), settings_(settings) {
  service.wishes = default_wishes();
  service.target_name = settings.target_name;
  for (unsigned i = 0; i < 2; ++i) {
    const Listening listening = listen_on(settings.address);
    listeners_[i] = listening.fd;
    (i == 0 ? service.portal : service.other_portal) = listening.portal;
  }
}

Target::~Target() {
  program_.reset();
  for (const int fd : listeners_)
    if (fd >= 0) close(fd);
}

void Target::start(const std::string& action) {
  const std::string url = fmt::format("iscsi://{}/{}/0", service.portal, service.target_name);
  program_ = std::make_unique<Program>(filled_in(settings_.command, url, action));
}

void Target::accept_on(unsigned portal) {
  while (true) {
    const int fd = accept4(listeners_[portal], nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (peers_.size() >= kLimitConnections) {
      ::close(fd);
      throw Inconclusive{
          fmt::format("the initiator made more than {} connections", kLimitConnections)};
    }
    peers_.emplace_back(record_, service, fd, portal);
    open_.push_back(&peers_.back());
  }
}

// What has come already, of the oldest connection first.
std::optional<Met> Target::take_one() {
  for (Peer* peer : open_) {
    if (peer->connection().fd() < 0) continue;
    const suite::Event event = peer->receive(Clock::now());
    if (event.heard == Heard::silence) continue;
    if (++events_ > kLimitEvents) throw Inconclusive{"the initiator floods us"};
    if (event.heard == Heard::garbage)
      throw Inconclusive{"the initiator sends no PDUs: " + event.words};
    if (event.heard == Heard::pdu) return Met{peer, event.pdu, event.words};
    open_.remove(peer);
    return Met{peer, std::nullopt, event.words};
  }
  open_.remove_if([](Peer* peer) { return peer->connection().fd() < 0; });
  return std::nullopt;
}

// False when the program has ended and nothing is open.
bool Target::wait_for_something() {
  std::vector<pollfd> entries;
  for (const int fd : listeners_) entries.push_back({fd, POLLIN, 0});
  for (const Peer* peer : open_)
    entries.push_back({const_cast<Peer*>(peer)->connection().fd(), POLLIN, 0});
  const bool running = program_ && !program_->ended();
  if (running) entries.push_back({program_->fd(), POLLIN, 0});
  if (!running && open_.empty()) {
    // What it had still sent when it ended stands in the queue.
    accept_on(0);
    accept_on(1);
    return !open_.empty();
  }
  const int count = poll(entries.data(), entries.size(), suite::remaining_ms(record_.soon()));
  if (count == 0) {
    record_.went_silent = true;
    throw Inconclusive{fmt::format("the initiator does nothing for {} ms", record_.timeout_ms)};
  }
  accept_on(0);
  accept_on(1);
  return true;
}

std::optional<Met> Target::next() {
  do {
    if (auto met = take_one()) return met;
  } while (wait_for_something());
  return std::nullopt;
}

void Target::ended_without(const std::string& words) {
  const int status = program_->ended().value_or(-1);
  if (status == 127) throw Inconclusive{"the initiator's command was not found"};
  if (status == 0) throw suite::Unsupported{words + ": the initiator ended without it"};
  throw Inconclusive{fmt::format("the initiator ended with status {} before {} came: {}", status,
                                 words, program_->last_words())};
}

Met Target::serve_until(const Want& want) {
  while (auto met = next()) {
    if (!met->pdu) continue;
    if (want.is(*met->peer, *met->pdu)) return *met;
    met->peer->serve(*met->pdu);
  }
  ended_without(want.words);
}

Met Target::next_of(Peer& peer) {
  while (auto met = next()) {
    if (met->peer == &peer) return *met;
    if (met->pdu) met->peer->serve(*met->pdu);
  }
  return {&peer, std::nullopt, "the connection was closed"};
}

int Target::serve_to_the_end() {
  while (auto met = next())
    if (met->pdu) met->peer->serve(*met->pdu);
  return program_->ended().value_or(-1);
}

}  // namespace tsih::initiators
