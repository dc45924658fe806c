// Several connections in one session: what belongs to a connection, what to the session (3.2.2,
// 3.2.4.1, 10.12, 12).
#include "harness/conformance/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(connections)

TSIH_CASE(a_second_one_joins, "A second connection logs into the session and is told its handle",
          judges("R3720-3.4.3-01", "R3720-5.2.2-01")) {
  auto first = log_in_for(2);
  auto second = beside(first, 2);
  const Answer answer = second.expect_login();
  verify(second.established() && answer.pdu[field::tsih] == first.tsih,
         fmt::format("full feature phase in the session with TSIH {}", first.tsih),
         describe(answer.pdu));
  judging("R3720-5.2.2-01");
  verify(first.fence().answer && second.fence().answer, "both connections alive",
         "a closed connection");
  confirm(describe(answer.pdu));
}

TSIH_CASE(answers_come_where_the_command_came,
          "Data, R2Ts and status come on the connection that carried the command",
          judges("R3720-3.2.4.1-02", "R3720-3.2.4.1-04", "R3720-3.2.4.1-01") * writes_lun() *
              unh("FFP 6.1")) {
  needs_disk(64);
  auto first = log_in_for(2, solicited_only());
  first.ready();
  auto second = join(first, 2);
  for (Initiator* carrier : {&second, &first}) {
    judging("R3720-3.2.4.1-04");
    const Bytes data = pattern(block_bytes());
    const Pdu write = carrier->scsi_command(write_blocks(0, 1));
    carrier->send(write);
    const Pdu r2t = carrier->expect(Opcode::r2t);
    send_data(*carrier, {write, r2t}, data);
    verify(is_good(carrier->expect(Opcode::scsi_response)), "GOOD", "another status");
    judging("R3720-3.2.4.1-02");
    const Pdu read = carrier->scsi_command(read_blocks(0, 1));
    carrier->send(read);
    verify(carrier->expect_finish(read).data == data, "the block that was written", "another");
    judging("R3720-3.2.4.1-01");
    const Fence fence = (carrier == &first ? second : first).fence(true);
    verify(is_quiet(fence), "nothing on the other connection", words(fence));
    confirm("nothing but the answer to a ping came on the other connection");
  }
}

TSIH_CASE(order_spans_connections,
          "A command on one connection waits for an earlier one that comes on another",
          judges("R3720-3.2.2.1-04", "R3720-3.2.2.1-09")) {
  auto first = log_in_for(2);
  auto second = join(first, 2);
  const auto gap = first.cmd_sn++;
  second.send(second.nop_out());
  const Fence fence = second.fence(true);
  verify(is_quiet(fence), "no answer before the earlier command has come", words(fence));
  judging("R3720-3.2.2.1-09");
  verify_equal("ExpCmdSN while there is a gap", gap, fence.answer->u32(field::exp_cmd_sn));
  judging("R3720-3.2.2.1-04");
  first.send(first.nop_out().set(field::cmd_sn, gap));
  first.expect(Opcode::nop_in);
  second.expect(Opcode::nop_in);
  confirm("the later command waited for the earlier one");
}

TSIH_CASE(commands_are_counted_together,
          "A command on one connection is acknowledged on the other as well",
          judges("R3720-3.2.2.1-09")) {
  auto first = log_in_for(2);
  auto second = join(first, 2);
  given("a command on the first connection", [&] {
    first.send(first.nop_out());
    first.expect(Opcode::nop_in);
  });
  const Fence fence = second.fence(true);
  verify(fence.answer.has_value(), "an answer on the second connection", "a close");
  verify_equal("ExpCmdSN", first.cmd_sn, fence.answer->u32(field::exp_cmd_sn));
}

TSIH_CASE(statuses_are_counted_apart, "Each connection counts its own statuses",
          judges("R3720-3.2.2.2-03")) {
  auto first = log_in_for(2);
  auto second = join(first, 2);
  std::uint32_t number = 0;
  given("pings on both connections", [&] {
    second.send(second.nop_out());
    number = second.expect(Opcode::nop_in).u32(field::stat_sn);
    for (int i = 0; i < 3; ++i) {
      first.send(first.nop_out());
      first.expect(Opcode::nop_in);
    }
  });
  second.send(second.nop_out());
  verify_equal("StatSN", static_cast<std::uint32_t>(number + 1),
               second.expect(Opcode::nop_in).u32(field::stat_sn));
}

