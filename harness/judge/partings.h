// Connections that went out of service, with the times that hold for their recovery (RFC 3720 6.4,
// 10.9.1, 10.15), and retries whose first instance may still turn up (9.4).
#pragma once

#include "harness/judge/model.h"

namespace tsih::judge {

/// A Logout Response, before its task ends.
void note_logout_times(Connection& connection, const SeenPdu& seen);
/// An Asynchronous Message may say that connections will be dropped.
void note_announcement(Connection& connection, const SeenPdu& seen);
/// A side ended the TCP connection, the first to do so.
void note_loss(Connection& connection, From by, std::uint64_t time_ns);

void note_retry(Connection& connection, const wire::Pdu& command);
/// A command, not immediate, of the connection: it may clear away what a retry left behind.
void note_newer_command(Connection& connection, std::uint32_t cmd_sn);
/// Forgets retries behind which a newer command was acknowledged.
void forget_retries(Session& session);

}  // namespace tsih::judge
