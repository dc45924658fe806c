#include "harness/conformance/cases/recovery.h"

std::string words(const Fence& fence) {
  if (!fence.before.empty()) return describe(fence.before.front());
  return fence.answer ? "nothing" : "a close";
}

PendingWrite start_write(Initiator& initiator, const ScsiCommand& write) {
  PendingWrite pending{initiator.scsi_command(write), {}};
  setting_up("a write with an R2T", [&] {
    initiator.send(pending.command);
    pending.r2t = initiator.expect(Opcode::r2t);
  });
  if (pending.r2t[field::buffer_offset] != 0 ||
      pending.r2t[field::desired_length] != write.write_bytes)
    throw Inconclusive{"the R2T asks for a part of the block: " + describe(pending.r2t)};
  return pending;
}

void send_data(Initiator& initiator, const PendingWrite& write,
               std::span<const std::uint8_t> data) {
  initiator.send(initiator.data_out(write.command, write.r2t.u32(field::target_transfer_tag), 0,
                                    data, 0, true));
}

UnacknowledgedRead read_unacknowledged(Initiator& initiator, const ScsiCommand& read) {
  UnacknowledgedRead result{initiator.scsi_command(read), {}, {}, {}};
  initiator.send(result.command);
  const Transfer transfer = initiator.finish_unacknowledged(result.command);
  if (!transfer.good() || transfer.data_in.empty()) throw Unsupported{"a read with Data-In"};
  result.data_in = transfer.data_in;
  result.data = transfer.data;
  result.status = transfer.response.value_or(transfer.data_in.back());
  initiator.lose(result.status);
  return result;
}

std::string difference(const Pdu& original, Pdu replica, std::initializer_list<Field> free_fields) {
  const auto forgive = [&](const Field& where) { replica.set(where, original[where]); };
  forgive(field::exp_cmd_sn);
  forgive(field::max_cmd_sn);
  for (const Field& where : free_fields) forgive(where);
  for (std::size_t i = 0; i < original.header.size(); ++i)
    if (original.header[i] != replica.header[i])
      return fmt::format("byte {} of the header, 0x{:02x} instead of 0x{:02x}", i,
                         replica.header[i], original.header[i]);
  return original.data == replica.data ? "" : "the data";
}
