#include "target/session/counters.h"

#include <algorithm>

namespace tsihd::session {

void Counters::login_failed(std::uint16_t status, LoginLimit limit) {
  constexpr int kRedirection = 1;
  if (status >> 8 != kRedirection) ++logins_failed;
  const auto named = std::ranges::find(kLoginRefusals, status, &NamedLoginStatus::status);
  if (named != kLoginRefusals.end())
    ++logins_refused[static_cast<std::size_t>(named - kLoginRefusals.begin())];
  if (limit == LoginLimit::exchanges) ++limit_login_exchanges;
  if (limit == LoginLimit::text_bytes) ++limit_login_text;
  if (limit == LoginLimit::keys) ++limit_login_keys;
}

}  // namespace tsihd::session
