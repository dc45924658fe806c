#include "target/session/negotiation_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "target/session/keys.h"
#include "target/session/send_targets.h"
#include "target/wire/text.h"

namespace tsihd::session {
namespace {

using wire::RejectReason;

constexpr std::size_t kMaxRequestTextBytes = 16384;
constexpr std::size_t kMaxResponseBytes = 65536;
constexpr std::uint32_t kMaxExchanges =
    512;  // of one negotiation, but for the fetching of a long answer

std::unexpected<RejectReason> reject(RejectReason reason) { return std::unexpected(reason); }

}  // namespace

std::string_view TextContext::target_alias() const {
  const PortalGroup* group = identity.portal_group;
  return group != nullptr ? std::string_view(group->offered.target_alias) : std::string_view();
}

TextExchange::TextExchange(TextContext context, NegotiatedParameters& parameters)
    : context_(std::move(context)), parameters_(parameters) {}

void TextExchange::reset() {
  active_ = false;
  exchanges_ = 0;
  ledger_ = {};
  pending_length_bytes_.reset();
  incoming_.clear();
  outgoing_.clear();
  outgoing_sent_ = 0;
}

std::expected<void, RejectReason> TextExchange::on_request(const wire::Pdu& pdu,
                                                           wire::TextResponseBhs& response,
                                                           std::string& data) {
  const auto& request = pdu.as<wire::TextRequestBhs>();
  if (auto taken = take(request, wire::as_text(pdu.data)); !taken) {
    reset();
    return taken;
  }
  respond(request, response, data);
  return {};
}

TextExchange::Outcome TextExchange::take(const wire::TextRequestBhs& request,
                                         std::string_view data) {
  const bool continues = request.has(wire::TextRequestBhs::kContinue);
  if (continues && request.is_final()) return reject(RejectReason::protocol_error);  // 10.10.2-01
  if (request.total_ahs_words != 0) return reject(RejectReason::protocol_error);
  if (request.target_transfer_tag == wire::kReservedTag) {  // 10.10.4: begin anew
    reset();
    initiator_task_tag_ = request.initiator_task_tag;
  } else if (!active_ || request.target_transfer_tag != target_transfer_tag_ ||
             request.initiator_task_tag != initiator_task_tag_) {
    return reject(RejectReason::invalid_pdu_field);
  }
  if (!outgoing_.empty()) {  // the initiator fetches the rest of a long answer (5.2-03)
    if (data.empty() && !continues) return {};
    return reject(RejectReason::protocol_error);
  }
  if (++exchanges_ > kMaxExchanges) return reject(RejectReason::negotiation_reset);
  if (incoming_.size() + data.size() > kMaxRequestTextBytes)
    return reject(RejectReason::long_operation_reject);
  incoming_.append(data);
  if (continues) return {};
  const std::string text = std::exchange(incoming_, {});
  return take_text(text);
}

TextExchange::Outcome TextExchange::take_text(std::string_view text) {
  const auto pairs = wire::parse_text(text);
  if (!pairs) return reject(RejectReason::protocol_error);
  for (const wire::KeyValue& pair : *pairs) {
    const KeyRule* rule = find_key(pair.key);
    const auto noted = ledger_.note(rule, pair.key);
    if (noted == KeyLedger::Verdict::too_many_unknown)
      return reject(RejectReason::long_operation_reject);
    if (noted == KeyLedger::Verdict::repeated)
      return reject(RejectReason::protocol_error);  // 5.4-07
    // Appendix D: SendTargets comes alone. 12.21: and nothing else in a discovery session.
    const bool lists_targets = rule != nullptr && rule->key == Key::send_targets;
    const bool alone = pairs->size() == 1;
    if (lists_targets ? !alone : context_.identity.type == SessionType::discovery)
      return reject(RejectReason::protocol_error);
    if (auto taken = take_key(rule, pair.key, pair.value); !taken) return taken;
  }
  return {};
}

TextExchange::Outcome TextExchange::take_key(const KeyRule* rule, std::string_view name,
                                             std::string_view value) {
  if (rule == nullptr) {  // 5.2-07
    wire::append_text(outgoing_, name, "NotUnderstood");
    return {};
  }
  switch (rule->key) {
    case Key::send_targets: {
      auto records = send_targets(context_, value);
      if (records)
        outgoing_ += *records;
      else
        wire::append_text(outgoing_, name, "Reject");  // not to be had in this session (5.2)
      return {};
    }
    case Key::max_recv_data_segment_length: {
      const auto length = parse_number(value);
      if (!length || *length < rule->lowest || *length > rule->highest)
        return reject(RejectReason::protocol_error);
      pending_length_bytes_ = static_cast<std::uint32_t>(*length);
      // Declared anew, unchanged, so that the answer is not empty (5.2-04).
      wire::append_text(outgoing_, name,
                        fmt::format("{}", parameters_.target_max_recv_data_segment_length_bytes));
      return {};
    }
    case Key::initiator_alias:  // declared in turn, so that the answer is not empty (5.2-04)
      if (!context_.target_alias().empty())
        wire::append_text(outgoing_, "TargetAlias", context_.target_alias());
      return {};
    default:
      return reject(RejectReason::protocol_error);  // LO, IO or not an initiator's to send
  }
}

void TextExchange::respond(const wire::TextRequestBhs& request, wire::TextResponseBhs& response,
                           std::string& data) {
  response = {};
  response.initiator_task_tag = request.initiator_task_tag;
  const std::size_t room = std::min<std::size_t>(
      kMaxResponseBytes, parameters_.initiator_max_recv_data_segment_length_bytes);
  data = outgoing_.substr(outgoing_sent_, room);  // 10.11.6-01
  outgoing_sent_ += data.size();
  const bool more = outgoing_sent_ < outgoing_.size();
  if (!more) {
    outgoing_.clear();
    outgoing_sent_ = 0;
  }
  if (!more && request.is_final()) {
    response.flags = wire::kFinalBit;
    if (pending_length_bytes_)  // 5.4: what was agreed on holds from the end of the negotiation
      parameters_.initiator_max_recv_data_segment_length_bytes = *pending_length_bytes_;
    reset();
    return;
  }
  if (more) response.flags = wire::TextResponseBhs::kContinue;
  if (!active_) ++target_transfer_tag_;
  if (target_transfer_tag_ == wire::kReservedTag) target_transfer_tag_ = 0;
  active_ = true;
  response.target_transfer_tag = target_transfer_tag_;
  response.lun = request.lun;  // 10.10.4-03
}

}  // namespace tsihd::session
