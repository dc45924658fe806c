// The login of a connection: the leading one of a session, and those that join it.
#include <algorithm>
#include <utility>

#include "target/session/tests/sim_initiator.h"
#include "target/session/tests/sim_login.h"
#include "target/wire/serial.h"
#include "target/wire/text.h"
#include "target/wire/writer.h"

namespace tsihd::session::sim {

using wire::LoginFlags;
using wire::Stage;

void Initiator::open_line(std::uint16_t cid, bool leading) {
  const bool will_be_cut = random_.chance(faults().cut_per_connection);
  auto cable = Cable::connect(around_, random_.fork(), next_port_++, will_be_cut);
  if (!cable) fail("a connection was refused although none is there");
  lines_.push_back(std::make_shared<Line>(cid));
  Line& line = *lines_.back();
  line.cable = cable;
  line.leading = leading;
  line.login_rest = login_keys(settings(), leading);
  cable->attach({[this, &line, session = session_](std::span<const std::byte> bytes) {
                   if (session == session_) on_bytes(line, bytes);
                 },
                 [this, &line, session = session_] {
                   if (session == session_) on_closed(line);
                 }});
  send_login(line);
}

/// The next Login Request: everything at once, or by way of the security stage, or in two pieces.
void Initiator::send_login(Line& line) {
  wire::LoginRequestBhs bhs;
  bhs.isid = {0x00, 0x02, 0x3d, 0, 0, 1};
  bhs.tsih = line.leading ? std::uint16_t{0} : tsih_;
  bhs.cid = line.cid;
  bhs.initiator_task_tag = 0x10617u;
  bhs.cmd_sn = cmd_sn_;
  bhs.exp_stat_sn = line.names_sent ? line.numbers.expected() : settings().first_exp_stat_sn;
  std::string text;
  if (!line.names_sent) text = login_names();
  if (!line.names_sent && random_.chance(300)) {
    text += std::string("AuthMethod=None") + '\0';
    bhs.flags = LoginFlags::kTransit | LoginFlags::stages(Stage::security, Stage::operational);
  } else if (line.login_rest.size() > 100 && random_.chance(300)) {
    text += line.login_rest.substr(0, 100);
    line.login_rest.erase(0, 100);
    bhs.flags = LoginFlags::kContinue | LoginFlags::stages(Stage::operational, Stage::security);
  } else {
    text += std::exchange(line.login_rest, {});
    bhs.flags = LoginFlags::kTransit | LoginFlags::stages(Stage::operational, Stage::full_feature);
  }
  line.names_sent = true;
  Bytes bytes;
  wire::append_pdu(bytes, bhs, wire::as_bytes(text));
  around_.trace.line("> {} login{}", line.cid, line.leading ? ", leading" : "");
  line.cable->send(bytes);
}

void Initiator::on_login_response(Line& line, const wire::Pdu& pdu) {
  const auto& bhs = pdu.as<wire::LoginResponseBhs>();
  if (bhs.status_class != 0) {
    constexpr std::uint32_t kMostRefusals = 20;
    if (++login_refusals_ > kMostRefusals)
      fail("login refused with {:02x}{:02x} again and again", bhs.status_class, bhs.status_detail);
    if (bhs.status_class != 3 && line.leading)
      fail("login refused with {:02x}{:02x}", bhs.status_class, bhs.status_detail);
    recover_session("login refused");
    return;
  }
  // The first Login Response gives the start of StatSN, each next one counts (10.13.4).
  if (!std::exchange(line.numbered, true)) line.numbers.start(bhs.stat_sn);
  if (line.numbers.take(bhs.stat_sn) != StatusNumbers::Verdict::in_order)
    fail("StatSN {} of a Login Response, expected {}", static_cast<std::uint32_t>(bhs.stat_sn),
         line.numbers.expected());
  line.login_answers += wire::as_text(pdu.data);
  const bool over =
      bhs.has(LoginFlags::kTransit) && LoginFlags::next(bhs.flags) == Stage::full_feature;
  if (over)
    logged_in(line, bhs);
  else
    send_login(line);
}

void Initiator::logged_in(Line& line, const wire::LoginResponseBhs& bhs) {
  const Agreement before = line.leading ? Agreement{} : agreement_;
  std::string answers = std::exchange(line.login_answers, {});
  agreement_ = agree(settings(), line.leading, before, answers);
  line.state = Line::State::full_feature;
  line.digests = {agreement_.header_digest, agreement_.data_digest};
  line.reader.set_digests(line.digests);
  line.reader.set_max_data_segment_bytes(agreement_.initiator_segment_bytes);
  login_refusals_ = 0;
  if (bhs.tsih == 0 || (!line.leading && bhs.tsih != tsih_))
    fail("TSIH {} in the last Login Response", static_cast<unsigned>(bhs.tsih));
  if (!line.leading) {  // what arrived on connections that are gone
    if (wire::serial_less(exp_cmd_sn_, bhs.exp_cmd_sn)) exp_cmd_sn_ = bhs.exp_cmd_sn;
    if (wire::serial_less(max_cmd_sn_, bhs.max_cmd_sn)) max_cmd_sn_ = bhs.max_cmd_sn;
    std::erase_if(unacknowledged_, [&](const auto& request) {
      return wire::serial_less(request.first, exp_cmd_sn_);
    });
  } else {
    tsih_ = bhs.tsih;
    exp_cmd_sn_ = bhs.exp_cmd_sn;
    max_cmd_sn_ = bhs.max_cmd_sn;
    if (exp_cmd_sn_ != cmd_sn_) fail("ExpCmdSN {} of a new session", exp_cmd_sn_);
    // The old session and its tasks are gone (5.3.5): what they did not write, they never will.
    for (const LostWrite& lost : lost_writes_)
      model_.write_uncertain(lost.stamp, lost.lba, lost.blocks);
    lost_writes_.clear();
    phase_ = Phase::working;
  }
  if (!line.leading && lines_to_come_ > 0) --lines_to_come_;
  line.heard = around_.events.now();
  if (recovering_.erase(line.cid) > 0) take_up_commands(line);
  if (line.leading) {
    const std::uint32_t wanted = std::min(settings().connections, agreement_.max_connections);
    for (std::uint16_t cid = 2; cid <= wanted; ++cid) open_line(cid, false);
    lines_to_come_ = wanted - 1;
    if (recovers() && !strict())
      around_.events.after(seconds(1), [this, session = session_] {
        if (session == session_) watch();
      });
  }
  go_on();
}

}  // namespace tsihd::session::sim
