// A target that says it is elsewhere (RFC 3720 10.13.5).
#include "harness/initiators/cases/common.h"

BOOST_AUTO_TEST_SUITE(redirect)

TSIH_TRIAL(at_once, "A target that has moved for now is followed before any authentication",
           judges(should("R3720-10.13.5-03"), "R3720-10.13.5-l01")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_at_portal(0));
  initiator.send(moved(initiator, first, 0x0101));
  expect_arrival();
  judging("R3720-10.13.5-l01");
  confirm("it went where it was sent");
}

TSIH_TRIAL(after_security, "A target that has moved for now is followed after the security stage",
           judges("R3720-10.13.5-03")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  initiator.send(moved(initiator, first, 0x0101));
  expect_arrival();
}

TSIH_TRIAL(for_good, "A target that has moved for good is followed after the security stage",
           judges("R3720-10.13.5-03")) {
  start(kAttach);
  auto [initiator, first] = serve_until(login_in(kOperational));
  initiator.send(moved(initiator, first, 0x0102));
  expect_arrival();
}

BOOST_AUTO_TEST_SUITE_END()
