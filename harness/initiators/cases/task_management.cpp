// Task management (RFC 3720 10.5).
#include "harness/initiators/cases/common.h"

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

BOOST_AUTO_TEST_SUITE_END()