TSIH_CASE(no_more_than_negotiated,
          "A connection beyond MaxConnections is refused, and the others live on",
          judges("R3720-12-01", "R3720-10.12.6-04", "R3720-10.13.5-05")) {
  auto first = log_in({{"MaxConnections", "2"}});
  std::vector<Initiator> others;
  if (agreed_number(first, "MaxConnections", 1) > 1) others.push_back(join(first, 2));
  auto one_more = beside(first, 3);
  const Answer answer = one_more.expect_login();
  judging("R3720-10.12.6-04");
  if (one_more.established())
    verify_equal("TSIH", first.tsih, answer.pdu[field::tsih]);
  else
    confirm(describe(answer.pdu));
  judging("R3720-12-01");
  verify(answer.pdu[field::status] != 0, "a refusal, as status 0x0206 (too many connections)",
         describe(answer.pdu));
  judging("R3720-10.13.5-05");
  one_more.expect_close();
  verify(first.fence().answer.has_value(), "the first connection alive", "a close");
  confirm(describe(answer.pdu) + ", then a close");
}

TSIH_CASE(window_is_told_when_it_opens,
          "When the commands of a lost connection end, the other connection is told the new window",
          judges("R3720-10.4.11-01") * writes_lun()) {
  constexpr int kWrites = 4;
  needs_disk(64);
  auto first = log_in_for(2, solicited_only());
  first.ready();
  auto second = join(first, 2);
  for (int i = 0; i < kWrites; ++i) {
    second.send(second.scsi_command(write_blocks(0, 1)));
    offered(next_pdu(second).is(Opcode::r2t), "four writes at a time");
  }
  const Fence before = first.fence(true);
  offered(before.answer.has_value(), "a first connection that lives");
  second.drop();
  // Whatever it says by itself until it falls silent, or until the window has moved.
  std::uint32_t told = before.answer->u32(field::max_cmd_sn);
  const std::uint32_t closed = told;
  while (told == closed) {
    const Event event = first.receive_raw();
    if (event.heard != Heard::pdu) break;
    told = event.pdu.u32(field::max_cmd_sn);
  }
  const Fence after = first.fence(true);
  offered(after.answer.has_value(), "a session that outlives one of its connections");
  const std::uint32_t now = after.answer->u32(field::max_cmd_sn);
  offered(now != closed, "a window that moves when commands end with their connection");
  verify(told != closed, fmt::format("MaxCmdSN {} told before it was asked for", now),
         fmt::format("{} until a ping was answered", closed));
}

TSIH_CASE(session_of_someone_else, "The handle of another initiator's session opens no door",
          judges("R3720-10.12.6-04")) {
  auto first = log_in();
  auto second = beside(first, 2);
  second.initiator_name += ".else";
  const Pdu response = second.expect_login().pdu;
  verify(response[field::status] != 0, "a refusal, as status 0x020a (session does not exist)",
         describe(response));
}

TSIH_CASE(session_keys_stay,
          "What the first login settled for the session, a later one does not change",
          judges("R3720-12-01") * writes_lun()) {
  needs_disk(64);
  auto first = log_in_for(2, solicited_only({{"MaxBurstLength", "1024"}}));
  first.ready();
  auto second = beside(first, 2);
  const Answer answer = second.expect_login({{"MaxBurstLength", "262144"}});
  if (!second.established()) {
    confirm("refused: " + describe(answer.pdu));
    return;
  }
  for (Initiator* initiator : {&second, &first}) {
    const auto blocks = static_cast<std::uint16_t>(8192 / block_bytes() + 1);
    initiator->send(initiator->scsi_command(write_blocks(0, blocks)));
    const Pdu r2t = initiator->expect(Opcode::r2t);
    verify(r2t[field::desired_length] <= 1024, "at most the 1024 bytes of the first login",
           describe(r2t));
  }
}

