// A journal for atomic writes, in a folder of its own, under the unit of a bench.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "target/backstore/atomic_journal.h"
#include "target/backstore/io_pool.h"
#include "target/scsi/logical_unit.h"

namespace tsihd::scsi::test {

class Journal {
 public:
  Journal() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tsih-atomic-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Journal() { std::filesystem::remove_all(folder_); }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void offer(LogicalUnit& unit) {
    unit.offer_atomic_writes(backstore::open_atomic_journal(*pool_, unit.backstore(), folder_,
                                                            unit.identity().serial, "disk0", Log{})
                                 .value());
  }
  /// Lets the steps go on until the disk is asked for the next thing, or all is done.
  void settle() { pool_->wait_idle(); }

 private:
  std::unique_ptr<backstore::IoPool> pool_ =
      backstore::IoPool::create(1, backstore::IoEngine::threads).value();
  std::string folder_;
};

}  // namespace tsihd::scsi::test
