// The rules by subject, and small things that several of them say.
#pragma once

#include <span>

#include "harness/judge/rule.h"

namespace tsih::judge {

std::span<const Rule> form_rules();
std::span<const Rule> marker_rules();
std::span<const Rule> login_rules();
std::span<const Rule> numbering_rules();
std::span<const Rule> command_rules();
std::span<const Rule> data_in_rules();
std::span<const Rule> data_out_rules();
std::span<const Rule> r2t_rules();
std::span<const Rule> response_rules();
std::span<const Rule> management_rules();
std::span<const Rule> nop_rules();
std::span<const Rule> text_rules();
std::span<const Rule> logout_rules();
std::span<const Rule> snack_rules();
std::span<const Rule> recovery_rules();
std::span<const Rule> key_rules();
std::span<const Rule> answer_rules();
std::span<const Rule> authentication_rules();
std::span<const Rule> identity_rules();
std::span<const Rule> async_rules();
std::span<const Rule> reject_rules();
std::span<const Rule> closing_rules();

/// A value that must be this one.
inline Ruling equal(std::string_view what, std::uint64_t wanted, std::uint64_t actual) {
  if (wanted == actual) return Ruling::kept();
  return Ruling::broken(fmt::format("{} {}", what, wanted), fmt::format("{}", actual));
}

inline std::string hex(std::uint64_t value) { return fmt::format("0x{:x}", value); }

/// The same command once more (6.2.1): its number and its tag are those of a task that lives.
inline bool is_retry(const Moment& m) {
  return m.task && m.task->request[field::opcode] == m.pdu[field::opcode] &&
         m.task->request[field::cmd_sn] == m.pdu[field::cmd_sn] && !m.pdu[field::immediate];
}

/// Responses that end a task with their status.
inline bool ends_task(const Moment& m) {
  return !m.pdu.is(Opcode::data_in) || m.pdu[field::has_status] != 0;
}

}  // namespace tsih::judge
