#include "target/backstore/atomic_entry.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

namespace tsihd::backstore {
namespace {

using Bytes = std::span<const std::byte>;
using Sha256 = std::array<std::byte, 32>;

constexpr std::string_view kMagic = "tsihd atomic w1\n";
constexpr std::size_t kOffsetAt = 16, kLengthAt = 24, kUnitAt = 32, kCheckAt = 64;
static_assert(kMagic.size() == kOffsetAt && kCheckAt + sizeof(Sha256) <= kAtomicHeaderBytes);
static_assert(kAtomicHeaderBytes +
                  2 * kMaxAtomicWriteBytes / kAtomicSectorBytes * sizeof(SectorDigest) <=
              kAtomicDataAt);

/// libcrypto fails here for want of memory only.
void check(int good) {
  if (good != 1) throw std::bad_alloc();
}

class Hasher {
 public:
  Hasher() {
    if (kind_ == nullptr || state_ == nullptr) throw std::bad_alloc();
  }
  /// Of the parts as if they were one.
  Sha256 of(Bytes first, Bytes second = {}) {
    Sha256 digest;
    check(EVP_DigestInit_ex(state_.get(), kind_.get(), nullptr));
    check(EVP_DigestUpdate(state_.get(), first.data(), first.size()));
    check(EVP_DigestUpdate(state_.get(), second.data(), second.size()));
    check(
        EVP_DigestFinal_ex(state_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr));
    return digest;
  }
  SectorDigest of_sector(Bytes data, std::size_t index) {
    SectorDigest half;
    const Sha256 whole = of(data.subspan(index * kAtomicSectorBytes, kAtomicSectorBytes));
    std::copy_n(whole.begin(), half.size(), half.begin());
    return half;
  }

 private:
  struct Free {
    void operator()(EVP_MD* kind) const { EVP_MD_free(kind); }
    void operator()(EVP_MD_CTX* state) const { EVP_MD_CTX_free(state); }
  };
  std::unique_ptr<EVP_MD, Free> kind_{EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  std::unique_ptr<EVP_MD_CTX, Free> state_{EVP_MD_CTX_new()};
};

void put64(std::byte* to, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) to[i] = static_cast<std::byte>(value >> 8 * i);
}
std::uint64_t get64(const std::byte* from) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= std::to_integer<std::uint64_t>(from[i]) << 8 * i;
  return value;
}

std::size_t sectors_of(std::size_t bytes) { return bytes / kAtomicSectorBytes; }
std::size_t digests_bytes(std::size_t bytes) {
  return 2 * sectors_of(bytes) * sizeof(SectorDigest);
}

std::vector<SectorDigest> take_digests(const std::byte*& from, std::size_t count) {
  std::vector<SectorDigest> digests(count);
  std::memcpy(digests.data(), from, count * sizeof(SectorDigest));
  from += count * sizeof(SectorDigest);
  return digests;
}

/// The length that the header states, when an entry of that length can be here.
std::optional<std::size_t> stated_length(Bytes content) {
  if (content.size() < kAtomicDataAt) return std::nullopt;
  if (std::memcmp(content.data(), kMagic.data(), kMagic.size()) != 0) return std::nullopt;
  const std::uint64_t length = get64(&content[kLengthAt]);
  const bool possible = length > 0 && length % kAtomicSectorBytes == 0 &&
                        length <= kMaxAtomicWriteBytes && length <= content.size() - kAtomicDataAt;
  return possible ? std::optional<std::size_t>(length) : std::nullopt;
}

bool holds_data(const AtomicEntry& entry, Hasher& hasher) {
  for (std::size_t i = 0; i < entry.after.size(); ++i)
    if (hasher.of_sector(entry.data, i) != entry.after[i]) return false;
  return true;
}

}  // namespace

std::vector<std::byte> encode_index(const std::string& serial, std::uint64_t offset_bytes,
                                    Bytes before, Bytes data) {
  assert(before.size() == data.size() && data.size() <= kMaxAtomicWriteBytes);
  Hasher hasher;
  std::vector<std::byte> index(kAtomicHeaderBytes + digests_bytes(data.size()));
  std::memcpy(index.data(), kMagic.data(), kMagic.size());
  put64(&index[kOffsetAt], offset_bytes);
  put64(&index[kLengthAt], data.size());
  std::ranges::copy(hasher.of(std::as_bytes(std::span(serial))), &index[kUnitAt]);
  std::byte* to = &index[kAtomicHeaderBytes];
  for (Bytes side : {before, data})
    for (std::size_t i = 0; i < sectors_of(side.size()); ++i)
      to = std::ranges::copy(hasher.of_sector(side, i), to).out;
  const Bytes all(index);
  std::ranges::copy(hasher.of(all.first(kCheckAt), all.subspan(kAtomicHeaderBytes)),
                    &index[kCheckAt]);
  return index;
}

std::expected<AtomicEntry, NoEntry> decode_entry(Bytes content, const std::string& serial) {
  const Bytes header = content.first(std::min(content.size(), kAtomicHeaderBytes));
  if (std::ranges::all_of(header, [](std::byte b) { return b == std::byte{0}; }))
    return std::unexpected(NoEntry::cleared);
  const auto length = stated_length(content);
  if (!length) return std::unexpected(NoEntry::torn);
  Hasher hasher;
  const Bytes digests = content.subspan(kAtomicHeaderBytes, digests_bytes(*length));
  if (!std::ranges::equal(hasher.of(content.first(kCheckAt), digests),
                          content.subspan(kCheckAt, sizeof(Sha256))))
    return std::unexpected(NoEntry::torn);
  AtomicEntry entry{.offset_bytes = get64(&content[kOffsetAt]),
                    .before = {},
                    .after = {},
                    .data = content.subspan(kAtomicDataAt, *length)};
  const std::byte* from = digests.data();
  entry.before = take_digests(from, sectors_of(*length));
  entry.after = take_digests(from, sectors_of(*length));
  if (!holds_data(entry, hasher)) return std::unexpected(NoEntry::torn);
  if (!std::ranges::equal(hasher.of(std::as_bytes(std::span(serial))),
                          content.subspan(kUnitAt, sizeof(Sha256))))
    return std::unexpected(NoEntry::another_disk);
  return entry;
}

InPlace compare(const AtomicEntry& entry, Bytes found) {
  Hasher hasher;
  bool all_before = true, all_after = true;
  const std::size_t sectors = std::min(sectors_of(found.size()), entry.before.size());
  for (std::size_t i = 0; i < sectors; ++i) {
    const SectorDigest now = hasher.of_sector(found, i);
    const bool before = now == entry.before[i], after = now == entry.after[i];
    if (!before && !after) return InPlace::foreign;
    all_before = all_before && before;
    all_after = all_after && after;
  }
  if (all_before) return InPlace::before;
  return all_after ? InPlace::after : InPlace::torn;
}

}  // namespace tsihd::backstore
