#include "harness/mutants/table.h"

#include <fmt/format.h>

namespace tsih::mutants {

void Table::add(Target target, const Row& row) {
  entries_.push_back(
      {fmt::format("{}/{}", row.test_case, row.breach), row.test_case, target, row.mutant});
}

Table all_mutants() {
  Table table;
  add_login_rows(table);
  add_method_rows(table);
  add_session_rows(table);
  add_scsi_rows(table);
  add_recovery_rows(table);
  add_wider_rows(table);
  add_remaining_rows(table);
  return table;
}

}  // namespace tsih::mutants
