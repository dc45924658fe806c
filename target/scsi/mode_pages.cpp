#include "target/scsi/mode_pages.h"

#include <algorithm>

#include "target/scsi/bytes.h"

namespace tsihd::scsi {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kLongestPageBytes = 32;
constexpr std::byte kSubpageFormat{0x40};
constexpr std::byte kSavable{0x80};

struct ModePage {
  std::uint8_t code;
  std::uint8_t subpage;
  std::uint8_t bytes;  ///< with its header
  /// Null: there always.
  bool (*offered)(const ModeCapabilities&);
  void (*fill)(const ModeState&, std::byte* page);
  /// A one in each bit that MODE SELECT may change; null: in none.
  void (*changeable)(const ModeCapabilities&, std::byte* page);
  /// False: a value of the changeable bits that has no meaning; *bad is the byte.
  bool (*take)(const std::byte* page, ModeState&, std::uint16_t* bad);

  std::size_t header_bytes() const { return subpage == 0 ? 2 : 4; }
};

bool has(std::byte value, std::byte bit) { return (value & bit) != std::byte{0}; }
std::byte when(bool on, std::byte bit) { return on ? bit : std::byte{0}; }
bool knows_space(const ModeCapabilities& can) { return can.knows_space; }

// -- 01h read-write error recovery (SBC-3 6.5.8)

constexpr std::byte kLbpere{0x80};

void fill_recovery(const ModeState& state, std::byte* page) {
  page[7] = when(state.reports_thresholds, kLbpere);
}
void recovery_changeable(const ModeCapabilities& can, std::byte* page) {
  page[7] = when(can.knows_space, kLbpere);
}
bool take_recovery(const std::byte* page, ModeState& state, std::uint16_t*) {
  state.reports_thresholds = has(page[7], kLbpere);
  return true;
}

// -- 08h caching (SBC-3 6.5.5)

constexpr std::byte kWce{0x04};

void fill_caching(const ModeState& state, std::byte* page) {
  page[2] = when(state.write_cache, kWce);
}
void caching_changeable(const ModeCapabilities& can, std::byte* page) {
  page[2] = when(can.volatile_cache, kWce);
}
bool take_caching(const std::byte* page, ModeState& state, std::uint16_t*) {
  state.write_cache = has(page[2], kWce);
  return true;
}

// -- 0Ah control (SPC-4 7.5.8)

constexpr std::byte kTst{0xe0};
constexpr std::byte kTstPerNexus{0x20};
constexpr std::byte kDSense{0x04};
constexpr std::byte kGltsd{0x02};
constexpr std::byte kQam{0xf0};
constexpr std::byte kQamUnrestricted{0x10};
constexpr std::byte kQerr{0x06};
constexpr std::byte kInterlock{0x30};
constexpr std::byte kSwp{0x08};
constexpr std::byte kTas{0x40};

void fill_control(const ModeState& state, std::byte* page) {
  page[2] =
      kGltsd | when(state.separate_task_sets, kTstPerNexus) | when(state.descriptor_sense, kDSense);
  page[3] = when(!state.restricted_reordering, kQamUnrestricted) |
            static_cast<std::byte>(static_cast<unsigned>(state.queue_error) << 1);
  page[4] = static_cast<std::byte>(static_cast<unsigned>(state.attention_interlock) << 4) |
            when(state.software_write_protect, kSwp);
  page[5] = when(state.task_aborted_status, kTas);
  put16(page + 8, 0xffff);  // BUSY TIMEOUT PERIOD: unlimited
}
void control_changeable(const ModeCapabilities&, std::byte* page) {
  page[2] = kTst | kDSense;
  page[3] = kQam | kQerr;
  page[4] = kInterlock | kSwp;
  page[5] = kTas;
}
bool take_control(const std::byte* page, ModeState& state, std::uint16_t* bad) {
  const std::byte task_sets = page[2] & kTst, reordering = page[3] & kQam;
  const auto queue_error = static_cast<unsigned>(page[3] & kQerr) >> 1;
  const auto interlock = static_cast<unsigned>(page[4] & kInterlock) >> 4;
  *bad = 2;
  if (task_sets != std::byte{0} && task_sets != kTstPerNexus) return false;
  *bad = 3;
  if (reordering != std::byte{0} && reordering != kQamUnrestricted) return false;
  if (queue_error == 2) return false;
  *bad = 4;
  if (interlock == 1) return false;
  state.separate_task_sets = task_sets == kTstPerNexus;
  state.descriptor_sense = has(page[2], kDSense);
  state.restricted_reordering = reordering != kQamUnrestricted;
  state.queue_error = static_cast<QueueError>(queue_error);
  state.attention_interlock = static_cast<AttentionInterlock>(interlock);
  state.software_write_protect = has(page[4], kSwp);
  state.task_aborted_status = has(page[5], kTas);
  return true;
}

// -- 0Ah/01h control extension, 1Ch informational exceptions: there, and as they are

void fill_nothing(const ModeState&, std::byte*) {}
bool take_nothing(const std::byte*, ModeState&, std::uint16_t*) { return true; }

// -- 1Ch/02h logical block provisioning (SBC-3 6.5.9): a threshold descriptor for each resource
//    that log page 0Ch has (log_pages.cpp)

constexpr std::byte kEnabled{0x80};
constexpr std::byte kArmedWhenFalling{0x02};
constexpr std::byte kArmedWhenRising{0x01};
constexpr std::byte kAvailableResource{0x01};
constexpr std::byte kUsedResource{0x02};
constexpr std::size_t kAvailableAt = 16;
constexpr std::size_t kUsedAt = 24;

void fill_provisioning(const ModeState& state, std::byte* page) {
  page[kAvailableAt] = kArmedWhenFalling | when(state.least_available.enabled, kEnabled);
  page[kAvailableAt + 1] = kAvailableResource;
  put32(page + kAvailableAt + 4, state.least_available.sets);
  page[kUsedAt] = kArmedWhenRising | when(state.most_used.enabled, kEnabled);
  page[kUsedAt + 1] = kUsedResource;
  put32(page + kUsedAt + 4, state.most_used.sets);
}
void provisioning_changeable(const ModeCapabilities&, std::byte* page) {
  for (std::size_t at : {kAvailableAt, kUsedAt}) {
    page[at] = kEnabled;
    put32(page + at + 4, 0xffffffff);
  }
}
bool take_provisioning(const std::byte* page, ModeState& state, std::uint16_t*) {
  state.least_available = {has(page[kAvailableAt], kEnabled), get32(page + kAvailableAt + 4)};
  state.most_used = {has(page[kUsedAt], kEnabled), get32(page + kUsedAt + 4)};
  return true;
}

constexpr std::array<ModePage, 6> kPages{{
    {0x01, 0x00, 12, nullptr, fill_recovery, recovery_changeable, take_recovery},
    {0x08, 0x00, 20, nullptr, fill_caching, caching_changeable, take_caching},
    {0x0a, 0x00, 12, nullptr, fill_control, control_changeable, take_control},
    {0x0a, 0x01, 32, nullptr, fill_nothing, nullptr, take_nothing},
    {0x1c, 0x00, 12, nullptr, fill_nothing, nullptr, take_nothing},
    {0x1c, 0x02, 32, knows_space, fill_provisioning, provisioning_changeable, take_provisioning},
}};

bool offers(const ModePage& page, const ModeCapabilities& can) {
  return page.offered == nullptr || page.offered(can);
}

void append_page(Bytes& data, const ModePage& page, const ModeState& state,
                 const ModeCapabilities& can, bool changeable, bool savable) {
  const std::size_t at = data.size();
  data.resize(at + page.bytes);
  if (!changeable)
    page.fill(state, &data[at]);
  else if (page.changeable != nullptr)
    page.changeable(can, &data[at]);
  data[at] = std::byte{page.code} | when(savable, kSavable);
  const std::size_t follows = page.bytes - page.header_bytes();
  if (page.subpage == 0) {
    data[at + 1] = static_cast<std::byte>(follows);
  } else {
    data[at] |= kSubpageFormat;
    data[at + 1] = std::byte{page.subpage};
    put16(&data[at + 2], follows);
  }
}

/// The page whose header is at the front of `rest`, which has at least two bytes.
const ModePage* find_page(std::span<const std::byte> rest, const ModeCapabilities& can) {
  const auto code = static_cast<std::uint8_t>(rest[0] & std::byte{0x3f});
  const auto subpage = has(rest[0], kSubpageFormat) ? static_cast<std::uint8_t>(rest[1]) : 0;
  for (const ModePage& it : kPages)
    if (it.code == code && it.subpage == subpage && offers(it, can)) return &it;
  return nullptr;
}

std::optional<Sense> take_page(std::span<const std::byte> list, std::size_t at,
                               const ModePage& page, const ModeCapabilities& can,
                               ModeState& wanted) {
  const auto wrong = [at](std::size_t byte) {
    return sense::invalid_parameter(static_cast<std::uint16_t>(at + byte));
  };
  const std::size_t header = page.header_bytes();
  if (list.size() - at < header) return sense::kParameterListLength;
  const std::size_t follows =
      page.subpage == 0 ? static_cast<std::uint8_t>(list[at + 1]) : get16(&list[at + 2]);
  if (follows != page.bytes - header) return wrong(header == 2 ? 1 : 2);
  if (list.size() - at < page.bytes) return sense::kParameterListLength;
  std::array<std::byte, kLongestPageBytes> now{}, changeable{};
  page.fill(wanted, now.data());
  if (page.changeable != nullptr) page.changeable(can, changeable.data());
  for (std::size_t i = header; i < page.bytes; ++i)
    if (((list[at + i] ^ now[i]) & ~changeable[i]) != std::byte{0}) return wrong(i);
  std::uint16_t bad = 0;
  if (!page.take(&list[at], wanted, &bad)) return wrong(bad);
  return std::nullopt;
}

}  // namespace

