// Text Requests in full feature phase and SendTargets (RFC 3720 5.4, 10.10, 10.11, appendix D).
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "target/session/negotiation_text.h"
#include "target/wire/text.h"
#include "target/wire/writer.h"

namespace tsihd::session {
namespace {

using wire::RejectReason;
using wire::TextRequestBhs;
using namespace std::string_literals;

struct TextFixture {
  TextFixture() {
    identity.initiator_name = "iqn.2001-04.com.example:host";
    add("iqn.2001-04.com.example:a");
    add("iqn.2001-04.com.example:b");
    request.initiator_task_tag = 5;
    request.flags = wire::kFinalBit;
  }
  PortalGroup& add(std::string name) {
    auto target = std::make_unique<TargetNode>();
    target->name = std::move(name);
    auto group = std::make_unique<PortalGroup>();
    group->portals.push_back({"0.0.0.0", 3260});
    group->acls[identity.initiator_name];
    target->portal_groups.push_back(std::move(group));
    inventory.targets.push_back(std::move(target));
    return *inventory.targets.back()->portal_groups[0];
  }
  PortalGroup& group(std::size_t i) { return *inventory.targets[i]->portal_groups[0]; }
  void discover() { identity.type = SessionType::discovery; }
  void log_in_to(std::size_t i) {
    identity.type = SessionType::normal;
    identity.target = inventory.targets[i].get();
    identity.portal_group = &group(i);
  }

  std::expected<void, RejectReason> send(std::string_view text) {
    std::vector<std::byte> bytes;
    wire::append_pdu(bytes, request, wire::as_bytes(text));
    const std::span<const std::byte> all(bytes);
    return exchange.on_request({all.first(48), all.subspan(48, text.size()), true}, response, data);
  }
  /// The answer to one request with F bit that ends the exchange.
  std::string ask(std::string_view text) {
    request.target_transfer_tag = wire::kReservedTag;
    BOOST_REQUIRE(send(text).has_value());
    BOOST_TEST(response.flags == wire::kFinalBit);
    BOOST_TEST(response.target_transfer_tag == wire::kReservedTag);  // R3720-10.11.1-02
    BOOST_TEST(response.initiator_task_tag == 5u);
    return data;
  }

