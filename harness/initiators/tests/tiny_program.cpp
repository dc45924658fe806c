// The tiny initiator's program:
//
//     tsih-tiny-initiator ACTION URL [RULE]
//
// The actions are those of harness/initiators/trial.h; RULE is a word that breaks() is asked for.
#include <poll.h>

#include <cstdio>
#include <memory>

#include "harness/initiators/tests/tiny_initiator.h"

namespace tsih::initiators::testing {
namespace {

Task command(std::uint8_t operation, std::uint32_t block, std::uint16_t blocks, Bytes data = {}) {
  const bool write = !data.empty();
  Task task;
  task.command = Pdu(Opcode::scsi_command);
  task.command.set(write ? field::write : field::read, 1).set(field::attribute, 1);
  task.command.set(field::expected_data_transfer_length,
                   blocks * kBlockBytes + (breaks("expects_more") ? kBlockBytes : 0));
  const Bytes cdb{operation,
                  0,
                  static_cast<std::uint8_t>(block >> 24),
                  static_cast<std::uint8_t>(block >> 16),
                  static_cast<std::uint8_t>(block >> 8),
                  static_cast<std::uint8_t>(block),
                  0,
                  static_cast<std::uint8_t>(blocks >> 8),
                  static_cast<std::uint8_t>(blocks),
                  0};
  task.command.set_cdb(cdb);
  task.data = write ? std::move(data) : Bytes(blocks * kBlockBytes);
  return task;
}

Task read_capacity() {
  constexpr std::uint32_t kAnswerBytes = 8;
  Task task = command(0x25, 0, 0);
  task.command.set(field::expected_data_transfer_length, kAnswerBytes);
  task.data.resize(kAnswerBytes);
  return task;
}

bool carry_out_one(Tiny& tiny, Task task, Bytes* read = nullptr) {
  std::vector<Task> tasks{std::move(task)};
  tiny.carry_out(tasks);
  if (read) *read = tasks[0].data;
  return tasks[0].status == 0;
}

bool act(Tiny& tiny, const std::string& action) {
  constexpr std::uint16_t kCopyBlocks = kCopyBytes / kBlockBytes;
  if (action == "attach") return carry_out_one(tiny, read_capacity());
  if (action == "read") return carry_out_one(tiny, command(0x28, 0, 256));
  if (action == "write")
    return carry_out_one(tiny, command(0x2a, 0, 512, Bytes(512 * kBlockBytes, 7)));
  if (action == "copy") {
    Bytes read;
    return carry_out_one(tiny, command(0x28, 0, kCopyBlocks), &read) &&
           carry_out_one(tiny, command(0x2a, kCopyBlocks, kCopyBlocks, read));
  }
  if (action == "many") {
    std::vector<Task> tasks;
    for (std::uint32_t block = 0; block < 4; ++block) tasks.push_back(command(0x28, block, 1));
    tiny.carry_out(tasks);
    return true;
  }
  if (action == "abort") {
    Task read = command(0x28, 0, 256);
    tiny.abort(read);
    return true;
  }
  if (action == "abort-set") {
    Task write = command(0x2a, 0, 512, Bytes(512 * kBlockBytes, 7));
    tiny.abort_set(write);
    return true;
  }
  if (action == "ping") {
    tiny.ping();
    return true;
  }
  if (action == "chap" || action == "mutual-chap") return carry_out_one(tiny, read_capacity());
  tiny.discover();
  return true;
}

// One session, over two connections where the target lets it.
bool session(const std::string& action, const Identity& identity) {
  auto tiny = std::make_unique<Tiny>(identity);
  tiny->connect();
  if (breaks("speaks_too_early")) tiny->ping();
  tiny->log_in();
  std::unique_ptr<Tiny> second;
  if (const auto other = tiny->second_connection()) {
    second = std::make_unique<Tiny>(*other);
    second->connect();
    second->log_in();
  }
  const bool good = act(*tiny, action);
  tiny->log_out();
  tiny.reset();
  if (second && breaks("second_stays")) second->ping(), poll(nullptr, 0, kPatienceMs);
  return good;
}

// Follows the target to where it is, and begins anew, once, when the connection is lost.
int work(const std::string& action, Identity identity) {
  bool begun_anew = false;
  for (int redirections = 0; redirections < 3; ++redirections) {
    try {
      return session(action, identity) ? 0 : 3;
    } catch (const Moved& moved) {
      identity.portal = moved.portal;
    } catch (const Lost&) {
      if (begun_anew) throw;
      begun_anew = true;
      if (breaks("reinstates_by_tsih")) identity.tsih = 1, identity.cid = 5;
      if (breaks("another_name")) identity.name += "-2";
    }
  }
  throw Wrong{"sent from place to place"};
}

}  // namespace
}  // namespace tsih::initiators::testing

int main(int argc, char** argv) {
  using namespace tsih::initiators::testing;
  if (argc < 3) return 2;
  if (argc > 3) break_rule(argv[3]);
  const std::string action = argv[1], url = argv[2];  // iscsi://PORTAL/TARGET/LUN
  const auto target = url.find('/', 8), lun = url.rfind('/');
  try {
    return work(action, {.portal = url.substr(8, target - 8),
                         .target = url.substr(target + 1, lun - target - 1),
                         .discovery = action == "discover",
                         .secret = action == "chap" || action == "mutual-chap",
                         .mutual = action == "mutual-chap",
                         .reticent = action == "attach"});
  } catch (const Wrong& wrong) {
    std::fprintf(stderr, "%s\n", wrong.what.c_str());
    return 1;
  }
}
