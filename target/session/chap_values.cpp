#include "target/session/chap_values.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <memory>

namespace tsihd::session {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

std::optional<Bytes> decode_hex(std::string_view digits) {
  Bytes bytes;
  bytes.reserve((digits.size() + 1) / 2);
  bool high = digits.size() % 2 == 0;  // the first digit of an odd number stands alone
  int pending = 0;
  for (char c : digits) {
    const int digit = hex_digit(c);
    if (digit < 0) return std::nullopt;
    if (high) {
      pending = digit << 4;
    } else {
      bytes.push_back(static_cast<std::byte>(pending | digit));
      pending = 0;
    }
    high = !high;
  }
  return bytes;
}

std::optional<Bytes> decode_base64(std::string_view digits) {
  for (int pads = 0; pads < 2 && digits.ends_with('='); ++pads) digits.remove_suffix(1);
  if (digits.size() % 4 == 1) return std::nullopt;  // 5.1: no string encodes to that
  Bytes bytes;
  bytes.reserve(digits.size() * 3 / 4);
  unsigned collected = 0, bits = 0;
  for (char c : digits) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    collected = (collected << 6 | static_cast<unsigned>(digit)) & 0xfff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::byte>(collected >> bits & 0xff));
  }
  return bytes;
}

const EVP_MD* message_digest(ChapAlgorithm algorithm) {
  switch (algorithm) {
    case ChapAlgorithm::md5:
      return EVP_md5();
    case ChapAlgorithm::sha1:
      return EVP_sha1();
    case ChapAlgorithm::sha256:
      return EVP_sha256();
    case ChapAlgorithm::sha3_256:
      return EVP_sha3_256();
  }
  return nullptr;
}

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;

}  // namespace

std::optional<Bytes> decode_binary(std::string_view value, std::size_t max_bytes) {
  if (value.size() < 3 || value[0] != '0') return std::nullopt;
  const std::string_view digits = value.substr(2);
  if (digits.size() > 2 * max_bytes) return std::nullopt;  // longer than both encodings can be
  std::optional<Bytes> bytes;
  if (value[1] == 'x' || value[1] == 'X') bytes = decode_hex(digits);
  if (value[1] == 'b' || value[1] == 'B') bytes = decode_base64(digits);
  if (bytes && (bytes->empty() || bytes->size() > max_bytes)) return std::nullopt;
  return bytes;
}

std::string encode_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "0x";
  text.reserve(2 + 2 * bytes.size());
  for (std::byte byte : bytes) {
    text.push_back(kDigits[std::to_integer<unsigned>(byte) >> 4]);
    text.push_back(kDigits[std::to_integer<unsigned>(byte) & 0xf]);
  }
  return text;
}

bool is_available(ChapAlgorithm algorithm) {
  const EVP_MD* digest = message_digest(algorithm);
  if (digest == nullptr) return false;
  const Context context(EVP_MD_CTX_new());
  return context && EVP_DigestInit_ex(context.get(), digest, nullptr) == 1;
}

std::size_t digest_bytes(ChapAlgorithm algorithm) {
  return static_cast<std::size_t>(EVP_MD_get_size(message_digest(algorithm)));
}

Bytes chap_response(ChapAlgorithm algorithm, std::uint8_t identifier, std::string_view secret,
                    std::span<const std::byte> challenge) {
  Bytes response(digest_bytes(algorithm));
  const Context context(EVP_MD_CTX_new());
  const bool done =
      context && EVP_DigestInit_ex(context.get(), message_digest(algorithm), nullptr) == 1 &&
      EVP_DigestUpdate(context.get(), &identifier, 1) == 1 &&
      EVP_DigestUpdate(context.get(), secret.data(), secret.size()) == 1 &&
      EVP_DigestUpdate(context.get(), challenge.data(), challenge.size()) == 1 &&
      EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(response.data()),
                         nullptr) == 1;
  if (!done) response.clear();  // equal to nothing
  return response;
}

bool equal_secretly(std::span<const std::byte> a, std::span<const std::byte> b) {
  return !a.empty() && a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tsihd::session
