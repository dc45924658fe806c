// The login phase: each request gets exactly one well-formed Login Response that agrees with what
// the exchange says of its state, until it is over.
//
// Input: a byte of choices (CHAP, mutual CHAP, admission), then requests: a byte of flags (BHS byte
// 1), a byte that says which other fields are odd, two bytes for the length of the text, the text.
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "target/fuzz/script.h"
#include "target/session/login.h"
#include "target/session/login_status.h"
#include "target/wire/reader.h"
#include "target/wire/text.h"

namespace {

using tsihd::fuzz::require;
using tsihd::fuzz::Script;
namespace session = tsihd::session;
namespace wire = tsihd::wire;
using session::LoginState;
using Bytes = std::vector<std::byte>;

constexpr std::uint16_t kExistingTsih = 77;

/// One session, whoever asks.
struct Directory final : session::SessionDirectory {
  const session::NegotiatedParameters* find(const session::PortalGroup&, const std::string&,
                                            const std::array<std::uint8_t, 6>&,
                                            std::uint16_t tsih) const override {
    return tsih == kExistingTsih ? &parameters : nullptr;
  }
  session::NegotiatedParameters parameters;
};

/// Always the same: a corpus can hold right CHAP responses.
void no_random(std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{0x5a}); }

session::Inventory one_target(bool chap, bool mutual) {
  auto group = std::make_unique<session::PortalGroup>();
  group->attributes.generate_node_acls = true;
  group->attributes.authentication = chap;
  if (chap) {
    group->chap.userid = "user";
    group->chap.password = "secret-of-12";
  }
  if (mutual) {
    group->chap.mutual_userid = "target";
    group->chap.mutual_password = "another-secret";
  }
  group->portals.push_back({"192.0.2.100", 3260});
  group->offered.max_connections = 4;
  group->offered.error_recovery_level = 2;
  auto target = std::make_unique<session::TargetNode>();
  target->name = "iqn.2026-11.org.example:disk";
  target->portal_groups.push_back(std::move(group));
  session::Inventory inventory;
  inventory.discovery_authentication = chap;
  inventory.discovery_chap = target->portal_groups.front()->chap;
  inventory.targets.push_back(std::move(target));
  return inventory;
}

/// The next request of the script.
wire::LoginRequestBhs next_request(Script& script) {
  wire::LoginRequestBhs bhs;
  bhs.isid = {0x00, 0x02, 0x3d, 0, 0, 1};
  bhs.initiator_task_tag = 0x11223344u;
  bhs.cid = 1;
  bhs.cmd_sn = 100u;
  bhs.flags = script.byte();
  const std::uint8_t odd = script.byte();
  if (odd & 0x01) bhs.tsih = kExistingTsih;
  if (odd & 0x02) bhs.isid[5] = script.byte();
  if (odd & 0x04) bhs.initiator_task_tag = script.long_word();
  if (odd & 0x08) bhs.specific_3 = script.byte();  // Version-min
  if (odd & 0x10) bhs.opcode_byte = script.byte();
  if (odd & 0x20) bhs.cid = script.word();
  if (odd & 0x40) bhs.cmd_sn = script.long_word();
  if (odd & 0x80) {
    const std::size_t at = script.choose(wire::kBhsBytes);
    reinterpret_cast<std::byte*>(&bhs)[at] = static_cast<std::byte>(script.byte());
  }
  return bhs;
}

class Checker {
 public:
  void response(const wire::LoginRequestBhs& request, LoginState state, const Bytes& bytes) {
    wire::PduReader reader;
    reader.feed(bytes);
    wire::Pdu pdu;
    require(reader.next(pdu) == wire::PduReader::Event::pdu, "a response is a whole PDU");
    require(reader.unread().empty(), "there is one response");
    require(pdu.opcode() == wire::Opcode::login_response, "it is a Login Response");
    const auto& bhs = pdu.as<wire::LoginResponseBhs>();
    const bool transit = bhs.has(wire::LoginFlags::kTransit);
    const bool continues = bhs.has(wire::LoginFlags::kContinue);
    if (!tag_) tag_ = request.initiator_task_tag;
    require(bhs.initiator_task_tag == *tag_ || bhs.initiator_task_tag == request.initiator_task_tag,
            "the tag is the login's (a request with another one breaks a rule)");
    require(!(transit && continues), "T and C do not go together");
    require((bhs.status_class != 0) == (state == LoginState::failed), "a failure has a status");
    require(bhs.status_class == 0 || bhs.flags == 0, "a failure has no flags");
    if (state == LoginState::established)
      require(transit && wire::LoginFlags::next(bhs.flags) == wire::Stage::full_feature &&
                  bhs.tsih != 0,
              "the last response leads to full feature phase");
    if (bhs.status_class == 0) {  // else StatSN says nothing (10.13.4)
      if (stat_sn_) require(bhs.stat_sn == *stat_sn_ + 1, "StatSN counts the responses");
      stat_sn_ = bhs.stat_sn;
    }
    text_.append(wire::as_text(pdu.data));
    if (continues) return;
    require(wire::parse_text(text_).has_value(), "the text is key=value pairs");
    text_.clear();
  }

 private:
  std::optional<std::uint32_t> tag_;  ///< of the first request
  std::optional<std::uint32_t> stat_sn_;
  std::string text_;
};

void play(Script& script, session::LoginExchange& login, bool admitted) {
  Checker checker;
  LoginState state = LoginState::exchanging;
  while (state == LoginState::exchanging && !script.at_end()) {
    const wire::LoginRequestBhs request = next_request(script);
    const auto text = script.bytes(script.word() % 4096);
    Bytes bytes, response;
    wire::append_pdu(bytes, request, text);
    wire::PduReader reader;
    reader.feed(bytes);
    wire::Pdu pdu;
    if (reader.next(pdu) != wire::PduReader::Event::pdu) return;  // it lied about its length
    state = login.on_pdu(pdu, response);
    if (state == LoginState::awaiting_admission) {
      require(response.empty(), "the caller's word comes first");
      require(!login.identity().initiator_name.empty(), "who asks is known");
      state = admitted ? login.admit(kExistingTsih, response) : login.refuse(0x0302, response);
    }
    const bool answered = !response.empty();
    require(answered || state == LoginState::failed, "only the end may be silent");
    if (answered) checker.response(request, state, response);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  Script script(data, bytes);
  const std::uint8_t choices = script.byte();
  static const std::array<session::Inventory, 3> inventories{
      one_target(false, false), one_target(true, false), one_target(true, true)};
  static const Directory directory;
  static std::size_t logged_bytes = 0;
  session::LoginExchange login(session::LoginContext{
      inventories[choices % inventories.size()], directory, "192.0.2.100", 3260, "192.0.2.1:40000",
      no_random,
      tsihd::Log([](tsihd::Severity, std::string_view line) { logged_bytes += line.size(); })});
  play(script, login, (choices & 0x80) == 0);
  return 0;
}
