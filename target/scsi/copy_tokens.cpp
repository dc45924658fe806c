#include "target/scsi/copy_tokens.h"

#include <algorithm>
#include <utility>

#include "target/scsi/bytes.h"
#include "target/scsi/copy_list.h"
#include "target/scsi/designators.h"
#include "target/scsi/device_server.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

/// The ROD token format of SPC-4 5.16.6.4. What follows the target device descriptor, 128 bytes at
/// the least, is random.
TokenBytes compose(const RodTokens::Token& token, const Nexus& nexus,
                   void (*random)(std::span<std::byte>)) {
  constexpr std::size_t kTargetDescriptorAt = 128;
  constexpr std::size_t kMaxNameBytes = 248;
  TokenBytes bytes{};
  random(std::span(bytes).subspan(kTargetDescriptorAt));
  const DeviceServer& server = token.unit.lock()->device_server();
  put32(&bytes[0], static_cast<std::uint32_t>(token.type));
  put16(&bytes[6], kTokenBytes - 8);
  put64(&bytes[8], token.id);
  put_cscd_descriptor(std::span(bytes).subspan<16, kCscdDescriptorBytes>(), server);
  put64(&bytes[56], token.blocks() * token.block_bytes);  // the lower half of 128 bits
  put32(&bytes[96], token.block_bytes);
  const std::string name = nexus.target_name.substr(0, kMaxNameBytes);
  const std::size_t padded = (name.size() + 4) / 4 * 4;
  std::byte* at = &bytes[kTargetDescriptorAt];
  at[0] = std::byte{0x53};  // iSCSI, UTF-8
  at[1] = std::byte{0xa8};  // PIV, target device, SCSI name string
  at[2] = std::byte{0};
  at[3] = static_cast<std::byte>(padded);
  std::ranges::fill(std::span(at + 4, padded), std::byte{0});
  std::ranges::transform(name, at + 4, [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

bool vulnerable(const RodTokens::Token& token) {
  return token.type == RodType::point_in_time_change_vulnerable;
}

void watch(const RodTokens::Token& token, bool one_more) {
  if (!vulnerable(token)) return;
  if (const auto unit = token.unit.lock()) unit->device_server().watch_changes(one_more);
}

bool is_of(const RodTokens::Token& token, const DeviceServer& server) {
  const auto unit = token.unit.lock();
  return unit != nullptr && &unit->device_server() == &server;
}

/// Takes the same time wherever the first difference is: a token must not be guessed bit by bit.
bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
  std::byte difference{0};
  for (std::size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == std::byte{0};
}

}  // namespace

std::uint64_t RodTokens::Token::blocks() const {
  std::uint64_t sum = 0;
  for (const BlockRange& it : ranges) sum += it.blocks;
  return sum;
}

RodTokens::~RodTokens() {
  remove_where([](const Token&) { return true; });
}

template <class Predicate>
void RodTokens::remove_where(Predicate predicate) {
  std::erase_if(tokens_, [&](const Token& it) {
    const bool goes = predicate(it);
    if (goes) watch(it, false);
    return goes;
  });
}

std::expected<TokenBytes, Sense> RodTokens::create(Token token, const Nexus& nexus) {
  const auto own = std::ranges::count(tokens_, nexus.initiator_name, &Token::initiator_name);
  if (tokens_.size() >= kMaxTokens || static_cast<std::size_t>(own) >= kMaxTokensOfInitiator)
    return std::unexpected(sense::kNoResourcesForToken);
  token.id = ++last_id_;
  token.initiator_name = nexus.initiator_name;
  token.used_at = now_;
  token.bytes = compose(token, nexus, random_);
  watch(token, true);
  tokens_.push_back(std::move(token));
  return tokens_.back().bytes;
}

const RodTokens::Token* RodTokens::use(std::span<const std::byte> bytes) {
  const auto it = std::ranges::find_if(
      tokens_, [&](const Token& token) { return same_bytes(token.bytes, bytes); });
  if (it == tokens_.end()) return nullptr;
  it->used_at = now_;
  return &*it;
}

bool RodTokens::holds(std::uint64_t id) const {
  return std::ranges::find(tokens_, id, &Token::id) != tokens_.end();
}

void RodTokens::remove(std::uint64_t id) {
  remove_where([&](const Token& it) { return it.id == id; });
}

void RodTokens::tick(Instant now) {
  now_ = now;
  remove_where([&](const Token& it) {
    return it.unit.expired() || now - it.used_at > std::chrono::seconds(it.timeout_s);
  });
}

void RodTokens::note_change(const DeviceServer& unit, std::uint64_t offset_bytes,
                            std::uint64_t length_bytes) {
  remove_where([&](const Token& it) {
    return vulnerable(it) && is_of(it, unit) &&
           std::ranges::any_of(it.ranges, [&](const BlockRange& range) {
             const std::uint64_t begin = range.lba * it.block_bytes;
             const std::uint64_t end = begin + range.blocks * it.block_bytes;
             return begin < offset_bytes + length_bytes && offset_bytes < end;
           });
  });
}

void RodTokens::forget(const DeviceServer& unit) {
  remove_where([&](const Token& it) { return is_of(it, unit); });
}

}  // namespace tsihd::scsi
