# Full feature phase: connections, sessions, the registry and the session guard.
add_library(tsihd_session STATIC
  command_window.cpp
  connection.cpp
  connection_async.cpp
  connection_command.cpp
  connection_data_in.cpp
  connection_data_out.cpp
  connection_login.cpp
  connection_logout.cpp
  connection_requests.cpp
  connection_snack.cpp
  guard.cpp
  output.cpp
  registry.cpp
  service.cpp
  session.cpp
  session_connections.cpp
  session_task_management.cpp
  task.cpp
  task_table.cpp)
target_link_libraries(tsihd_session PUBLIC tsihd_login tsihd_wire tsihd_scsi tsihd_base)

tsih_unit_test(session_test
  SOURCES tests/world.cpp tests/data_test.cpp tests/numbering_test.cpp tests/life_test.cpp tests/connections_test.cpp tests/async_test.cpp tests/snack_test.cpp
    tests/lost_data_test.cpp tests/reassign_test.cpp tests/byte_ranges_test.cpp
    tests/management_test.cpp tests/guard_test.cpp
  LIBS tsihd_session)

# The whole layer against a simulated initiator, seed by seed.
tsih_unit_test(simulator_test
  SOURCES tests/sim_test.cpp tests/sim_cable.cpp tests/sim_command.cpp tests/sim_initiator.cpp
    tests/sim_initiator_login.cpp tests/sim_initiator_receive.cpp
    tests/sim_initiator_recovery.cpp tests/sim_initiator_send.cpp tests/sim_line.cpp
    tests/sim_login.cpp tests/sim_model.cpp tests/sim_settings.cpp tests/sim_target.cpp
    tests/sim_trace.cpp tests/sim_workload.cpp
  LIBS tsihd_session)
