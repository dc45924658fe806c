// Names: of the target, of its SCSI device and port, of the keys that it says (3.2.6, 3.4.2, 5.1,
// 12.22, 13.5.4).
#include "harness/conformance/cases/common.h"
#include "harness/suite/labels.h"

using tsih::suite::is_key_of_security;
using tsih::suite::iscsi_name_problem;
using tsih::suite::Label;
using tsih::suite::label_problem;
using tsih::suite::punctuation_problem;

BOOST_AUTO_TEST_SUITE(names)

namespace {

// Keys that the target says when it is asked for a bit of everything.
TextKeys keys_of_a_login(Initiator& initiator) {
  initiator.authenticate();
  const Answer answer = initiator.expect_negotiation({{"MaxBurstLength", "65536"},
                                                      {"InitialR2T", "No"},
                                                      {"HeaderDigest", "None"},
                                                      {"MaxRecvDataSegmentLength", "8192"}});
  if (!initiator.established()) throw Inconclusive{"no login: " + describe(answer.pdu)};
  return answer.keys;
}

bool is_extension(const std::string& key) { return key.starts_with("X-") || key.starts_with("X#"); }

// A name of the SCSI name string format in VPD page 83h (SPC-4 7.8.6.11), by what it is the name
// of.
enum class NameOf : std::uint8_t { logical_unit = 0, port = 1, device = 2 };

std::vector<std::string> scsi_names(Initiator& initiator, NameOf wanted) {
  constexpr std::uint8_t kScsiNameString = 8;
  constexpr std::uint32_t kAllocationBytes = 1024;
  const Transfer page =
      initiator.transfer({.cdb = {0x12, 1, 0x83, kAllocationBytes >> 8, kAllocationBytes & 0xff, 0},
                          .read_bytes = kAllocationBytes});
  if (!page.good() || page.data.size() < 4) throw Unsupported{"INQUIRY page 83h"};
  std::vector<std::string> found;
  for (std::size_t at = 4; at + 4 <= page.data.size();) {
    const std::size_t bytes = page.data[at + 3];
    if (at + 4 + bytes > page.data.size()) break;
    const std::string name(page.data.begin() + static_cast<std::ptrdiff_t>(at + 4),
                           page.data.begin() + static_cast<std::ptrdiff_t>(at + 4 + bytes));
    const bool is_wanted = (page.data[at + 1] & 0x0f) == kScsiNameString &&
                           (page.data[at + 1] >> 4 & 3) == static_cast<int>(wanted);
    if (is_wanted) found.push_back(name.substr(0, name.find('\0')));
    at += 4 + bytes;
  }
  return found;
}

}  // namespace

TSIH_CASE(of_the_target, "Every target that discovery finds has a name, and a well-formed one",
          judges("R3720-3.2.6.1-01", "R3720-3.2.6.2-01", "R3720-3.2.6.2-02")) {
  auto initiator = discover();
  const Pdu answer = ask(initiator, initiator.text_request({{"SendTargets", "All"}}));
  const TextKeys keys = tsih::wire::parse_text(answer.data).keys;
  offered(!keys.empty(), "targets in the answer to SendTargets=All");
  verify(keys.pairs().front().first == "TargetName", "a record that begins with TargetName",
         keys.describe());
  for (const std::string& name : keys.values("TargetName")) {
    judging("R3720-3.2.6.2-02");
    verify(punctuation_problem(name).empty(), "no punctuation but dash, dot and colon",
           punctuation_problem(name));
    judging("R3720-3.2.6.2-01");
    verify(iscsi_name_problem(name).empty(), "iqn., eui. or naa., in its characters",
           iscsi_name_problem(name));
  }
}

TSIH_CASE(date_of_the_target,
          "A target's name of type iqn has a date before its domain name: four digits, a dash, two",
          judges("R3720-3.2.6.3.1-l02", "R3720-3.2.6.3.1-l03", "R3720-3.2.6.3.1-l05",
                 "R3720-3.2.6.3.1-l04")) {
  constexpr std::string_view kType = "iqn.", kDigits = "0123456789";
  auto initiator = discover();
  const Pdu answer = ask(initiator, initiator.text_request({{"SendTargets", "All"}}));
  bool any = false;
  for (const std::string& name : tsih::wire::parse_text(answer.data).keys.values("TargetName")) {
    if (!name.starts_with(kType)) continue;
    any = true;
    const std::string date = name.substr(kType.size(), name.find('.', kType.size()) - kType.size());
    judging("R3720-3.2.6.3.1-l02");
    verify(kDigits.find(date.front()) != kDigits.npos, "iqn. and a date", name);
    judging("R3720-3.2.6.3.1-l03");
    verify(date.find_first_not_of(kDigits) == 4, "four digits of a year", name);
    judging("R3720-3.2.6.3.1-l05");
    verify(date[4] == '-', "a dash after the year", name);
    judging("R3720-3.2.6.3.1-l04");
    const std::string month = date.substr(5);
    verify(month.size() == 2 && month >= "01" && month <= "12", "a month from 01 to 12", name);
  }
  offered(any, "targets with a name of type iqn");
}

