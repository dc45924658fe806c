// A medium for kept state whose answers the test gives.
#pragma once

#include <deque>
#include <string>

#include "target/backstore/state_store.h"

namespace tsihd::scsi::test {

class HeldStore final : public backstore::StateStore {
 public:
  explicit HeldStore(HeldStore** self) { *self = this; }
  void replace(backstore::Io& io) override { held.push_back(&io); }
  void complete(int error = 0) {
    backstore::Io& io = *held.at(0);
    held.pop_front();
    if (error == 0) content.assign(reinterpret_cast<const char*>(io.data.data()), io.data.size());
    io.error = error;
    ++replaced;
    io.done(io);
  }
  std::deque<backstore::Io*> held;
  std::string content;
  int replaced = 0;
};

}  // namespace tsihd::scsi::test
