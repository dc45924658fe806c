// What the judge keeps of recovery within a connection (RFC 3720 6.2.2, 10.16): data that was asked
// for again, acknowledgements that were asked for, responses that may be repeated.
#pragma once

#include "harness/judge/model.h"

namespace tsih::judge {

void take_snack(Connection& connection, const SeenPdu& seen);
/// TASK REASSIGN was carried out: the task goes on here, and ExpDataSN acknowledges what came.
void reassign(Connection& connection, Task& task, const wire::Pdu& request);
/// A Data-In may be one that a SNACK asked for, of a task that lives or has its status.
void note_data_in_again(Connection& connection, const SeenPdu& seen);
/// Any Data-In, where one may be asked for again.
void note_data_in(Connection& connection, const SeenPdu& seen);
/// The Data-Ins of this task are not known any more, or will not come again as they were.
void forget_data_ins(Connection& connection, std::uint32_t tag);
/// The Data-In that had this DataSN before; null when there is none, or it is too long ago.
const SentDataIn* sent_before(const Connection& connection, const wire::Pdu& pdu);
/// A SCSI Response that an R-Data SNACK has asked for.
void note_tagged_response(Connection& connection, const wire::Pdu& pdu);
/// A Data-In with A: a DataACK is due.
void note_asked_ack(Connection& connection, const Task& task, const SeenPdu& seen);
/// A response with a StatSN of its own.
void note_response(Connection& connection, const wire::Pdu& pdu);

}  // namespace tsih::judge
