// INQUIRY: the standard data and the vital product data pages.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "target/scsi/block_limits.h"
#include "target/scsi/bytes.h"
#include "target/scsi/copy_pages.h"
#include "target/scsi/designators.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {
namespace {

using Bytes = std::vector<std::byte>;

/// TPGS: by what the states of target port groups change.
std::byte access_types(const DeviceServer& server) {
  constexpr std::byte kImplicit{0x10}, kExplicit{0x20};
  std::byte types{0};
  if (!server.attributes().port_groups) return types;
  for (const PortGroup& it : server.port_groups().groups()) {
    if (it.implicit_access) types |= kImplicit;
    if (it.explicit_access) types |= kExplicit;
  }
  return types;
}

Bytes standard_data(const DeviceServer& server) {
  const Identity& identity = server.identity();
  Bytes data(96);
  data[2] = std::byte{0x06};  // SPC-4
  data[3] = std::byte{0x32};  // NORMACA, HISUP, response data format 2
  data[4] = static_cast<std::byte>(data.size() - 5);
  data[5] = access_types(server);
  if (server.copies() != nullptr) data[5] |= std::byte{0x08};  // 3PC
  data[7] = std::byte{0x02};                                   // CMDQUE
  put_text(&data[8], 8, identity.vendor);
  put_text(&data[16], 16, identity.name);
  put_text(&data[32], 4, identity.revision);
  // Version descriptors: SAM-5, iSCSI, SPC-4, SBC-3, none with a version claimed.
  std::size_t at = 58;
  for (unsigned descriptor : {0x00a0u, 0x0960u, 0x0460u, 0x04c0u}) {
    put16(&data[at], descriptor);
    at += 2;
  }
  return data;
}

// -- designators of the device identification page

void append_designator(Bytes& page, CodeSet code_set, Association association, DesignatorType type,
                       std::span<const std::byte> value) {
  constexpr std::uint8_t kProtocolIscsi = 0x50;
  constexpr std::uint8_t kProtocolValid = 0x80;
  const bool of_unit = association == Association::unit;
  page.push_back(
      static_cast<std::byte>((of_unit ? 0 : kProtocolIscsi) | static_cast<std::uint8_t>(code_set)));
  page.push_back(static_cast<std::byte>((of_unit ? 0 : kProtocolValid) |
                                        static_cast<std::uint8_t>(association) << 4 |
                                        static_cast<std::uint8_t>(type)));
  page.push_back(std::byte{0});
  page.push_back(static_cast<std::byte>(value.size()));
  page.insert(page.end(), value.begin(), value.end());
}

/// SCSI name strings end with a null and are padded with nulls to a multiple of four.
Bytes scsi_name(std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 248;
  name = name.substr(0, kMaxNameBytes);
  Bytes value((name.size() + 4) / 4 * 4);
  std::ranges::transform(name, value.begin(), [](char c) { return static_cast<std::byte>(c); });
  return value;
}

std::string port_name(const Nexus& nexus) {
  return fmt::format("{},t,0x{:04x}", nexus.target_name, nexus.target_portal_group_tag);
}

void device_identification(const Task& task, Bytes& page) {
  const Nexus& nexus = *task.command->nexus;
  for (const UnitDesignator& it : unit_designators(task.server->identity()))
    append_designator(page, it.code_set, Association::unit, it.type, it.value);
  std::array<std::byte, 4> relative{};
  put16(&relative[2], nexus.target_portal_group_tag);
  append_designator(page, CodeSet::binary, Association::port, DesignatorType::relative_port,
                    relative);
  if (task.server->attributes().port_groups) {
    std::array<std::byte, 4> group{};
    put16(&group[2], task.server->port_groups().group_of(nexus).id);
    append_designator(page, CodeSet::binary, Association::port, DesignatorType::target_port_group,
                      group);
  }
  append_designator(page, CodeSet::utf8, Association::port, DesignatorType::scsi_name,
                    scsi_name(port_name(nexus)));
  append_designator(page, CodeSet::utf8, Association::device, DesignatorType::scsi_name,
                    scsi_name(nexus.target_name));
}

// -- the other pages

void unit_serial_number(const Task& task, Bytes& page) {
  const std::string& serial = task.server->identity().serial;
  const std::size_t width = std::min<std::size_t>(serial.size(), 240);
  page.resize(4 + width);
  put_text(&page[4], width, serial);
}

void extended_inquiry(const Task& task, Bytes& page) {
  page.resize(64);
  page[5] = std::byte{0x07};                                           // SIMPSUP, ORDSUP, HEADSUP
  if (task.server->geometry().write_cache) page[6] = std::byte{0x01};  // V_SUP
  page[7] = std::byte{0x01};                                           // LUICLR
}

void block_limits(const Task& task, Bytes& page) {
  const auto& geometry = task.server->geometry();
  const std::uint32_t block = geometry.block_size_bytes;
  page.resize(64);
  page[4] = std::byte{0x01};  // WSNZ: WRITE SAME of "all that follows" is refused
  if (task.server->attributes().compare_and_write) page[5] = std::byte{kMaxCompareAndWriteBlocks};
  const std::uint32_t granule = std::max(geometry.physical_block_bytes, geometry.minimum_io_bytes);
  put16(&page[6], std::min(granule, kMaxTransferBytes) / block);  // optimal granularity
  const BlockLimits limits = block_limits_of(*task.server);
  put32(&page[8], limits.transfer_blocks);
  put32(&page[12], limits.optimal_transfer_blocks);
  put64(&page[36], limits.write_same_blocks);
  put32(&page[44], max_atomic_blocks(*task.server));  // at any LBA, in single blocks, never cut
  if (!task.server->thin()) return;
  if (task.server->attributes().unmap) {
    put32(&page[20], limits.unmap_blocks);
    put32(&page[24], limits.unmap_descriptors);
  }
  constexpr std::uint32_t kUgaValid = 0x80000000u;
  put32(&page[28], limits.unmap_granularity_blocks);  // the optimal one
  put32(&page[32], kUgaValid | limits.unmap_alignment_blocks);
}

void block_device_characteristics(const Task& task, Bytes& page) {
  page.resize(64);
  put16(&page[4], task.server->rotational() ? 0u : 1u);  // 1: does not rotate
  // WABEREQ: blocks read as zeroes after SANITIZE BLOCK ERASE
  if (task.server->discard_zeroes()) page[7] = std::byte{0x40};
}

void logical_block_provisioning(const Task& task, Bytes& page) {
  page.resize(8);
  if (!task.server->thin()) return;
  if (task.server->space().count()) page[4] = std::byte{threshold_exponent(*task.server)};
  if (task.server->discard_zeroes()) page[5] = std::byte{0x04};         // LBPRZ
  if (task.server->attributes().unmap) page[5] |= std::byte{0x80};      // LBPU
  if (task.server->unmaps_by_write_same()) page[5] |= std::byte{0x60};  // LBPWS, LBPWS10
  page[6] = std::byte{0x02};                                            // thin
}

/// 85h: there is no address to manage it by. The page is there to say so.
void management_network_addresses(const Task&, Bytes&) {}

/// 87h: every mode page is one for all I_T nexuses.
void mode_page_policy(const Task&, Bytes& page) {
  constexpr std::byte kAllPages{0x3f}, kAllSubpages{0xff}, kShared{0x00};
  for (std::byte it : {kAllPages, kAllSubpages, kShared, std::byte{0}}) page.push_back(it);
}

/// 88h: the target ports of this target that lead here, each with its name; as many as PAGE LENGTH
/// can say.
void scsi_ports(const Task& task, Bytes& page) {
  Nexus through = *task.command->nexus;
  for (std::uint16_t tag : task.server->port_groups().tags(through)) {
    through.target_portal_group_tag = tag;
    Bytes descriptors;
    append_designator(descriptors, CodeSet::utf8, Association::port, DesignatorType::scsi_name,
                      scsi_name(port_name(through)));
    const std::size_t at = page.size();
    if (at + 12 + descriptors.size() > UINT16_MAX) return;
    page.resize(at + 12);
    put16(&page[at + 2], tag);
    put16(&page[at + 10], descriptors.size());
    page.insert(page.end(), descriptors.begin(), descriptors.end());
  }
}

void supported_pages(const Task& task, Bytes& page);

void third_party_copy(const Task& task, Bytes& page) {
  append_copy_descriptors(*task.server, page);
}

struct VitalProductPage {
  std::uint8_t code;
  void (*fill)(const Task&, Bytes&);  ///< appends to the four bytes of the header
};
constexpr std::uint8_t kThirdPartyCopy = 0x8f;
constexpr std::array<VitalProductPage, 11> kPages{{{0x00, supported_pages},
                                                   {0x80, unit_serial_number},
                                                   {0x83, device_identification},
                                                   {0x85, management_network_addresses},
                                                   {0x86, extended_inquiry},
                                                   {0x87, mode_page_policy},
                                                   {0x88, scsi_ports},
                                                   {kThirdPartyCopy, third_party_copy},
                                                   {0xb0, block_limits},
                                                   {0xb1, block_device_characteristics},
                                                   {0xb2, logical_block_provisioning}}};

bool has_page(const Task& task, std::uint8_t code) {
  return code != kThirdPartyCopy || task.server->copies() != nullptr;
}

void supported_pages(const Task& task, Bytes& page) {
  for (const VitalProductPage& it : kPages)
    if (has_page(task, it.code)) page.push_back(std::byte{it.code});
}

}  // namespace