TSIH_CASE(digests_are_of_the_connection, "Digests are agreed for each connection by itself",
          judges("R3720-12.1-02")) {
  auto first = log_in_for(2);
  auto second = join(first, 2, {{"HeaderDigest", "CRC32C"}, {"DataDigest", "CRC32C"}});
  offered(second.negotiated().value("HeaderDigest") == "CRC32C" &&
              second.negotiated().value("DataDigest") == "CRC32C",
          "CRC32C for both digests");
  for (Initiator* initiator : {&second, &first}) {
    const Pdu ping = initiator->nop_out(pattern(100));
    initiator->send(ping);
    const Pdu echo = initiator->expect(Opcode::nop_in);
    verify(echo.header_digest_ok && echo.data_digest_ok && echo.data == ping.data,
           "the data of the ping, under right digests on the second connection only",
           data_words(echo));
  }
}

TSIH_CASE(segment_limits_are_of_the_connection,
          "Data-In keep to the MaxRecvDataSegmentLength of their connection",
          judges("R3720-10.7.1-02")) {
  needs_disk(64);
  auto first = log_in_for(2, {{"MaxRecvDataSegmentLength", "8192"}});
  first.ready();
  auto second = join(first, 2, {{"MaxRecvDataSegmentLength", "512"}});
  const Transfer transfer = second.transfer(read_blocks(0, 8));
  offered(transfer.good() && !transfer.data_in.empty(), "a read of 8 blocks");
  for (const Pdu& pdu : transfer.data_in)
    verify(pdu.data.size() <= 512, "at most 512 bytes", describe(pdu));
}

TSIH_CASE(abort_task_set_over_two,
          "ABORT TASK SET on one connection waits for the earlier command of another",
          judges("R3720-10.6.1-02", "R3720-10.5.1-01", "R3720-10.5.1-04") * unh("FFP 11.3.2")) {
  needs_disk(64);
  auto first = log_in_for(2);
  first.ready();
  auto second = join(first, 2);
  const Pdu read = second.scsi_command(read_blocks(0, 1));
  ++first.cmd_sn;  // the read is under way, and comes late
  const Pdu abort = first.task_management_request(2, kReservedTag);
  first.send(abort);
  const Fence early = first.fence(true);
  verify(is_quiet(early), "no response before the read has come", words(early));
  second.send(read);
  // Twice, so that whatever is answered is acknowledged as well.
  given("acknowledged answers", [&] {
    second.fence(true);
    second.fence(true);
  });
  judging("R3720-10.5.1-01");
  confirm(describe(first.expect(Opcode::task_management_response)));
  judging("R3720-10.5.1-04");
  const Fence after = second.fence(true);
  for (const Pdu& pdu : after.before)
    verify(!belongs_to(pdu, read), "nothing for the read after the response", describe(pdu));
  verify(after.answer && first.fence().answer, "both connections alive", "a close");
  confirm("nothing came for the read after the response");
}

TSIH_CASE(a_dropped_one_is_told_of,
          "That a connection was dropped is told on another one, by an Async Message in good form",
          judges("R3720-6.1.4.3-04", "R3720-10-01")) {
  auto first = log_in_for(2);
  auto second = join(first, 2);
  second.drop();
  std::optional<Pdu> told;
  for (int i = 0; i < 50 && !told; ++i) {
    const Pdu ping = first.nop_out().set(field::immediate, 1);
    first.send(ping);
    Event event = first.receive_raw();
    while (event.heard == Heard::pdu && !belongs_to(event.pdu, ping)) {
      if (event.pdu.is(Opcode::async_message)) told = event.pdu;
      event = first.receive_raw();
    }
    verify(event.heard == Heard::pdu, "the first connection alive", event.words);
  }
  // It SHOULD, and may need its time to notice: silence within 50 pings is no accusation.
  offered(told.has_value(), "a message when a connection of the session was dropped");
  verify((*told)[field::async_event] == 2 && (*told)[field::parameter1] == second.cid &&
             (*told)[field::initiator_task_tag] == kReservedTag,
         fmt::format("event 2 for CID {}", second.cid), describe(*told));
  judging("R3720-10-01");
  Pdu rest = *told;
  verify(reserved_problem(rest).empty(), "0 in every reserved bit", reserved_problem(rest));
  confirm(describe(*told));
}

BOOST_AUTO_TEST_SUITE_END()
