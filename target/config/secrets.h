// What RFC 3720 8.2.1 asks of all CHAP secrets of a configuration together.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "target/config/plan.h"

namespace tsihd::config {

/// 96 bits: a shorter secret can be guessed off-line by who has seen it used (8.2.1).
inline constexpr std::size_t kMinSecretBytes = 12;

/// Secrets that authenticate an initiator in one place and a target in another (8.2.1-08): a line
/// each, by their JSON paths, which hold for a plan that was read without a refusal. None holds a
/// secret.
std::vector<std::string> secret_refusals(const Plan& plan);

/// What may be served and should not be: one line for all secrets that are too short, one each for
/// secrets that several initiators or several targets share (8.2.1-04, 8.2.1-13).
std::vector<std::string> secret_warnings(const Plan& plan);

/// The line for secrets that are too short, which stand at `where`.
std::string short_secret_warning(std::string_view where);

}  // namespace tsihd::config
