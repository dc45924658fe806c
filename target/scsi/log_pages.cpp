// LOG SENSE: the supported pages, and that there is no informational exception.
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
  void (*fill)(Bytes&);  ///< appends to the four bytes of the header
};

void supported_pages(Bytes& page);
void supported_subpages(Bytes& page);

/// One parameter: ASC and ASCQ 0, the temperature not known.
void informational_exceptions(Bytes& page) {
  constexpr std::byte kBinaryList{0x03};
  constexpr std::byte kUnknownTemperature{0xff};
  const std::array<std::byte, 8> parameter{std::byte{0},        std::byte{0}, kBinaryList,
                                           std::byte{4},        std::byte{0}, std::byte{0},
                                           kUnknownTemperature, std::byte{0}};
  page.insert(page.end(), parameter.begin(), parameter.end());
}

constexpr std::array<LogPage, 3> kPages{{{kSupportedPages, 0, supported_pages},
                                         {kSupportedPages, kSupportedSubpages, supported_subpages},
                                         {0x2f, 0, informational_exceptions}}};

void supported_pages(Bytes& page) {
  for (const LogPage& it : kPages)
    if (it.subpage == 0) page.push_back(std::byte{it.code});
}

void supported_subpages(Bytes& page) {
  for (const LogPage& it : kPages) {
    page.push_back(std::byte{it.code});
    page.push_back(std::byte{it.subpage});
  }
}

}  // namespace

void log_sense(Task& task) {
  constexpr std::uint8_t kSaveParameters = 0x01;
  constexpr std::byte kSubpageFormat{0x40};
  const std::uint8_t* cdb = task.cdb();
  if ((cdb[1] & kSaveParameters) != 0) return task.fail(sense::invalid_cdb_field(1));
  const std::uint8_t code = cdb[2] & 0x3f;  // PAGE CONTROL chooses nothing: no page has counters
  const auto it = std::ranges::find_if(
      kPages, [&](const LogPage& page) { return page.code == code && page.subpage == cdb[3]; });
  if (it == kPages.end())
    return task.fail(sense::invalid_cdb_field(
        std::ranges::find(kPages, code, &LogPage::code) == kPages.end() ? 2 : 3));
  // PARAMETER POINTER: no page has a parameter above 0.
  if (get16(cdb + 5) != 0) return task.fail(sense::invalid_cdb_field(5));
  Bytes page(4);
  it->fill(page);
  page[0] = std::byte{it->code};
  if (it->subpage != 0) page[0] |= kSubpageFormat;
  page[1] = std::byte{it->subpage};
  put16(&page[2], page.size() - 4);
  task.reply(page, get16(cdb + 7));
}

}  // namespace tsihd::scsi
