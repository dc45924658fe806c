# The login phase and text negotiation.
add_library(tsihd_login STATIC
  chap.cpp chap_values.cpp counters.cpp keys.cpp login.cpp login_identity.cpp
  login_response.cpp login_security.cpp name.cpp
  negotiation.cpp negotiation_text.cpp send_targets.cpp)
target_link_libraries(tsihd_login PUBLIC tsihd_base tsihd_wire PRIVATE OpenSSL::Crypto tsih_libidn)

tsih_unit_test(login_test
  SOURCES tests/login_stage_test.cpp tests/login_identity_test.cpp
    tests/login_negotiation_test.cpp tests/login_chap_test.cpp tests/login_text_test.cpp
    tests/login_join_test.cpp tests/login_limits_test.cpp
    tests/login_redirect_test.cpp tests/name_test.cpp
  LIBS tsihd_login)
