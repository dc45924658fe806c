// LOG SENSE: the supported pages, how much space a thin unit has and has left, and that there is no
// informational exception.
#include <algorithm>
#include <array>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"

namespace tsihd::scsi {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint8_t kSupportedPages = 0x00;
constexpr std::uint8_t kSupportedSubpages = 0xff;

struct LogPage {
  std::uint8_t code;
  std::uint8_t subpage;
  bool (*offered)(const DeviceServer&);       ///< null: by every unit
  void (*fill)(const DeviceServer&, Bytes&);  ///< appends to the four bytes of the header
  bool has_parameters = true;                 ///< false: a list of pages
};

bool offers(const DeviceServer& server, const LogPage& page) {
  return page.offered == nullptr || page.offered(server);
}

void supported_pages(const DeviceServer& server, Bytes& page);
void supported_subpages(const DeviceServer& server, Bytes& page);

constexpr std::size_t kPageHeaderBytes = 4;
constexpr std::size_t kParameterHeaderBytes = 4;
constexpr std::byte kBinaryList{0x03};

/// 0Ch logical block provisioning (SBC-3 6.4.4): resource counts in threshold sets, and whether
/// they are the unit's own or shared with others on the same file system.
bool counts_space(const DeviceServer& server) { return server.space().count().has_value(); }

void append_resource(Bytes& page, std::uint16_t code, std::uint32_t sets, std::byte scope) {
  constexpr std::size_t kValueBytes = 8;
  const std::size_t at = page.size();
  page.resize(at + kParameterHeaderBytes + kValueBytes);
  put16(&page[at], code);
  page[at + 2] = kBinaryList;
  page[at + 3] = std::byte{kValueBytes};
  put32(&page[at + 4], sets);
  page[at + 8] = scope;
}

void provisioning(const DeviceServer& server, Bytes& page) {
  constexpr std::byte kOwn{0x01}, kShared{0x02};
  const auto count = server.space().count();
  if (!count) return;
  append_resource(page, 0x0001, count->available_sets, kShared);
  append_resource(page, 0x0002, count->used_sets, kOwn);
}

/// One parameter: ASC and ASCQ 0, the temperature not known.
void informational_exceptions(const DeviceServer&, Bytes& page) {
  constexpr std::byte kUnknownTemperature{0xff};
  const std::array<std::byte, 8> parameter{std::byte{0},        std::byte{0}, kBinaryList,
                                           std::byte{4},        std::byte{0}, std::byte{0},
                                           kUnknownTemperature, std::byte{0}};
  page.insert(page.end(), parameter.begin(), parameter.end());
}

constexpr std::array<LogPage, 4> kPages{
    {{kSupportedPages, 0, nullptr, supported_pages, false},
     {kSupportedPages, kSupportedSubpages, nullptr, supported_subpages, false},
     {0x0c, 0, counts_space, provisioning},
     {0x2f, 0, nullptr, informational_exceptions}}};

void supported_pages(const DeviceServer& server, Bytes& page) {
  for (const LogPage& it : kPages)
    if (it.subpage == 0 && offers(server, it)) page.push_back(std::byte{it.code});
}

void supported_subpages(const DeviceServer& server, Bytes& page) {
  for (const LogPage& it : kPages) {
    if (!offers(server, it)) continue;
    page.push_back(std::byte{it.code});
    page.push_back(std::byte{it.subpage});
  }
}

/// Leaves the parameters from `first` on; false when there is none (SPC-4 6.6).
bool cut_parameters(Bytes& page, std::uint16_t first) {
  std::size_t at = kPageHeaderBytes;
  while (at < page.size() && get16(&page[at]) < first)
    at += kParameterHeaderBytes + static_cast<std::size_t>(page[at + 3]);
  page.erase(page.begin() + kPageHeaderBytes, page.begin() + static_cast<std::ptrdiff_t>(at));
  return page.size() > kPageHeaderBytes;
}

}  // namespace

void log_sense(Task& task) {
  constexpr std::uint8_t kSaveParameters = 0x01;
  constexpr std::byte kSubpageFormat{0x40};
  const std::uint8_t* cdb = task.cdb();
  if ((cdb[1] & kSaveParameters) != 0) return task.fail(sense::invalid_cdb_field(1));
  const std::uint8_t code = cdb[2] & 0x3f;  // PAGE CONTROL chooses nothing: no page has counters
  const DeviceServer& server = *task.server;
  const LogPage* it = nullptr;
  bool code_known = false;
  for (const LogPage& page : kPages) {
    if (page.code != code || !offers(server, page)) continue;
    code_known = true;
    if (page.subpage == cdb[3]) it = &page;
  }
  if (it == nullptr) return task.fail(sense::invalid_cdb_field(code_known ? 3 : 2));
  const std::uint16_t parameter_pointer = get16(cdb + 5);
  Bytes page(kPageHeaderBytes);
  it->fill(server, page);
  const bool found =
      it->has_parameters ? cut_parameters(page, parameter_pointer) : parameter_pointer == 0;
  if (!found) return task.fail(sense::invalid_cdb_field(5));
  page[0] = std::byte{it->code};
  if (it->subpage != 0) page[0] |= kSubpageFormat;
  page[1] = std::byte{it->subpage};
  put16(&page[2], page.size() - 4);
  task.reply(page, get16(cdb + 7));
}

}  // namespace tsihd::scsi