  Inventory inventory;
  LoginIdentity identity;
  NegotiatedParameters parameters;
  TextExchange exchange{{inventory, identity, "10.0.0.9", 3260}, parameters};
  TextRequestBhs request;
  wire::TextResponseBhs response;
  std::string data;
};

const std::string kRecordA =
    "TargetName=iqn.2001-04.com.example:a\0TargetAddress=10.0.0.9:3260,1\0"s;
const std::string kRecordB =
    "TargetName=iqn.2001-04.com.example:b\0TargetAddress=10.0.0.9:3260,1\0"s;

BOOST_FIXTURE_TEST_SUITE(login_text, TextFixture)

// Appendix D: All and a name in discovery; the empty value belongs to a normal session.
BOOST_AUTO_TEST_CASE(discovery) {
  discover();
  BOOST_TEST(ask("SendTargets=All\0"s) == kRecordA + kRecordB);
  BOOST_TEST(ask("SendTargets=IQN.2001-04.com.example:B\0"s) == kRecordB);
  BOOST_TEST(ask("SendTargets=iqn.2001-04.com.example:none\0"s) == "");
  BOOST_TEST(ask("SendTargets=\0"s) == "SendTargets=Reject\0"s);
}

// Appendix D: a normal session learns of its own target only, and All is refused.
BOOST_AUTO_TEST_CASE(normal_session) {
  log_in_to(1);
  BOOST_TEST(ask("SendTargets=\0"s) == kRecordB);
  BOOST_TEST(ask("SendTargets=iqn.2001-04.com.example:b\0"s) == kRecordB);
  BOOST_TEST(ask("SendTargets=iqn.2001-04.com.example:a\0"s) == "");
  BOOST_TEST(ask("SendTargets=All\0"s) == "SendTargets=Reject\0"s);
}

// Who is shown what: an ACL, demo mode, demo_mode_discovery. R3720 appendix D: no names when there
// is nothing to access.
BOOST_AUTO_TEST_CASE(shown_to_those_who_may) {
  discover();
  group(0).acls.clear();
  BOOST_TEST(ask("SendTargets=All\0"s) == kRecordB);
  BOOST_TEST(ask("SendTargets=iqn.2001-04.com.example:a\0"s) == "");
  group(0).attributes.generate_node_acls = true;
  BOOST_TEST(ask("SendTargets=All\0"s) == kRecordA + kRecordB);
  group(0).attributes.generate_node_acls = false;
  group(0).attributes.demo_mode_discovery = true;
  BOOST_TEST(ask("SendTargets=All\0"s) == kRecordA + kRecordB);
  group(0).enabled = group(1).enabled = false;
  BOOST_TEST(ask("SendTargets=All\0"s) == "");
}

// Several portal groups of one target, each with its tag; one that the initiator may not use is
// not shown, in no kind of session.
BOOST_AUTO_TEST_CASE(several_portal_groups) {
  inventory.targets.pop_back();
  auto second = std::make_unique<PortalGroup>();
  second->tag = 2;
  second->portals = {{"192.0.2.1", 3260}, {"192.0.2.2", 3261}};
  second->acls[identity.initiator_name];
  auto foreign = std::make_unique<PortalGroup>();
  foreign->tag = 3;
  foreign->portals = {{"192.0.2.3", 3260}};
  inventory.targets[0]->portal_groups.push_back(std::move(second));
  inventory.targets[0]->portal_groups.push_back(std::move(foreign));
  const std::string record =
      kRecordA + "TargetAddress=192.0.2.1:3260,2\0TargetAddress=192.0.2.2:3261,2\0"s;
  discover();
  BOOST_TEST(ask("SendTargets=All\0"s) == record);
  log_in_to(0);
  BOOST_TEST(ask("SendTargets=\0"s) == record);
}

// R3720-12.8-02.
BOOST_AUTO_TEST_CASE(addresses) {
  discover();
  inventory.targets.pop_back();
  group(0).tag = 9;
  group(0).portals = {{"192.168.1.1", 3261}, {"fd00::1", 3260}, {"0.0.0.0", 3260},
                      {"10.0.0.9", 3260},    {"::", 3270},      {"127.0.0.1", 0}};
  BOOST_TEST(ask("SendTargets=All\0"s) ==
             "TargetName=iqn.2001-04.com.example:a\0TargetAddress=192.168.1.1:3261,9\0"
             "TargetAddress=[fd00::1]:3260,9\0TargetAddress=10.0.0.9:3260,9\0"
             "TargetAddress=10.0.0.9:3270,9\0TargetAddress=127.0.0.1:3260,9\0"s);
}

// A portal on a wildcard is shown as the address that the initiator has reached.
BOOST_AUTO_TEST_CASE(wildcard_portals) {
  discover();
  inventory.targets.pop_back();
  const auto shown_at = [&](std::string_view portal, std::string_view reached) {
    group(0).portals = {{std::string(portal), 3260}};
    TextExchange at({inventory, identity, std::string(reached), 3260}, parameters);
    std::vector<std::byte> bytes;
    wire::append_pdu(bytes, request, wire::as_bytes("SendTargets=All\0"s));
    const std::span<const std::byte> all(bytes);
    BOOST_REQUIRE(at.on_request({all.first(48), all.subspan(48, 16), true}, response, data));
    const std::size_t address = data.find("TargetAddress=");
    return address == std::string::npos ? "nothing"
                                        : data.substr(address + 14, data.size() - address - 15);
  };
  BOOST_TEST(shown_at("0.0.0.0", "10.0.0.9") == "10.0.0.9:3260,1");
  BOOST_TEST(shown_at("::", "fd00::9") == "[fd00::9]:3260,1");
  BOOST_TEST(shown_at("::", "10.0.0.9") == "10.0.0.9:3260,1");
  BOOST_TEST(shown_at("::", "::ffff:10.0.0.9") == "10.0.0.9:3260,1");
  BOOST_TEST(shown_at("::", "fe80::9%eth0") == "[fe80::9]:3260,1");
  BOOST_TEST(shown_at("0.0.0.0", "fd00::9") == "nothing");  // it would not be reached there
}

// 10.10.4, R3720-10.11.6-01, R3720-10.11.2-01: an answer in parts.
BOOST_AUTO_TEST_CASE(long_answer) {
  discover();
  for (int i = 0; i < 300; ++i) add(fmt::format("iqn.2001-04.com.example:many.{}", i));
  parameters.initiator_max_recv_data_segment_length_bytes = 512;
  BOOST_REQUIRE(send("SendTargets=All\0"s).has_value());
  std::string all;
  int parts = 0;
  while (!response.is_final()) {
    BOOST_TEST(data.size() == 512u);
    BOOST_TEST(response.flags == TextRequestBhs::kContinue);
    BOOST_TEST(response.target_transfer_tag != wire::kReservedTag);
    all += data;
    ++parts;
    request.target_transfer_tag = response.target_transfer_tag;
    BOOST_REQUIRE(send("").has_value());
  }
  all += data;
  BOOST_TEST(parts > 30);
  BOOST_TEST(all.starts_with(kRecordA + kRecordB));
  BOOST_TEST(wire::parse_text(all, {.pairs = 1000})->size() == 604u);
  BOOST_TEST(response.target_transfer_tag == wire::kReservedTag);
}

// 10.10.4: a new request makes the target forget the old one's rest; a stale tag is refused.
BOOST_AUTO_TEST_CASE(negotiation_begun_anew) {
  discover();
  parameters.initiator_max_recv_data_segment_length_bytes = 100;
  send("SendTargets=All\0"s);
  const std::uint32_t stale = response.target_transfer_tag;
  parameters.initiator_max_recv_data_segment_length_bytes = 8192;
  BOOST_TEST(ask("SendTargets=All\0"s) == kRecordA + kRecordB);
  request.target_transfer_tag = stale;
  BOOST_TEST((send("") == std::unexpected(RejectReason::invalid_pdu_field)));
}

BOOST_AUTO_TEST_CASE(tags_of_another_task) {
  discover();
  parameters.initiator_max_recv_data_segment_length_bytes = 100;
  send("SendTargets=All\0"s);
  request.target_transfer_tag = response.target_transfer_tag;
  request.initiator_task_tag = 6;
  BOOST_TEST((send("") == std::unexpected(RejectReason::invalid_pdu_field)));
}

// R3720-5.4-07, and what may not come in this phase.
BOOST_AUTO_TEST_CASE(protocol_errors) {
  log_in_to(0);
  const auto refused = [&](std::string_view text) {
    request.target_transfer_tag = wire::kReservedTag;
    return send(text) == std::unexpected(RejectReason::protocol_error);
  };
  BOOST_TEST(refused("MaxRecvDataSegmentLength=1024\0MaxRecvDataSegmentLength=1024\0"s));
  BOOST_TEST(refused("MaxRecvDataSegmentLength=1\0"s));
  BOOST_TEST(refused("MaxBurstLength=1024\0"s));
  BOOST_TEST(refused("HeaderDigest=None\0"s));
  BOOST_TEST(refused("AuthMethod=None\0"s));
  BOOST_TEST(refused("TargetAlias=x\0"s));
  BOOST_TEST(refused("SendTargets=\0InitiatorAlias=x\0"s));
  BOOST_TEST(refused("unterminated"s));
  discover();
  BOOST_TEST(refused("MaxRecvDataSegmentLength=1024\0"s));
  request.flags = wire::kFinalBit | TextRequestBhs::kContinue;  // R3720-10.10.2-01
  BOOST_TEST(refused("SendTargets=All\0"s));
}

// 5.4: what was agreed on holds from the end of the negotiation, and not at all if it fails
// (R3720-6.10-02).
BOOST_AUTO_TEST_CASE(renegotiated_length) {
  log_in_to(0);
  parameters.target_max_recv_data_segment_length_bytes = 262144;
  request.flags = 0;
  BOOST_REQUIRE(send("MaxRecvDataSegmentLength=65536\0"s).has_value());
  BOOST_TEST(data == "MaxRecvDataSegmentLength=262144\0"s);
  BOOST_TEST(response.flags == 0);  // R3720-10.11.1: no F in answer to none
  BOOST_TEST(response.target_transfer_tag != wire::kReservedTag);
  BOOST_TEST(parameters.initiator_max_recv_data_segment_length_bytes == 8192u);
  request.target_transfer_tag = response.target_transfer_tag;
  request.flags = wire::kFinalBit;
  BOOST_REQUIRE(send("").has_value());
  BOOST_TEST(response.flags == wire::kFinalBit);
  BOOST_TEST(parameters.initiator_max_recv_data_segment_length_bytes == 65536u);

  request.flags = 0;
  request.target_transfer_tag = wire::kReservedTag;
  send("MaxRecvDataSegmentLength=1024\0"s);
  request.target_transfer_tag = response.target_transfer_tag;
  request.flags = wire::kFinalBit;
  BOOST_TEST(!send("MaxRecvDataSegmentLength=1024\0"s));  // repeated: all of it is void
  BOOST_TEST(parameters.initiator_max_recv_data_segment_length_bytes == 65536u);
}

// 5.4: a Reject ends the negotiation; its tag is stale after it.
BOOST_AUTO_TEST_CASE(rejected_negotiation_is_over) {
  log_in_to(0);
  request.flags = 0;
  send("MaxRecvDataSegmentLength=1024\0"s);
  request.target_transfer_tag = response.target_transfer_tag;
  BOOST_TEST((send("MaxBurstLength=512\0"s) == std::unexpected(RejectReason::protocol_error)));
  BOOST_TEST((send("") == std::unexpected(RejectReason::invalid_pdu_field)));
}

BOOST_AUTO_TEST_CASE(unknown_keys) {
  log_in_to(0);
  BOOST_TEST(ask("X-com.example.key=1\0InitiatorAlias=host\0"s) ==
             "X-com.example.key=NotUnderstood\0"s);
}

// 12.6, 12.7: an alias declared anew is answered with ours, so that the answer is not empty.
BOOST_AUTO_TEST_CASE(aliases) {
  log_in_to(0);
  group(0).offered.target_alias = "the disk";
  BOOST_TEST(ask("InitiatorAlias=host\0"s) == "TargetAlias=the disk\0"s);
}

// R3720-5.2-02: parts of a request, split at every byte.
BOOST_AUTO_TEST_CASE(request_in_parts) {
  discover();
  const std::string text = "SendTargets=iqn.2001-04.com.example:b\0"s;
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    request.target_transfer_tag = wire::kReservedTag;
    request.flags = TextRequestBhs::kContinue;
    BOOST_REQUIRE(send(text.substr(0, cut)).has_value());
    BOOST_TEST(data.empty());
    BOOST_TEST(response.flags == 0);
    request.target_transfer_tag = response.target_transfer_tag;
    request.flags = wire::kFinalBit;
    BOOST_REQUIRE(send(text.substr(cut)).has_value());
    BOOST_TEST(data == kRecordB);
  }
}

// Red when requests without end, or text without end, are taken.
BOOST_AUTO_TEST_CASE(limits) {
  log_in_to(0);
  request.flags = TextRequestBhs::kContinue;
  const auto requests_until_refused = [&](std::string_view text) {
    request.target_transfer_tag = wire::kReservedTag;
    for (int i = 1; i < 5000; ++i) {
      if (!send(text)) return i;
      request.target_transfer_tag = response.target_transfer_tag;
    }
    return 5000;
  };
  BOOST_TEST(requests_until_refused("") == 513);
  BOOST_TEST(requests_until_refused(std::string(4096, 'x')) == 5);
  request.flags = 0;
  request.target_transfer_tag = wire::kReservedTag;
  for (std::size_t i = 0; i < KeyLedger::kUnknownKeys; ++i) {
    BOOST_REQUIRE(send(fmt::format("X-com.example.key{}=1", i) + "\0"s).has_value());
    request.target_transfer_tag = response.target_transfer_tag;
  }
  BOOST_TEST((send("X-com.example.one.more=1\0"s) ==
              std::unexpected(RejectReason::long_operation_reject)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tsihd::session
