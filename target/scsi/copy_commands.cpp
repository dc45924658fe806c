// EXTENDED COPY in both its forms, and COPY OPERATION ABORT.
#include <utility>

#include "target/scsi/bytes.h"
#include "target/scsi/copy_list.h"
#include "target/scsi/copy_manager.h"
#include "target/scsi/device_server.h"
#include "target/scsi/handlers.h"

namespace tsihd::scsi {
namespace {

bool is_lid4(const Task& task) { return (task.cdb()[1] & 0x1f) == 0x01; }

void copy_now(Task& task) {
  if (task.data_out().size() < get32(task.cdb() + 10))
    return task.fail(sense::kParameterListLength);
  auto request = read_copy_list(task.data_out(), is_lid4(task), *task.luns, *task.server);
  if (!request) return task.fail(request.error());
  task.server->copies()->start(task, std::move(*request));
}

}  // namespace

/// IMMED (LID4) allows to answer early. The answer waits all the same: a session that ends must not
/// leave a writer behind that nobody waits for.
void extended_copy(Task& task) {
  const std::uint32_t bytes = get32(task.cdb() + 10);
  const std::uint32_t header = is_lid4(task) ? kCopyHeaderBytesLid4 : kCopyHeaderBytesLid1;
  if (bytes == 0) return task.good();  // SPC-4 6.4.1: not an error
  if (bytes < header || bytes > header + kMaxDescriptorListBytes)
    return task.fail(sense::kParameterListLength);
  task.want_data_out(bytes, [](Task& it) { it.when_enabled(copy_now); });
}

/// The copy ends when the command that it waits for has ended.
void copy_operation_abort(Task& task) {
  CopyManager& copies = *task.server->copies();
  CopyOperation* operation = copies.find_running(task, get32(task.cdb() + 2));
  if (operation == nullptr) return task.fail(sense::invalid_cdb_field(2));
  operation->abort();
  copies.wake();
  task.good();
}

}  // namespace tsihd::scsi
