// Task management (RFC 3720 10.5).
#include "harness/initiators/cases/common.h"

namespace {

class TaskManagement : public Trial {
 protected:
  using Trial::Trial;

  struct Abort {
    Peer& peer;
    Pdu command;
    Pdu request;
  };
  /// A write that waits for its R2Ts, and the request to abort its task set.
  Abort begin_abort_of_set() {
    wish("ImmediateData", "No");
    start(kAbortSet);
    auto [peer, write] = serve_until(write_command());
    peer.begin_write(write, false);
    const Pdu abort = expect(peer, request(Opcode::task_management_request));
    offered(abort[field::function] == 2 || abort[field::function] == 4, "ABORT or CLEAR TASK SET");
    return {peer, write, abort};
  }
};

}  // namespace

#define TSIH_TASK_MANAGEMENT_TRIAL(case_name, description_text, ...) \
  TSIH_SUITE_CASE(TaskManagement, case_name, description_text, __VA_ARGS__)

BOOST_AUTO_TEST_SUITE(task_management)

TSIH_TRIAL(abort_task, "Each field of a request to abort a task",
           judges("R3720-10.5.5-02", "R3720-10.5.2-01", "R3720-3.2.2.1-01", "R3720-3.2.4.3-01") *
               unh("FFP 2.2", "FFP 19.1", "FFP 19.2", "FFP 19.3")) {
  start(kAbort);
  auto [initiator, read] = serve_until(read_command());
  const Pdu abort = expect(initiator, request(Opcode::task_management_request));
  offered(abort[field::function] == 1, "ABORT TASK");
  verify_equal("referenced task tag", read[field::initiator_task_tag],
               abort[field::referenced_task_tag]);
  verify_equal("RefCmdSN", read[field::cmd_sn], abort[field::ref_cmd_sn]);
  judging("R3720-10.5.2-01");
  verify(abort.data.empty() && abort.ahs.empty(), "neither data nor AHS", describe(abort));
  judging("R3720-3.2.4.3-01");
  verify_equal("LUN", read[field::lun], abort[field::lun]);
  judging("R3720-3.2.2.1-01");
  verify_equal("CmdSN", read.u32(field::cmd_sn) + 1, abort[field::cmd_sn]);
}

TSIH_TRIAL(after_timeout, "A command that gets no answer is aborted, or its connection ends",
           judges("R3720-6.9-02")) {
  start(kAbort);
  auto [initiator, read] = serve_until(read_command());
  while (true) {
    const Met met = target().next_of(initiator);
    if (!met.pdu || met.pdu->is(Opcode::task_management_request) ||
        met.pdu->is(Opcode::logout_request))
      return confirm(met.words);
    verify(!met.pdu->is(Opcode::scsi_command), "the read to be aborted first", met.words);
    initiator.serve(*met.pdu);
  }
}

TSIH_TRIAL(status_before_response,
           "A status that the abort came too late for ends its command, and nothing else",
           judges("R3720-3.2.2.1-l01")) {
  constexpr std::uint8_t kNoSuchTask = 1;
  start(kAbort);
  auto [initiator, read] = serve_until(read_command());
  const Pdu abort = expect(initiator, request(Opcode::task_management_request));
  offered(abort[field::function] == 1, "ABORT TASK");
  initiator.serve(read);
  initiator.send(initiator.task_management_response(abort, kNoSuchTask));
  expect_goes_on(initiator);
}

TSIH_TASK_MANAGEMENT_TRIAL(abort_task_set,
                           "Each field of a request to abort a task set, which is immediate",
                           judges("R3720-10.5.4-01", "R3720-10.5.2-01") * unh("FFP 19.4.1")) {
  const Pdu abort = begin_abort_of_set().request;
  verify_equal("referenced task tag", kReservedTag, abort[field::referenced_task_tag]);
  judging("R3720-10.5.2-01");
  verify(abort.data.empty() && abort.ahs.empty(), "neither data nor AHS", describe(abort));
}

TSIH_TASK_MANAGEMENT_TRIAL(
    set_answers_on,
    "While a task set is aborted the initiator answers R2Ts, in short, and begins nothing new",
    judges("R3720-10.5.1-05", should("R3720-10.5.1-06")) * unh("FFP 19.4.2", "FFP 19.4.3")) {
  constexpr std::uint32_t kAsked = 65536;
  const Abort abort = begin_abort_of_set();
  const Pdu r2t = abort.peer.r2t(abort.command, abort.peer.next_transfer_tag(), 0, 0, kAsked);
  abort.peer.send(r2t);
  std::uint32_t bytes = 0;
  for (const Pdu& pdu : expect_data_outs(abort.peer, r2t))
    bytes += static_cast<std::uint32_t>(pdu.data.size());
  expect_none(abort.peer, "new command while the task set is aborted",
              [](const Pdu& pdu) { return pdu.is(Opcode::scsi_command); });
  judging("R3720-10.5.1-06");
  verify(bytes < kAsked, fmt::format("an early F, before {} bytes", kAsked),
         fmt::format("{} bytes", bytes));
}

BOOST_AUTO_TEST_SUITE_END()
