// For the tests of the login phase: an inventory with one target, and an initiator that puts
// together any Login Request and takes the response apart.
#pragma once

#include <boost/test/unit_test.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/session/login.h"
#include "target/session/login_status.h"
#include "target/wire/reader.h"
#include "target/wire/text.h"

namespace tsihd::session {

using wire::LoginFlags;
using wire::Stage;

inline constexpr std::string_view kInitiator = "iqn.2001-04.com.example:host";
inline constexpr std::string_view kTarget = "iqn.2001-04.com.example:disk";

/// "Key=Value" items as a text data segment.
inline std::string text_of(std::initializer_list<std::string_view> pairs) {
  std::string text;
  for (std::string_view pair : pairs) text.append(pair).push_back('\0');
  return text;
}

/// One session, or none, of the fixture's initiator port.
struct FakeDirectory final : SessionDirectory {
  std::uint16_t tsih = 0;              ///< 0: there is none
  const PortalGroup* group = nullptr;  ///< null: whatever group is asked for
  NegotiatedParameters parameters;
  const NegotiatedParameters* find(const PortalGroup& asked_group, const std::string& name,
                                   const std::array<std::uint8_t, 6>& isid,
                                   std::uint16_t asked) const override {
    const bool here = tsih != 0 && asked == tsih && (group == nullptr || group == &asked_group) &&
                      name == kInitiator && isid[0] == 0x40;
    return here ? &parameters : nullptr;
  }
};

/// A Login Response taken apart.
struct Reply {
  LoginState state{};
  bool any = false;  ///< false: no response was written
  wire::LoginResponseBhs bhs;
  std::string text;

  std::uint16_t status() const {
    return static_cast<std::uint16_t>(bhs.status_class << 8 | bhs.status_detail);
  }
  bool transit() const { return bhs.has(LoginFlags::kTransit); }
  bool continues() const { return bhs.has(LoginFlags::kContinue); }
  Stage next() const { return LoginFlags::next(bhs.flags); }
  std::optional<std::string> value(std::string_view key) const {
    const auto pairs = wire::parse_text(text);
    BOOST_REQUIRE(pairs.has_value());
    for (const auto& pair : *pairs)
      if (pair.key == key) return std::string(pair.value);
    return std::nullopt;
  }
};

/// Counts up, so that runs repeat.
inline void counting_random(std::span<std::byte> bytes) {
  static unsigned next = 0;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(++next * 37);
}

struct LoginFixture {
  LoginFixture() {
    auto target = std::make_unique<TargetNode>();
    target->name = kTarget;
    auto made = std::make_unique<PortalGroup>();
    made->tag = 7;
    made->attributes.generate_node_acls = true;
    made->portals.push_back({"127.0.0.1", 3260});
    group = made.get();
    target->portal_groups.push_back(std::move(made));
    inventory.targets.push_back(std::move(target));
    begin();
  }

  /// A new connection.
  void begin() {
    login = std::make_unique<LoginExchange>(LoginContext{
        inventory, directory, local_address, 3260, "127.0.0.1:40000", counting_random,
        Log([this](Severity, std::string_view line) { log += std::string(line) + "\n"; })});
    header = {};
    header.isid = {0x40, 0, 0, 0x12, 0x34, 0x56};
    header.initiator_task_tag = 0x11223344;
    header.cid = 1;
    header.cmd_sn = 100;
    header.exp_stat_sn = 500;
  }

  Reply send_pdu(const auto& bhs, std::string_view data) {
    std::vector<std::byte> bytes, response;
    wire::append_pdu(bytes, bhs, wire::as_bytes(data));
    wire::PduReader reader;
    reader.set_max_data_segment_bytes(wire::kMaxDataSegmentBytes);
    reader.feed(bytes);
    wire::Pdu pdu;
    BOOST_REQUIRE((reader.next(pdu) == wire::PduReader::Event::pdu));
    const LoginState state = login->on_pdu(pdu, response);
    return take_apart(state, response);
  }

  Reply take_apart(LoginState state, const std::vector<std::byte>& response) {
    Reply reply;
    reply.state = state;
    if (response.empty()) return reply;
    reply.any = true;
    wire::PduReader reader;
    reader.feed(response);
    wire::Pdu pdu;
    BOOST_REQUIRE((reader.next(pdu) == wire::PduReader::Event::pdu));
    BOOST_TEST(reader.unread().empty());  // exactly one response
    BOOST_TEST((pdu.opcode() == wire::Opcode::login_response));
    reply.bhs = pdu.as<wire::LoginResponseBhs>();
    reply.text = wire::as_text(pdu.data);
    check_header(reply);
    return reply;
  }

  /// What holds for each response of 10.13, whatever it says.
  void check_header(const Reply& reply) {
    const auto& bhs = reply.bhs;
    BOOST_TEST(bhs.initiator_task_tag == header.initiator_task_tag);
    BOOST_TEST((bhs.isid == header.isid));
    BOOST_TEST(bhs.opcode_byte == 0x23);
    BOOST_TEST((bhs.specific_2 == 0 && bhs.specific_3 == 0));  // both versions
    BOOST_TEST((bhs.flags & 0x30) == 0);
    BOOST_TEST(bhs.total_ahs_words == 0);
    BOOST_TEST((bhs.reserved_20 == 0u && bhs.reserved_38 == 0));
    BOOST_TEST(!(reply.transit() && reply.continues()));                  // 10.13.7-01
    if (!reply.transit()) BOOST_TEST((reply.next() == Stage::security));  // NSG is reserved then
    if (bhs.status_class != 0) BOOST_TEST(bhs.flags == 0);
  }

  /// A Login Request in stage `csg`; `nsg` sets the T bit.
  Reply request(Stage csg, std::optional<Stage> nsg, std::string_view data) {
    header.flags = LoginFlags::stages(csg, nsg.value_or(Stage::security));
    if (nsg) header.flags |= LoginFlags::kTransit;
    return send_pdu(header, data);
  }
  Reply request(Stage csg, std::optional<Stage> nsg,
                std::initializer_list<std::string_view> pairs = {}) {
    return request(csg, nsg, text_of(pairs));
  }
  /// With C bit.
  Reply part(Stage csg, std::string_view data) {
    header.flags =
        static_cast<std::uint8_t>(LoginFlags::stages(csg, Stage::security) | LoginFlags::kContinue);
    return send_pdu(header, data);
  }
  Reply admit(std::uint16_t tsih = 77) {
    std::vector<std::byte> response;
    const LoginState state = login->admit(tsih, response);
    return take_apart(state, response);
  }

  /// The whole of a login in the operational stage with these keys besides the names.
  Reply operational(std::initializer_list<std::string_view> pairs) {
    std::string text = names() + text_of(pairs);
    return request(Stage::operational, Stage::full_feature, text);
  }
  /// The same up to the final response.
  Reply log_in(std::initializer_list<std::string_view> pairs = {}) {
    const Reply reply = operational(pairs);
    if (reply.state != LoginState::awaiting_admission) return reply;
    return admit();
  }
  std::string names() const {
    return text_of({std::string("InitiatorName=") + std::string(kInitiator),
                    std::string("TargetName=") + std::string(kTarget), "SessionType=Normal"});
  }
  std::string discovery_names() const {
    return text_of(
        {std::string("InitiatorName=") + std::string(kInitiator), "SessionType=Discovery"});
  }

  Inventory inventory;
  FakeDirectory directory;
  PortalGroup* group = nullptr;
  std::string local_address = "127.0.0.1";
  std::string log;
  wire::LoginRequestBhs header;
  std::unique_ptr<LoginExchange> login;
};

}  // namespace tsihd::session
