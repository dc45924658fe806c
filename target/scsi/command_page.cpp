#include "target/scsi/command_page.h"

#include <fmt/format.h>

#include <iterator>

#include "target/scsi/operations.h"
#include "target/scsi/task_functions.h"

namespace tsihd::scsi {
namespace {

constexpr std::string_view kHead = R"(# SCSI commands

Written by `tsihd --list-commands` from the table that dispatches them
(`target/scsi/operations.cpp`); initiators get the same by REPORT SUPPORTED OPERATION CODES.

- **offered where**: what the disk behind the unit must be able to do, and which attribute of the
  storage object must be on; elsewhere the command is answered INVALID COMMAND OPERATION CODE
  (20/00).
- **reservation**: which commands of other I_T nexuses a reservation refuses. `read`: exclusive
  access does. `write`: write exclusive does too, and write protection. `control`: as `write`, but
  no data is changed, so write protection lets it pass. `status`: only RESERVE(6/10) does.
  `own`: the command is the one that deals with reservations. `never`: none does.
- **attention**: whether a pending unit attention is reported instead of running the command.
- **CDB usage**: the bits that are looked at, from byte 1 on; the CONTROL byte's is NACA.

| opcode | action | command | bytes | offered where | reservation | attention | CDB usage |
|---|---|---|---|---|---|---|---|
)";

constexpr std::string_view kFunctionsHead = R"(
## Task management functions

REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS says the same.

| iSCSI code | function |
|---|---|
)";

std::string_view reservation_rule(Access access) {
  switch (access) {
    case Access::always:
      return "never";
    case Access::status:
      return "status";
    case Access::read:
      return "read";
    case Access::write:
      return "write";
    case Access::control:
      return "control";
    case Access::reservation:
      return "own";
  }
  return "";
}

std::string_view offered_where(Needs needs) {
  switch (needs) {
    case Needs::nothing:
      return "always";
    case Needs::discard_to_zeroes:
      return "the disk can discard, to zeroes";
    case Needs::unmap:
      return "the disk can discard, `emulate_tpu`";
    case Needs::thin:
      return "the disk can discard, `emulate_tpu` or `emulate_tpws`";
    case Needs::atomic_write:
      return "in memory; files and devices with `--state`";
    case Needs::copies:
      return "third-party copies are on";
    case Needs::compare_and_write:
      return "`emulate_caw`";
    case Needs::reservations:
      return "`emulate_pr`";
    case Needs::operation_codes:
      return "`emulate_rsoc`";
    case Needs::port_groups:
      return "`alua_support`";
    case Needs::explicit_port_groups:
      return "`alua_support`, a group of explicit `alua_access_type`";
  }
  return "";
}

std::string usage_of(const Operation& operation) {
  std::string text;
  for (std::size_t i = 1; i < cdb_bytes_of(operation.opcode); ++i)
    fmt::format_to(std::back_inserter(text), "{}{:02x}", i > 1 ? " " : "", operation.usage[i - 1]);
  return text;
}

}  // namespace

std::string command_page() {
  std::string page(kHead);
  const auto out = std::back_inserter(page);
  for (const Operation& it : operations()) {
    const bool has_action = it.service_action != kNoServiceAction;
    fmt::format_to(out, "| {:02X}h | {} | {} | {} | {} | {} | {} | `{}` |\n", it.opcode,
                   has_action ? fmt::format("{:02X}h", it.service_action) : "", it.name,
                   cdb_bytes_of(it.opcode), offered_where(it.needs), reservation_rule(it.access),
                   it.reports_unit_attention ? "yes" : "no", usage_of(it));
  }
  page += kFunctionsHead;
  for (const TaskFunctionRow& it : kTaskFunctions)
    fmt::format_to(out, "| {} | {} |\n", it.iscsi_code, it.name);
  return page;
}

}  // namespace tsihd::scsi
