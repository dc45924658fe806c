// The session guard: who gets the place when two machines want it. It ends the split brain of a
// virtual machine that runs twice, and with the guard off it does what RFC 3720 5.3.4 and 5.3.5
// say of reinstatement.
//
// Words
// - A portal group has places: TPG attribute max_sessions, 0 for no limit. Normal sessions take
//   them; a session holds its place until the last of its commands is back from the disks.
// - A machine is an initiator name at a source address. The name alone does not tell the copies of
//   a machine apart, the ISID neither (open-iscsi's is a prefix and a counter).
// - A newcomer has passed authentication and negotiation; its last Login Response waits for the
//   guard. Its rivals are the session of the same initiator port (name and ISID), if there is one,
//   and, when the group would hold more than max_sessions, the group's other sessions.
//
// session_guard off: the session of the same port is reinstated at once (5.3.5), a newcomer beyond
// max_sessions is refused.
//
// reject: every rival gets a NOP-In. Any PDU from it within guard_probe_ms is a sign of life. When
// too many live for the newcomer to get in, it is refused with guard_refusal_status; else the
// silent ones are logged out implicitly, oldest first, as many as it takes. A living machine of the
// same port keeps its session: RFC 3720 5.3.5 would give it to the newcomer; that is what makes two
// copies evict each other for ever, and why this deviation exists.
//
// fence: rivals lose at once, the same port and the same name before others, the oldest first. Each
// is told (Async Message 3, Time2Wait = fence_hold_s), logged out, and fenced: its name at its
// address is refused at login until unfence() or until fence_hold_s has passed. After that time it
// may try again, but against the machine that displaced it, as long as that lives, it is judged as
// in reject mode: a copy that retries for ever must not win every fence_hold_s seconds.
//
// Both modes: a machine that comes back from its own address is the same machine after a crash. Its
// own old session is judged as in reject mode, in fence mode too: nothing answers there (after a
// boot the old TCP connection is reset as soon as the NOP-In arrives, else guard_probe_ms passes),
// it gets its place back, and no fence is put up against its own name and address. Two copies
// behind one address (NAT) look like that as well; then the living one keeps the place.
//
// The takeover: the loser's connection is reset, its session ends, and the newcomer's last Login
// Response waits until every command of the loser is finished or aborted at its disk: no write of
// it can land after the newcomer's first command. The reset matters where the loser's cable is cut:
// a socket closed in order would go on sending for minutes, and a status from before the takeover
// would reach the loser after it. When a disk holds a command for longer than the
// login may take, the newcomer's login times out; the place stays taken until the command is back.
// The place is given in the same step that ends the wait, so two newcomers never share it: a second
// one waits until the first is decided and is then judged against what it finds.
//
// A connection that joins a session by its TSIH (5.3.4, 5.3.6) takes no place. When it brings the
// CID of a connection that is there, that one is replaced: at once with the guard off, else only
// when it does not answer. From another address than the session's it is a copy of the machine,
// memory and all: with a guard on, the whole session is its rival.
//
// Discovery sessions take no place and have no rivals.
//
// Log, one line a decision:
//   guard decision=admit|wait|probe|refuse|takeover|reinstate|fence|fence-refuse|unfence
//         initiator=NAME target=NAME,TAG newcomer=ADDR:PORT incumbent=ADDR:PORT reason="..."
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "target/base/time.h"
#include "target/session/nouns.h"
#include "target/session/service.h"

namespace tsihd::session {

class Session;

class Guard {
 public:
  /// Fences held at once; the oldest goes when one more is put up.
  static constexpr std::size_t kMaxFences = 256;

  explicit Guard(Service& service) : service_(service) {}

  /// A newcomer asks for its place. Exactly one of Connection::admit() and refuse() is called, now
  /// or later, unless it withdraws.
  void ask(Connection& newcomer);
  /// The newcomer is gone or has waited too long. Harmless when it asked for nothing.
  void withdraw(Connection& newcomer);
  /// A whole PDU came from this session's initiator, over the connection of this link.
  void heard_from(const Session& session, std::uint32_t link) {
    if (probes_out_ > 0) sign_of_life(session, link);
  }
  /// Something that a newcomer may wait for has happened; advance() is due.
  void wake() { due_ = true; }
  bool due() const { return due_; }
  /// Looks at every newcomer that waits. Never called from within a session or a connection.
  void advance();
  Instant next_deadline() const;

  std::size_t unfence(std::string_view initiator_name);
  std::vector<FenceInfo> fences() const;

 private:
  struct Probe {
    std::uint64_t session_id;
    std::uint32_t link;  ///< of one connection; 0: any of the session's will do
    Instant deadline;
    bool alive = false;
  };
  struct Leaving {
    std::uint64_t session_id;
    std::uint32_t link;
  };
  struct Admission {
    Connection* newcomer = nullptr;
    std::vector<Probe> probes;
    std::vector<std::uint64_t> losers;  ///< logged out for this newcomer, until they are gone
    std::vector<Leaving> leaving;       ///< connections, until their commands are back
    std::uint64_t held_open = 0;        ///< the session that waits for this newcomer, by its id
    bool wait_logged = false;
  };
  struct Fence {
    std::string initiator_name;
    std::string address;
    const TargetNode* target;
    const PortalGroup* group;
    Instant until;
    std::string winner_name;
    std::string winner_address;
  };
  enum class Vital : std::uint8_t { unknown, alive, silent };
  struct Decision {
    enum class Kind : std::uint8_t { wait, admit, refuse } kind = Kind::wait;
    std::uint16_t status = 0;
    Session* session = nullptr;  ///< admit: the session to join (5.3.4, 5.3.6), null for a new one
  };
  struct Rivals;

  Decision judge(Admission& admission);
  Decision judge_joiner(Admission& admission, bool displaced);
  void replace(Admission& admission, Session& session, const std::vector<Connection*>& losers,
               bool by_force);
  void release_hold(const Admission& admission);
  Decision judge_rivals(Admission& admission, const Rivals& rivals, bool displaced);
  Rivals rivals_of(const Connection& newcomer) const;
  bool waits_for_another(const Admission& admission) const;
  bool losers_gone(Admission& admission) const;
  Vital vital(Admission& admission, Session& rival, std::uint32_t link);
  void evict(Admission& admission, Session& loser, bool by_force);
  Decision refuse(const Connection& newcomer, const Session* incumbent, std::string_view reason);
  void carry_out(std::unique_ptr<Admission> admission, const Decision& decision);
  void put_up(const Connection& winner, const Session& loser);
  Fence* fence_against(const Connection& newcomer);
  bool winner_lives(const Fence& fence) const;
  void sign_of_life(const Session& session, std::uint32_t link);
  void log(std::string_view decision, const Connection& newcomer, const Session* incumbent,
           std::string_view reason) const;

  Service& service_;
  std::vector<std::unique_ptr<Admission>> admissions_;  ///< in order of asking
  std::deque<Fence> fences_;
  std::size_t probes_out_ = 0;
  bool due_ = false;
};

}  // namespace tsihd::session
