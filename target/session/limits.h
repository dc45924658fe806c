// Every bound on what a peer can make us hold. Each is enforced where its comment says and tested.
#pragma once

#include <cstdint>

namespace tsihd::session {

struct Limits {
  /// TCP connections at once, logged in or not. One more is closed as it is accepted.
  std::uint32_t max_connections = 1024;
  /// Connections that have not finished their login. One more is closed as it is accepted;
  /// login_timeout_s of the portal group (login_timeout_s below before one is known) frees places.
  std::uint32_t max_logins_in_progress = 256;
  /// Sessions of every kind; beyond it one that has lost its connections gives way, else a login is
  /// refused with 0302h (out of resources).
  std::uint32_t max_sessions = 512;
  /// Time for a whole login while the portal group, and with it its own timeout, is unknown.
  std::uint32_t login_timeout_s = 15;
  /// A session of discovery that sends nothing for so long is closed.
  std::uint32_t discovery_idle_s = 60;

  /// Bytes of disk data that the commands of one session may hold; commands beyond it wait, which
  /// withholds their R2Ts and reads. One command at a time is let through whatever its size.
  std::uint64_t session_data_bytes = 64ull << 20;
  /// The same over all sessions.
  std::uint64_t total_data_bytes = 384ull << 20;
  /// The most data that one command is given memory for; what the device server takes at most
  /// (scsi::kMaxTransferBytes).
  std::uint32_t command_data_bytes = 8u << 20;

  /// Connections of one session, whatever MaxConnections was negotiated; one more is refused with
  /// 0206h.
  std::uint32_t session_connections = 32;
  /// Lost connections of one session whose commands are kept for reassignment (ErrorRecoveryLevel
  /// 2); those of the oldest end when there is one more.
  std::uint32_t suspended_connections = 16;

  /// A sequence of Data-Out PDUs that stands still for so long has lost some (ErrorRecoveryLevel 1
  /// and 2): what is missing is asked for again, recovery_r2ts times for one command; after that it
  /// ends with CHECK CONDITION.
  std::uint32_t data_out_timeout_s = 10;
  std::uint32_t recovery_r2ts = 8;

  /// Immediate commands in progress in one session; one more is rejected with reason 06h.
  std::uint32_t immediate_commands = 64;
  /// Task management functions waiting for disks; one more is answered "function rejected".
  std::uint32_t task_management_waiting = 64;
  /// PDUs queued to a peer that does not read; from there on we do not read from it either.
  std::uint32_t output_pdus = 512;
  /// A peer that takes none of its pending output for so long is dropped.
  std::uint32_t output_stall_s = 60;
  /// Between the request for logout (Async Message 1) and the drop.
  std::uint32_t logout_request_s = 5;
  /// Time that the initiator is given for the Text Request asked for by Async Message 4.
  std::uint32_t negotiation_request_s = 5;
};

}  // namespace tsihd::session
