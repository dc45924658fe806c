#include "harness/conformance/case.h"

#include <fmt/format.h>

#include <cstdlib>
#include <thread>

namespace tsih::conformance {

Initiator Conversation::log_in(const wire::TextKeys& keys) {
  Initiator initiator(context_);
  initiator.log_in(keys);
  return initiator;
}

Initiator Conversation::discover() {
  Initiator initiator(context_);
  initiator.discovery = true;
  initiator.log_in();
  return initiator;
}

Initiator Conversation::log_in_at_level(unsigned level, const wire::TextKeys& keys) {
  wire::TextKeys all{{"ErrorRecoveryLevel", std::to_string(level)}};
  if (level == 2) all.add("DefaultTime2Wait", "0");
  all.append(keys);
  Initiator initiator = log_in(all);
  agreed_at_least(initiator, "ErrorRecoveryLevel", level);
  return initiator;
}

Initiator Conversation::log_in_for(unsigned connections, const wire::TextKeys& keys) {
  wire::TextKeys all{{"MaxConnections", std::to_string(connections)}};
  all.append(keys);
  Initiator initiator = log_in(all);
  agreed_at_least(initiator, "MaxConnections", connections);
  return initiator;
}

std::pair<Initiator, Initiator> Conversation::log_in_twice_at_level(
    unsigned level, const wire::TextKeys& keys, const wire::TextKeys& keys_of_second) {
  wire::TextKeys all{{"MaxConnections", "2"}};
  all.append(keys);
  Initiator first = log_in_at_level(level, all);
  agreed_at_least(first, "MaxConnections", 2);
  first.ready();
  Initiator second = join(first, 2, keys_of_second);
  return {std::move(first), std::move(second)};
}

// No answer leaves the key at its default, which is the least that there is of both keys here.
void Conversation::agreed_at_least(const Initiator& initiator, const std::string& key,
                                   std::uint64_t least) {
  const auto agreed = wire::parse_number(initiator.negotiated().value(key).value_or(""));
  const std::uint64_t default_value = key == "MaxConnections" ? 1 : 0;
  offered(agreed.value_or(default_value) >= least, fmt::format("{}={}", key, least));
}

Initiator Conversation::beside(const Initiator& first, std::uint16_t cid) {
  return Initiator(context_, first, cid);
}

Initiator Conversation::join(const Initiator& first, std::uint16_t cid,
                             const wire::TextKeys& keys) {
  Initiator initiator = beside(first, cid);
  initiator.log_in(keys);
  return initiator;
}

void Conversation::respite(std::uint64_t seconds) {
  constexpr std::uint64_t kLimitSeconds = 3;
  offered(seconds <= kLimitSeconds,
          fmt::format("reassignment within {} s: Time2Wait is {}", kLimitSeconds, seconds));
  const std::chrono::seconds time(seconds);
  context_.deadline += time;
  std::this_thread::sleep_for(time);
}

void Conversation::provoke(const std::string& event, const Initiator& session) {
  offered(!settings().provoke.empty(), "events on demand (no --provoke COMMAND was given)");
  const auto command = fmt::format("{} {} 0x{:012x}", settings().provoke, event, session.isid);
  const auto before = Clock::now();
  const int status = std::system(command.c_str());
  context_.deadline += Clock::now() - before;  // its time is none of the target's
  offered(status == 0, fmt::format("the event {}: {} failed", event, command));
}

void Conversation::given(const std::string& what, const std::function<void()>& steps) {
  const auto outcomes = context_.outcomes;
  setting_up(what, steps);
  context_.outcomes = outcomes;
}

void Conversation::verify(bool kept, const std::string& expected, const std::string& actual) {
  if (!kept) context_.fail(expected, actual);
  context_.confirm(actual);
}

void Conversation::verify_equal(const std::string& what, std::uint64_t expected,
                                std::uint64_t actual) {
  verify(expected == actual, fmt::format("{} {}", what, expected),
         fmt::format("{} {}", what, actual));
}

void Conversation::offered(bool yes, const std::string& what) {
  if (!yes) throw Unsupported{what};
}

void Conversation::needs_disk(std::uint64_t blocks) {
  offered(context_.probe.blocks >= blocks,
          fmt::format("a disk of at least {} blocks at this LUN", blocks));
}

namespace {

wire::Bytes cdb10(std::uint8_t operation, std::uint32_t lba, std::uint16_t blocks) {
  return {operation,
          0,
          static_cast<std::uint8_t>(lba >> 24),
          static_cast<std::uint8_t>(lba >> 16),
          static_cast<std::uint8_t>(lba >> 8),
          static_cast<std::uint8_t>(lba),
          0,
          static_cast<std::uint8_t>(blocks >> 8),
          static_cast<std::uint8_t>(blocks),
          0};
}

}  // namespace

ScsiCommand Conversation::read_blocks(std::uint32_t lba, std::uint16_t blocks) const {
  return {.cdb = cdb10(0x28, lba, blocks), .read_bytes = blocks * block_bytes()};
}

ScsiCommand Conversation::write_blocks(std::uint32_t lba, std::uint16_t blocks) const {
  return {.cdb = cdb10(0x2a, lba, blocks), .write_bytes = blocks * block_bytes()};
}

wire::Bytes Conversation::pattern(std::size_t bytes) {
  wire::Bytes data(bytes);
  const auto salt = static_cast<std::uint8_t>(context_.random());
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::uint8_t>(i ^ (i >> 8) ^ salt);
  return data;
}

}  // namespace tsih::conformance
