#include "harness/suite/chap.h"

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>

namespace tsih::suite {

wire::Bytes chap_response(std::uint8_t identifier, std::string_view secret,
                          std::span<const std::uint8_t> challenge) {
  wire::Bytes input{identifier};
  input.insert(input.end(), secret.begin(), secret.end());
  input.insert(input.end(), challenge.begin(), challenge.end());
  wire::Bytes digest(16);
  unsigned size = 0;
  if (EVP_Digest(input.data(), input.size(), digest.data(), &size, EVP_md5(), nullptr) != 1)
    throw std::runtime_error("OpenSSL has no MD5 here, CHAP cannot be judged");
  return digest;
}

}  // namespace tsih::suite
