// The binary values and the one-way functions of CHAP (RFC 3720 5.1, 11.1.4; RFC 1994 section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsihd::session {

using Bytes = std::vector<std::byte>;

inline constexpr std::size_t kMaxChapBytes = 1024;  ///< CHAP_C and CHAP_R (11.1.4-07)

/// A large-binary-value: hexadecimal after 0x (an odd first digit stands for a whole byte) or
/// base64 after 0b. Nothing when it is neither, empty, or longer than `max_bytes`. Decimal is not
/// allowed, as it has no length of its own (5.1-03).
std::optional<Bytes> decode_binary(std::string_view value, std::size_t max_bytes = kMaxChapBytes);
/// The hexadecimal form, which every initiator reads.
std::string encode_hex(std::span<const std::byte> bytes);

/// CHAP_A numbers: 5 of RFC 1994, 6 to 8 of IANA's PPP authentication algorithms registry.
enum class ChapAlgorithm : std::uint8_t { md5 = 5, sha1 = 6, sha256 = 7, sha3_256 = 8 };

/// True when libcrypto has the algorithm (a FIPS build may lack MD5).
bool is_available(ChapAlgorithm algorithm);
/// Bytes of a response, and of the challenges that we make.
std::size_t digest_bytes(ChapAlgorithm algorithm);
/// The hash of identifier, secret and challenge (RFC 1994 4.1).
Bytes chap_response(ChapAlgorithm algorithm, std::uint8_t identifier, std::string_view secret,
                    std::span<const std::byte> challenge);
/// Compares in a time that does not tell where they differ.
bool equal_secretly(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace tsihd::session
