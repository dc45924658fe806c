// REPORT and SET TARGET PORT GROUPS.
#include <algorithm>
#include <vector>

#include "target/scsi/bytes.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"
#include "target/scsi/limits.h"

namespace tsihd::scsi {

// -- REPORT TARGET PORT GROUPS (SPC-4 6.37)

namespace {

using Bytes = std::vector<std::byte>;

/// A group without a port of this target is none of its groups. TARGET PORT COUNT says how many
/// ports can be listed.
void append_group(Bytes& data, const PortGroup& group, std::span<const std::uint16_t> tags) {
  if (tags.empty()) return;
  tags = tags.first(std::min<std::size_t>(tags.size(), UINT8_MAX));
  const std::size_t at = data.size();
  data.resize(at + 8 + 4 * tags.size());
  data[at] =
      static_cast<std::byte>((group.preferred ? 0x80 : 0) | static_cast<std::uint8_t>(group.state));
  data[at + 1] = std::byte{group.supported};
  put16(&data[at + 2], group.id);
  data[at + 5] = static_cast<std::byte>(group.last_change);
  data[at + 7] = static_cast<std::byte>(tags.size());
  for (std::size_t i = 0; i < tags.size(); ++i) put16(&data[at + 8 + 4 * i + 2], tags[i]);
}

}  // namespace

void report_target_port_groups(Task& task) {
  constexpr std::uint8_t kLengthOnly = 0, kExtended = 1;  // PARAMETER DATA FORMAT
  const std::uint8_t format = task.cdb()[1] >> 5;
  if (format > kExtended) return task.fail(sense::invalid_cdb_field(1));
  const PortGroups& ports = task.server->port_groups();
  Bytes data(format == kLengthOnly ? 4 : 8);
  if (format == kExtended) {
    data[4] = std::byte{kExtended << 4};
    for (const PortGroup& it : ports.groups())
      data[5] = std::max(data[5], std::byte{it.implicit_transition_s});
  }
  for (std::size_t i = 0; i < ports.groups().size(); ++i)
    append_group(data, ports.groups()[i], ports.tags_of_group(i, *task.command->nexus));
  put32(data.data(), data.size() - 4);
  task.reply(data, get32(task.cdb() + 6));
}

// -- SET TARGET PORT GROUPS (SPC-4 6.45): checked whole, then applied

namespace {

constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kDescriptorBytes = 4;

/// Applies one descriptor of the list to `groups`, or says what is wrong with it.
std::optional<Sense> take_descriptor(std::vector<PortGroup>& groups, const Task& task,
                                     std::size_t at) {
  const auto wrong = [at](std::size_t byte) {
    return sense::invalid_parameter(static_cast<std::uint16_t>(at + byte));
  };
  const auto list = task.data_out();
  const auto state = static_cast<std::uint8_t>(list[at] & std::byte{0x0f});
  const auto group = std::ranges::find(groups, get16(&list[at + 2]), &PortGroup::id);
  const auto index = static_cast<std::size_t>(group - groups.begin());
  const bool known = group != groups.end() &&
                     !task.server->port_groups().tags_of_group(index, *task.command->nexus).empty();
  if (!known || !group->explicit_access) return wrong(2);
  if (!group->supports(state)) return wrong(0);
  group->state = static_cast<AccessState>(state);
  group->last_change = StateChange::by_command;
  return std::nullopt;
}

void set_groups_now(Task& task) {
  const auto list = task.data_out();
  const bool whole = list.size() >= kHeaderBytes && list.size() % kDescriptorBytes == 0 &&
                     list.size() == task.command->wanted_data_out_bytes;
  if (!whole) return task.fail(sense::kParameterListLength);
  PortGroups& ports = task.server->port_groups();
  std::vector<PortGroup> groups = ports.groups();
  for (std::size_t at = kHeaderBytes; at < list.size(); at += kDescriptorBytes)
    if (const auto why = take_descriptor(groups, task, at)) return task.fail(*why);
  const bool changed =
      !std::ranges::equal(groups, ports.groups(), {}, &PortGroup::state, &PortGroup::state);
  ports.set_groups(std::move(groups));
  if (changed) task.server->establish_for_all(UnitAttention::access_state_changed, task.nexus);
  task.good();
}

}  // namespace

void set_target_port_groups(Task& task) {
  const std::uint32_t bytes = get32(task.cdb() + 6);
  if (bytes == 0) return task.good();  // nothing is to be changed
  if (bytes > kMaxPortGroupListBytes || task.command->expected_data_out_bytes == 0)
    return task.fail(sense::kParameterListLength);
  task.want_data_out(bytes, set_groups_now);
}

}  // namespace tsihd::scsi