TSIH_CASE(of_the_scsi_device, "The name of the SCSI device is the name of the target",
          judges("R3720-3.4.2-01")) {
  auto initiator = log_in();
  initiator.ready();
  const auto found = scsi_names(initiator, NameOf::device);
  offered(!found.empty(), "a SCSI name string of the target device in page 83h");
  for (const std::string& name : found)
    verify(name == settings().url.target_name, settings().url.target_name, name);
}

TSIH_CASE(of_the_scsi_port,
          "The name of the SCSI port is the target's, then ,t, and the portal group in hexadecimal",
          judges("R3720-3.4.2-02", "R3720-3.4.2-03")) {
  auto initiator = log_in();
  initiator.ready();
  const auto found = scsi_names(initiator, NameOf::port);
  offered(!found.empty(), "a SCSI name string of the target port in page 83h");
  for (const std::string& name : found) {
    judging("R3720-3.4.2-02");
    verify(name.starts_with(settings().url.target_name + ","), settings().url.target_name + ",...",
           name);
    judging("R3720-3.4.2-03");
    const std::string rest = name.substr(settings().url.target_name.size());
    const bool is_hex = rest.starts_with(",t,0x") || rest.starts_with(",t,0X");
    const auto group =
        tsih::wire::parse_number("0x" + rest.substr(std::min<std::size_t>(5, rest.size())));
    const auto told =
        tsih::wire::parse_number(initiator.negotiated().value("TargetPortalGroupTag").value_or(""));
    verify(is_hex && group && *group < 65536 && (!told || group == told),
           ",t,0x and the portal group after the name", name);
  }
}

TSIH_CASE(of_keys, "Every key that the target says is well named, its extensions too",
          judges("R3720-5.1-02", "R3720-12.22-01", "R3720-13.5.4-01")) {
  auto initiator = connect();
  const TextKeys keys = keys_of_a_login(initiator);
  offered(!keys.empty(), "keys of the target");
  for (const auto& [key, value] : keys.pairs()) {
    const bool registered = key.starts_with("X#"), extension = is_extension(key);
    judging(registered ? "R3720-13.5.4-01" : extension ? "R3720-12.22-01" : "R3720-5.1-02");
    const std::string problem = registered
                                    ? label_problem(key.substr(2), Label::standard)
                                    : label_problem(extension ? key.substr(2) : key,
                                                    extension ? Label::extension : Label::standard);
    verify(problem.empty(), "a label as 5.1 has it", problem);
  }
  judging_all({"R3720-5.1-02", "R3720-12.22-01", "R3720-13.5.4-01"});
  confirm(keys.describe());
}

TSIH_CASE(extensions_in_discovery, "A target uses no key of its maker in a discovery session",
          judges("R3720-12.22-03")) {
  auto initiator = connect();
  initiator.discovery = true;
  const TextKeys keys = keys_of_a_login(initiator);
  for (const auto& [key, value] : keys.pairs())
    verify(!is_extension(key), "no key that begins with X- or X#", key + "=" + value);
  confirm(keys.describe());
}

TSIH_CASE(decimal_numbers, "Decimal numbers of the target are below 2**64",
          judges("R3720-5.1-03")) {
  auto initiator = connect();
  const TextKeys keys = keys_of_a_login(initiator);
  for (const auto& [key, value] : keys.pairs()) {
    const bool decimal =
        !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
    verify(!decimal || tsih::wire::parse_number(value).has_value(), "a number below 2**64",
           key + "=" + value);
  }
  confirm(keys.describe());
}

TSIH_CASE(reserved_values,
          "None, Reject, Irrelevant and NotUnderstood mean to the target what they mean to all",
          judges("R3720-5.2-08", "R3720-5.2.1-02", "R3720-5.2-l02")) {
  judging_all({"R3720-5.2-08", "R3720-5.2-l02"});
  auto initiator = connect();
  const TextKeys keys = keys_of_a_login(initiator);
  for (const auto& [key, value] : keys.pairs()) {
    const bool list = key == "HeaderDigest" || key == "DataDigest";
    verify(list || (value != "None" && value != "Reject"), "an answer to a good value",
           key + "=" + value);
    verify(value != "NotUnderstood" && value != "Irrelevant", "an answer to a key that counts",
           key + "=" + value);
  }
  judging("R3720-5.2.1-02");
  const std::string digest = keys.value("HeaderDigest").value_or("no answer");
  verify(digest == "None", "HeaderDigest=None to HeaderDigest=None", digest);
}

TSIH_CASE(of_keys_in_the_security_stage,
          "In the security stage the target says keys of that stage only",
          judges("R3720-11-01", "R3720-11.1-09", "R3720-5.3-l01")) {
  auto initiator = connect();
  const bool chap = !settings().user.empty();
  const Answer answer = initiator.expect_login_answer(
      initiator.login_request(kSecurity, std::nullopt, {{"AuthMethod", chap ? "CHAP" : "None"}}));
  offered(answer.pdu[field::status] == 0, "a security stage");
  for (const auto& [key, value] : answer.keys.pairs()) {
    judging_all({"R3720-11-01", "R3720-5.3-l01"});
    verify(is_key_of_security(key), "a key of chapter 11, or of a method's maker",
           key + "=" + value);
    judging("R3720-11.1-09");
    verify(label_problem(key, Label::standard).empty(), "a standard-label",
           label_problem(key, Label::standard));
  }
}

BOOST_AUTO_TEST_SUITE_END()
