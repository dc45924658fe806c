// The bounds of a login: requests, text, keys, the lengths of keys and values (RFC 3720 5.1, 5.2).
// Each just within and just beyond.
#include <fmt/format.h>

#include "target/session/counters.h"
#include "target/session/keys.h"
#include "target/session/tests/login_support.h"

namespace tsihd::session {
namespace {

struct LimitsFixture : LoginFixture {
  bool failed_by(LoginLimit limit) const {
    return login->refusal_status() == LoginStatus::initiator_error && login->limit_hit() == limit;
  }
  /// So many keys that nobody knows, beginning with this number.
  static std::string unknown_keys(std::size_t first, std::size_t count) {
    std::string text;
    for (std::size_t i = first; i < first + count; ++i)
      text += fmt::format("X-com.example.key{}=1", i) + std::string(1, '\0');
    return text;
  }
  bool takes(const std::string& pair) {
    begin();
    return operational({pair}).state == LoginState::awaiting_admission;
  }
};

BOOST_FIXTURE_TEST_SUITE(login_limits, LimitsFixture)

// R3720-5.2-16. Red when a peer can hold a login open with requests without end.
BOOST_AUTO_TEST_CASE(endless_exchanges) {
  const auto exchanges_until_refused = [&](auto send) {
    for (int i = 1; i < 5000; ++i)
      if (const Reply reply = send(); reply.status() != 0) return i;
    return 5000;
  };
  BOOST_TEST(exchanges_until_refused([&] { return part(Stage::operational, ""); }) == 513);
  begin();
  request(Stage::operational, std::nullopt, names());
  BOOST_TEST(exchanges_until_refused([&] { return request(Stage::operational, std::nullopt); }) ==
             512);
  BOOST_TEST(failed_by(LoginLimit::exchanges));
  BOOST_TEST(log.find("request=513 status=0200 reason=\"no end after 512 requests") !=
             std::string::npos);
}

// R3720-5.1-04: 8192 bytes are taken; 16 KiB is the limit.
BOOST_AUTO_TEST_CASE(long_texts) {
  const std::string filler =
      "X-com.example.filler=" + std::string(7900, 'v') + std::string(1, '\0');
  part(Stage::operational, names());
  Reply reply = request(Stage::operational, Stage::full_feature, filler);
  BOOST_TEST((reply.state == LoginState::awaiting_admission));
  begin();
  part(Stage::operational, filler);
  BOOST_TEST(part(Stage::operational, filler).status() == 0);
  BOOST_TEST(part(Stage::operational, filler).status() == LoginStatus::initiator_error);
  BOOST_TEST(failed_by(LoginLimit::text_bytes));
  BOOST_TEST(log.find("peer=127.0.0.1:40000") != std::string::npos);
}

// Each unknown key is remembered, so that its repetition is noticed: at most 128 of them, however
// they are spread over requests and stages.
BOOST_AUTO_TEST_CASE(unknown_keys_of_a_whole_login) {
  constexpr std::size_t kMost = KeyLedger::kUnknownKeys;
  request(Stage::security, Stage::operational, names() + unknown_keys(0, 100));
  Reply reply = request(Stage::operational, std::nullopt, unknown_keys(100, kMost - 100));
  BOOST_TEST(reply.status() == 0);
  reply = request(Stage::operational, std::nullopt, {"HeaderDigest=None"});  // known ones go on
  BOOST_TEST(reply.status() == 0);
  reply = request(Stage::operational, Stage::full_feature, unknown_keys(kMost, 1));
  BOOST_TEST(reply.status() == LoginStatus::initiator_error);
  BOOST_TEST(failed_by(LoginLimit::keys));
  BOOST_TEST(log.find("more than 128 keys that are not known") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(pairs_of_one_text) {
  const std::string text = names() + unknown_keys(0, 125);  // 128 in all
  BOOST_TEST(request(Stage::operational, Stage::full_feature, text).status() == 0);
  begin();
  request(Stage::operational, Stage::full_feature, text + text_of({"HeaderDigest=None"}));
  BOOST_TEST(failed_by(LoginLimit::keys));
}

// 5.1: a key-name is a standard-label of at most 63 characters.
BOOST_AUTO_TEST_CASE(key_names) {
  BOOST_TEST(takes(std::string(63, 'K') + "=1"));
  BOOST_TEST(!takes(std::string(64, 'K') + "=1"));
  BOOST_TEST(takes("X#" + std::string(61, 'k') + "=1"));
  BOOST_TEST(!takes("X#" + std::string(62, 'k') + "=1"));
  for (const char* pair : {"key=1", "=1", "K y=1", "K/y=1", "Y#key=1", "1Key=1"})
    BOOST_TEST(!takes(pair), pair);
}

// 5.1: 255 bytes where a key says nothing else. The value of a number is limited, not its digits.
BOOST_AUTO_TEST_CASE(lengths_of_values) {
  BOOST_TEST(takes("InitiatorAlias=" + std::string(255, 'a')));
  BOOST_TEST(!takes("InitiatorAlias=" + std::string(256, 'a')));
  BOOST_TEST(takes("X#NodeArchitecture=" + std::string(255, 'a')));  // RFC 4850 2.1
  BOOST_TEST(!takes("X#NodeArchitecture=" + std::string(256, 'a')));
  BOOST_TEST(takes("MaxBurstLength=0x" + std::string(300, '0') + "1000"));
  BOOST_TEST(login->parameters().max_burst_length_bytes == 4096u);
  BOOST_TEST(takes("HeaderDigest=" + std::string(300, 'Y') + ",CRC32C"));  // a list
  BOOST_TEST(login->parameters().header_digest);
}

BOOST_AUTO_TEST_CASE(what_is_counted) {
  Counters counters;
  counters.login_failed(LoginStatus::not_found, LoginLimit::none);
  counters.login_failed(LoginStatus::initiator_error, LoginLimit::exchanges);
  counters.login_failed(LoginStatus::initiator_error, LoginLimit::text_bytes);
  counters.login_failed(LoginStatus::initiator_error, LoginLimit::keys);
  counters.login_failed(LoginStatus::success, LoginLimit::none);  // no Login Request came at all
  counters.login_failed(LoginStatus::moved_temporarily, LoginLimit::none);
  BOOST_TEST(counters.logins_failed == 5u);  // who is redirected has not failed
  std::uint64_t refused = 0;
  for (std::size_t i = 0; i < kLoginRefusals.size(); ++i) {
    refused += counters.logins_refused[i];
    const auto status = kLoginRefusals[i].status;
    const std::uint64_t expected = status == LoginStatus::moved_temporarily ? 1
                                   : status == LoginStatus::not_found       ? 1
                                   : status == LoginStatus::initiator_error ? 3
                                                                            : 0;
    BOOST_TEST(counters.logins_refused[i] == expected);
  }
  BOOST_TEST(refused == 5u);
  BOOST_TEST(counters.limit_login_exchanges == 1u);
  BOOST_TEST(counters.limit_login_text == 1u);
  BOOST_TEST(counters.limit_login_keys == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
