#include "harness/initiators/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "harness/suite/runner.h"

namespace tsih::initiators {

using wire::Opcode;
using wire::Pdu;
namespace field = wire::field;

namespace {

// Tells one trial's fence from another's, and from tags of R2Ts.
constexpr std::uint32_t kFenceTag = 0x7e9ce001;

constexpr std::size_t kCopyBytes = 64u << 10;  // of the action copy

constexpr int kGraceMs = 500;  // a busy machine is no offence

const Settings* judged = nullptr;

bool has_operation(const Pdu& pdu, std::initializer_list<std::uint8_t> operations) {
  return pdu.is(Opcode::scsi_command) &&
         std::ranges::find(operations, pdu.header[32]) != operations.end();
}

bool answers_ping(const Pdu& pdu, std::uint32_t tag) {
  return pdu.is(Opcode::nop_out) && pdu[field::target_transfer_tag] == tag;
}

}  // namespace

bool is_read(const Pdu& pdu) { return has_operation(pdu, {0x08, 0x28, 0xa8, 0x88}); }
bool is_write(const Pdu& pdu) { return has_operation(pdu, {0x0a, 0x2a, 0xaa, 0x8a}); }

Want request(Opcode opcode) {
  return {fmt::format("a {}", wire::opcode_name(static_cast<std::uint8_t>(opcode))),
          [=](const Peer&, const Pdu& pdu) { return pdu.is(opcode); }};
}
Want read_command() {
  return {"a READ", [](const Peer&, const Pdu& pdu) { return is_read(pdu); }};
}
Want write_command() {
  return {"a WRITE", [](const Peer&, const Pdu& pdu) { return is_write(pdu); }};
}
Want any_command() { return request(Opcode::scsi_command); }
Want login_in(Stage stage) {
  return {fmt::format("a Login Request in stage {}", static_cast<int>(stage)),
          [=](const Peer&, const Pdu& pdu) {
            return pdu.is(Opcode::login_request) && pdu[field::csg] == stage;
          }};
}
Want login_at_portal(unsigned portal) {
  return {portal == 0 ? "a login" : "a login at the other portal",
          [=](const Peer& peer, const Pdu& pdu) {
            return pdu.is(Opcode::login_request) && peer.portal == portal;
          }};
}

void Trial::judge(const Settings& settings) { judged = &settings; }

void Trial::run_current(const Maker& make) {
  TrialContext context(*judged, suite::current_seed());
  suite::carry_out(context, [&] { make(context)->converse(); });
}

Taken Trial::serve_until(const Want& want) {
  Met met = target_.serve_until(want);
  return {*met.peer, *met.pdu};
}

Taken Trial::expect_until(const Want& want) {
  try {
    return serve_until(want);
  } catch (const suite::Inconclusive& inconclusive) {
    fail(want.words, inconclusive.why);
  }
}

void Trial::offered(bool yes, const std::string& what) {
  if (!yes) throw suite::Unsupported{what};
}

std::vector<Pdu> Trial::up_to_pong(Peer& peer) {
  std::vector<Pdu> before;
  peer.send(peer.ping(kFenceTag));
  while (true) {
    const Met met = target_.next_of(peer);
    if (!met.pdu) fail("the ping that followed to be answered", met.words);
    if (answers_ping(*met.pdu, kFenceTag)) return before;
    before.push_back(*met.pdu);
    peer.serve(*met.pdu);
  }
}

void Trial::expect_goes_on(Peer& peer) {
  const std::uint32_t told = peer.stat_sn;
  peer.send(peer.ping(kFenceTag));
  while (true) {
    const Met met = target_.next_of(peer);
    if (!met.pdu && peer.logged_out) return confirm("the session went on to an orderly logout");
    if (!met.pdu) fail("the session to go on", met.words);
    if (answers_ping(*met.pdu, kFenceTag))
      return verify(static_cast<std::int32_t>(peer.acknowledged - told) >= 0,
                    fmt::format("the ping answered with ExpStatSN {} at least", told),
                    fmt::format("ExpStatSN {}", peer.acknowledged));
    peer.serve(*met.pdu);
  }
}

void Trial::expect_gives_up(Peer& peer, const std::string& because) {
  peer.send(peer.ping(kFenceTag));
  while (true) {
    const Met met = target_.next_of(peer);
    if (!met.pdu) return confirm(met.words);
    if (met.pdu->is(Opcode::logout_request)) return confirm(met.words);
    if (answers_ping(*met.pdu, kFenceTag))
      fail(fmt::format("the connection to end: {}", because),
           "the session going on: the ping that followed was answered");
    // What was on its way already says nothing; it stays unanswered.
  }
}

void Trial::expect_login_ends(Peer& peer, const std::string& because) {
  const std::string expected = fmt::format("the connection to end: {}", because);
  while (true) {
    const Met met = target_.next_of(peer);
    if (!met.pdu) return confirm(met.words);
    if (peer.full_feature || met.pdu->is(Opcode::login_request)) fail(expected, met.words);
  }
}

Pdu Trial::moved(Peer& peer, const Pdu& request, std::uint16_t status) {
  Pdu response = peer.login_failure(request, status);
  response.data = wire::encode_text({{"TargetAddress", service().other_portal}});
  return response;
}

void Trial::expect_arrival() {
  while (auto met = target_.next()) {
    if (!met->pdu) continue;
    if (met->peer->portal == 1) return confirm("a login at the portal named");
    met->peer->serve(*met->pdu);
  }
  fail("a login at the portal named", "none");
}

Pdu Trial::expect_reaction(Peer& peer, const Want& want) {
  try {
    return expect(peer, want);
  } catch (const suite::Inconclusive& inconclusive) {
    if (!context_.went_silent) throw;
    fail(want.words, inconclusive.why);
  }
}

Pdu Trial::expect_within(Peer& peer, const Want& want, int seconds) {
  const int usual_ms = std::exchange(context_.timeout_ms, seconds * 1000 + kGraceMs);
  const Pdu pdu =
      expect_reaction(peer, {fmt::format("{} within {} s", want.words, seconds), want.is});
  context_.timeout_ms = usual_ms;
  return pdu;
}

void Trial::expect_closed(Peer& peer) {
  try {
    const Met met = target_.next_of(peer);
    verify(!met.pdu, "the connection to be closed", met.words);
  } catch (const suite::Inconclusive& inconclusive) {
    if (!context_.went_silent) throw;
    fail("the connection to be closed", inconclusive.why);
  }
}

void Trial::expect_unacknowledged(Peer& peer, std::uint32_t stat_sn) {
  peer.send(peer.ping(kFenceTag));
  while (true) {
    const Met met = target_.next_of(peer);
    if (!met.pdu) return confirm(met.words);
    if (static_cast<std::int32_t>(met.pdu->u32(field::exp_stat_sn) - stat_sn) > 0)
      fail(fmt::format("StatSN {} to be asked for, or the connection to end", stat_sn),
           "it acknowledged: " + met.words);
    if (met.pdu->is(Opcode::logout_request)) return confirm(met.words);
  }
}

void Trial::expect_none(Peer& peer, const std::string& what,
                        const std::function<bool(const Pdu&)>& is) {
  peer.send(peer.ping(kFenceTag));
  while (true) {
    const Met met = target_.next_of(peer);
    if (met.pdu && is(*met.pdu)) fail("no " + what, met.words);
    if (!met.pdu || answers_ping(*met.pdu, kFenceTag)) return confirm("no " + what);
    peer.serve(*met.pdu);
  }
}

Pdu Trial::expect(Peer& peer, const Want& want) {
  while (true) {
    const Met met = target_.next_of(peer);
    if (!met.pdu) fail(want.words, met.words);
    if (want.is(peer, *met.pdu)) return *met.pdu;
    peer.serve(*met.pdu);
  }
}

std::vector<Pdu> Trial::expect_data_outs(Peer& peer, const Pdu& r2t) {
  std::vector<Pdu> data_outs;
  const Want answer{"solicited Data-Out", [&](const Peer&, const Pdu& pdu) {
                      return pdu.is(Opcode::data_out) &&
                             pdu[field::initiator_task_tag] == r2t[field::initiator_task_tag] &&
                             pdu[field::target_transfer_tag] != wire::kReservedTag;
                    }};
  const auto tag = r2t[field::target_transfer_tag];
  do {
    data_outs.push_back(expect_reaction(peer, answer));
    if (data_outs.back()[field::target_transfer_tag] != tag)
      fail(fmt::format("Data-Out with transfer tag {}", tag), wire::describe(data_outs.back()));
  } while (!data_outs.back()[field::final]);
  return data_outs;
}

void Trial::expect_good_end() {
  int status = -1;
  try {
    status = target_.serve_to_the_end();
  } catch (const suite::Inconclusive& inconclusive) {
    if (!context_.went_silent) throw;
    fail("the initiator to end its work", inconclusive.why);
  }
  if (target_.peers().empty())
    throw suite::Inconclusive{
        fmt::format("the initiator ended with status {} without a connection: {}", status,
                    target_.program().last_words())};
  if (status != 0)
    fail("the initiator to end its work well",
         fmt::format("exit status {}: {}", status, target_.program().last_words()));
  confirm("the initiator ended its work well");
}

// The first bytes of the disk and their place 64 KiB further differ until they were copied.
Trial::Copied Trial::copied() const {
  const Disk& disk = target_.service.disk;
  const auto now = disk.bytes(kCopyBytes, kCopyBytes);
  if (std::ranges::equal(now, disk.bytes(0, kCopyBytes))) return Copied::right;
  const Disk untouched;
  return std::ranges::equal(now, untouched.bytes(kCopyBytes, kCopyBytes)) ? Copied::nothing
                                                                          : Copied::wrong;
}

void Trial::expect_copied() {
  expect_good_end();
  if (copied() == Copied::nothing) throw suite::Unsupported{"to write what was read"};
  const bool right = copied() == Copied::right;
  verify(right, "what was read to be written", right ? "just that" : "other bytes");
}

void Trial::expect_not_deceived() {
  const int status = target_.serve_to_the_end();
  if (copied() == Copied::nothing && status == 0)
    throw suite::Unsupported{"to write what was read"};
  const bool wrong = copied() == Copied::wrong;
  verify(!wrong, "the read to fail or to be made good",
         wrong ? "the initiator took wrong data for good and wrote them" : "nothing wrong written");
}

void Trial::verify(bool kept, const std::string& expected, const std::string& actual) {
  if (!kept) context_.fail(expected, actual);
  context_.confirm(actual);
}

void Trial::verify_equal(const std::string& what, std::uint64_t expected, std::uint64_t actual) {
  verify(expected == actual, fmt::format("{} {}", what, expected),
         fmt::format("{} {}", what, actual));
}

}  // namespace tsih::initiators
