// What PDUs of full feature phase do to the tasks of a session and to their transfers.
#pragma once

#include "harness/judge/model.h"

namespace tsih::judge {

/// A request that begins a task, or carries one on.
void begin_task(Connection& connection, const SeenPdu& seen);
void take_data_out(Connection& connection, const SeenPdu& seen);
void take_data_in(Connection& connection, const SeenPdu& seen);
void take_r2t(Connection& connection, const SeenPdu& seen);
/// A task is over: its status came, or task management ended it.
void end_task(Connection& connection, std::uint32_t tag, const Ending& ending);
/// Task management that was carried out ends the tasks that it names.
void take_management_response(Connection& connection, const SeenPdu& seen);
void note_logout(Connection& connection, const SeenPdu& seen);
/// The target asks for a logout or a negotiation.
void take_async(Connection& connection, const SeenPdu& seen);
/// A rejected request begins no task, or ends in a way of its own (10.17.1).
void take_reject(Connection& connection, const SeenPdu& seen);
void take_text_response(Connection& connection, const SeenPdu& seen);

}  // namespace tsih::judge