std::optional<std::uint16_t> append_mode_pages(Bytes& data, std::uint8_t code, std::uint8_t subpage,
                                               const ModeState& state, const ModeCapabilities& can,
                                               bool changeable, bool savable) {
  constexpr std::uint16_t kPageCodeByte = 2, kSubpageByte = 3;
  const std::size_t before = data.size();
  bool code_known = code == kAllPages;
  for (const ModePage& page : kPages) {
    if (!offers(page, can) || (code != kAllPages && code != page.code)) continue;
    code_known = true;
    if (subpage == kAllSubpages || subpage == page.subpage)
      append_page(data, page, state, can, changeable, savable);
  }
  if (!code_known) return kPageCodeByte;
  // With all pages, SPC-4 6.11 has subpage codes 00h and FFh only.
  const bool no_such = code == kAllPages && subpage != 0 && subpage != kAllSubpages;
  if (!no_such && data.size() > before) return std::nullopt;
  return kSubpageByte;
}

std::optional<Sense> take_mode_pages(std::span<const std::byte> list, std::size_t at,
                                     const ModeCapabilities& can, ModeState& wanted) {
  while (at < list.size()) {
    if (list.size() - at < 2) return sense::kParameterListLength;
    const ModePage* page = find_page(list.subspan(at), can);
    if (page == nullptr) return sense::invalid_parameter(static_cast<std::uint16_t>(at));
    if (const auto why = take_page(list, at, *page, can, wanted)) return why;
    at += page->bytes;
  }
  return std::nullopt;
}

}  // namespace tsihd::scsi
