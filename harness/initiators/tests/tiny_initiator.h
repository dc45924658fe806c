// A tiny initiator that keeps the rules, and breaks one when it is told to: what the cases for
// initiators are tested with. It looks at all that it is told; anything wrong makes it throw, and
// its program ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/wire/pdu.h"
#include "harness/wire/reader.h"
#include "harness/wire/text.h"

namespace tsih::initiators::testing {

using namespace wire;

constexpr std::uint32_t kBlockBytes = 512, kCopyBytes = 64u << 10;

/// Is this the rule that was to be broken? Empty for a good initiator.
bool breaks(const char* rule);
void break_rule(const std::string& rule);

/// What made it give up.
struct Wrong {
  std::string what;
};
/// The target is elsewhere.
struct Moved {
  std::string portal;
};

/// Throws when something is wrong, unless the rule to look at it is the one that is broken.
void require(bool right, const char* what, const char* unless);

struct Task {
  Pdu command;
  Bytes data;  ///< to write, or read so far
  std::uint32_t data_sn = 0;
  std::uint32_t r2t_sn = 0;
  bool done = false;
  std::uint8_t status = 0;
};

class Tiny {
 public:
  explicit Tiny(bool discovery) : discovery_(discovery) {}
  ~Tiny();
  Tiny(const Tiny&) = delete;
  Tiny& operator=(const Tiny&) = delete;

  void connect_to(const std::string& portal);
  void log_in(const std::string& target);
  void log_out();
  void discover();
  /// Begins this task and aborts it at once.
  void abort(Task& task);
  /// All of these at once, as far as the window lets them.
  void carry_out(std::vector<Task>& tasks);

 private:
  void send(Pdu pdu);
  Pdu receive();
  void number(Pdu& pdu, bool immediate = false);
  TextKeys exchange(Pdu request, const TextKeys& keys);
  Pdu login_response_to(const Pdu& request);
  void check_answers(const TextKeys& offers, const TextKeys& answers);
  void take_numbers(const Pdu& pdu);
  bool window_open() const;
  void start(Task& task);
  void take(std::vector<Task>& tasks, const Pdu& pdu);
  void take_data_in(Task& task, const Pdu& pdu);
  void take_r2t(Task& task, const Pdu& pdu);
  void take_status(Task& task, const Pdu& pdu);
  void take_nop_in(const Pdu& pdu);
  void take_async(const Pdu& pdu);
  void carry_on_regardless();
  void send_data(Task& task, std::uint32_t tag, std::uint32_t from, std::uint32_t bytes);
  std::uint32_t most_bytes() const;  ///< of data in one PDU to the target
  std::uint32_t agreed(const char* key, std::uint32_t otherwise) const;

  bool discovery_;
  int fd_ = -1;
  PduReader reader_;
  Digests digests_;
  bool established_ = false;
  TextKeys offered_, answered_;
  std::vector<Pdu> held_;  ///< R2Ts that are answered late, against the rules
  std::uint32_t cmd_sn_ = 100, exp_stat_sn_ = 0, max_cmd_sn_ = 0, next_tag_ = 1;
};

}  // namespace tsih::initiators::testing