void inquiry(Task& task) {
  // PERIPHERAL QUALIFIER 001b: no device is connected through this port now (SPC-4 5.15.2.4.5).
  constexpr std::byte kNotConnected{0x20};
  const AccessState access = task.server->port_groups().group_of(*task.command->nexus).state;
  const std::byte peripheral = access == AccessState::unavailable ? kNotConnected : std::byte{0};
  constexpr std::uint8_t kEvpd = 0x01;
  constexpr std::uint8_t kCmddt = 0x02;
  const std::uint8_t* cdb = task.cdb();
  const std::uint16_t allocation_length = get16(cdb + 3);
  if ((cdb[1] & kCmddt) != 0) return task.fail(sense::invalid_cdb_field(1));
  if ((cdb[1] & kEvpd) == 0) {
    if (cdb[2] != 0) return task.fail(sense::invalid_cdb_field(2));
    Bytes data = standard_data(*task.server);
    data[0] = peripheral;
    return task.reply(data, allocation_length);
  }
  for (const VitalProductPage& it : kPages) {
    if (it.code != cdb[2] || !has_page(task, it.code)) continue;
    Bytes page(4);
    it.fill(task, page);
    page[0] = peripheral;
    page[1] = std::byte{it.code};
    put16(&page[2], page.size() - 4);
    return task.reply(page, allocation_length);
  }
  task.fail(sense::invalid_cdb_field(2));
}

}  // namespace tsihd::scsi
