// Connection recovery, ErrorRecoveryLevel 2 (RFC 3720 6.1.4.3, 6.2.2, 7.2, 10.5.6): a connection is
// lost in the middle of a read, and another one takes the read along.
#include <chrono>

#include "harness/initiators/cases/recovery.h"

BOOST_AUTO_TEST_SUITE(reassign)

namespace {

const Want login_again{"a new login", [](const Peer& peer, const Pdu& pdu) {
                         return pdu.is(Opcode::login_request) && !peer.full_feature;
                       }};

class Reassignment : public Recovery {
 protected:
  using Recovery::Recovery;

  /// The connection of this read ends; the login that follows. Session recovery is a choice, too
  /// (6.12): unsupported.
  Taken lose_connection_of(const Taken& read) {
    lost_ = read.pdu;
    cid_ = read.peer.cid;
    isid_ = read.peer.isid;
    up_to_pong(read.peer);
    read.peer.close();
    closed_ = tsih::suite::Clock::now();
    const Taken login = serve_until(login_again);
    offered(login.pdu[field::tsih] != 0, "to recover a connection");
    return login;
  }
  /// The same of a read that has come half.
  Taken lose_connection() {
    const Taken read = begin_read(kRead, 2);
    send_piece(read, 0);
    return lose_connection_of(read);
  }
  /// The request that takes the task along, after everything else was served.
  Taken reach_reassignment(const Taken& login) {
    login.peer.serve(login.pdu);
    while (auto next = target().next()) {
      if (!next->pdu) continue;
      logged_out_ |= next->pdu->is(Opcode::logout_request);
      if (next->pdu->is(Opcode::task_management_request)) return {*next->peer, *next->pdu};
      next->peer->serve(*next->pdu);
    }
    throw tsih::suite::Unsupported{"to reassign a task"};
  }
  /// The target takes the task along, and sends the data from ExpDataSN on and the status.
  void carry_on(const Taken& reassign) {
    const auto from = reassign.pdu.u32(field::exp_data_sn);
    reassign.peer.send(reassign.peer.task_management_response(reassign.pdu));
    send_rest({reassign.peer, lost_}, from);
  }

  Pdu lost_;
  std::uint16_t cid_ = 0;
  std::uint64_t isid_ = 0;
  bool logged_out_ = false;
  tsih::suite::Clock::time_point closed_;
};

}  // namespace

#define TSIH_REASSIGN_TRIAL(case_name, description_text, ...) \
  TSIH_SUITE_CASE(Reassignment, case_name, description_text, __VA_ARGS__)

TSIH_REASSIGN_TRIAL(
    session_goes_on,
    "A lost connection is replaced by one of the same session, and logged out first",
    judges("R3720-6.1.4.3-02", "R3720-10.14-07", "R3720-7.3.1-N4", "R3720-10.12.6-02",
           "R3720-5.3.4-01", "R3720-7.2-l01", "R3720-7.2-l02", "R3720-7.2.2-M2") *
        unh("FFP 7.1")) {
  const Taken login = lose_connection();
  for (const char* clause : {"R3720-10.12.6-02", "R3720-5.3.4-01"}) {
    judging(clause);
    verify_equal("TSIH", service().tsih, login.pdu[field::tsih]);
  }
  verify_equal("ISID", isid_, login.pdu[field::isid]);
  const bool implicit = login.pdu[field::cid] == cid_;
  login.peer.serve(login.pdu);
  const Want after_login{"a request in full feature phase", [](const Peer& peer, const Pdu& pdu) {
                           return peer.full_feature && !pdu.is(Opcode::login_request);
                         }};
  const Taken next = serve_until(after_login);
  judging("R3720-7.3.1-N4");
  confirm("the session is logged in again");
  for (const char* clause :
       {"R3720-10.14-07", "R3720-6.1.4.3-02", "R3720-7.2-l01", "R3720-7.2-l02", "R3720-7.2.2-M2"}) {
    judging(clause);
    verify(implicit || (next.pdu.is(Opcode::logout_request) &&
                        next.pdu[field::logout_reason] == 2 && next.pdu[field::cid] == cid_),
           fmt::format("a login under CID {0}, or its logout for recovery", cid_),
           describe(next.pdu));
  }
}

TSIH_REASSIGN_TRIAL(task_is_taken_along, "Each field of TASK REASSIGN, and when it comes",
                    judges("R3720-6.2.2-01", "R3720-10.5.1-16", "R3720-10.5.1-19",
                           "R3720-10.5.6-03") *
                        unh("FFP 19.5")) {
  const Taken reassign = reach_reassignment(lose_connection());
  for (const char* clause : {"R3720-6.2.2-01", "R3720-10.5.1-16"}) {
    judging(clause);
    verify(logged_out_ || reassign.peer.cid == cid_, "the lost connection logged out before",
           describe(reassign.pdu));
  }
  verify_equal("function", 8, reassign.pdu[field::function]);
  verify_equal("referenced task tag", lost_[field::initiator_task_tag],
               reassign.pdu[field::referenced_task_tag]);
  judging("R3720-10.5.1-19");
  verify_equal("I", 1, reassign.pdu[field::immediate]);
  judging("R3720-10.5.6-03");
  verify(reassign.pdu[field::exp_data_sn] <= 1, "ExpDataSN 0 or 1, for one Data-In was sent",
         describe(reassign.pdu));
}

TSIH_REASSIGN_TRIAL(nothing_twice,
                    "Data below ExpDataSN of the reassignment is not asked for again",
                    judges("R3720-6.2.2-04")) {
  const Taken reassign = reach_reassignment(lose_connection());
  const auto from = reassign.pdu.u32(field::exp_data_sn);
  reassign.peer.send(reassign.peer.task_management_response(reassign.pdu));
  expect_none(
      reassign.peer, fmt::format("SNACK for data below DataSN {}", from),
      [=](const Pdu& pdu) { return pdu.is(Opcode::snack_request) && pdu[field::beg_run] < from; });
}

TSIH_REASSIGN_TRIAL(unacknowledged_data_is_dropped,
                    "Data that was not acknowledged comes again, and is taken from there",
                    judges("R3720-10.5.6-01")) {
  service().data_in_bytes = kPiece;
  const Taken read = begin_read(kCopy, 2);
  send_piece(read, 0);
  Pdu others = piece(read, 2);  // they tell whether this one was dropped
  others.data.assign(kPiece, 0xee);
  read.peer.send(others);
  const Taken reassign = reach_reassignment(lose_connection_of(read));
  offered(reassign.pdu[field::exp_data_sn] <= 2, "to leave Data-In 2 unacknowledged");
  carry_on(reassign);
  expect_copied();
}

TSIH_REASSIGN_TRIAL(snack_tag_is_forgotten,
                    "A reassigned read ends with SNACK Tag 0, whatever was asked for before",
                    judges("R3720-6.2.2-10")) {
  service().data_in_bytes = kPiece;
  const Taken read = begin_read(kCopy, 2);
  send_piece(read, 0);
  read.peer.send(read.peer.async_message(4, 0, 0, 3));
  const Pdu text = expect(read.peer, request(Opcode::text_request));
  read.peer.serve(text);
  send_piece(read, 2);
  const Pdu snack = expect_reaction(read.peer, snack_request);
  offered(snack[field::snack_type] == kRDataSnack, "an R-Data SNACK");
  carry_on(reach_reassignment(lose_connection_of(read)));
  expect_copied();
}

TSIH_REASSIGN_TRIAL(cleanup_ends, "A connection that was logged out well is not logged out again",
                    judges("R3720-7.2.2-M4")) {
  const Taken login = lose_connection();
  const bool implicit = login.pdu[field::cid] == cid_;
  login.peer.serve(login.pdu);
  const auto clears = [cid = cid_](const Pdu& pdu) {
    return pdu.is(Opcode::logout_request) && pdu[field::logout_reason] == 2 &&
           pdu[field::cid] == cid;
  };
  if (!implicit) {
    const Want clearing{"a logout of the lost connection, for recovery",
                        [&](const Peer&, const Pdu& pdu) { return clears(pdu); }};
    const Taken logout = serve_until(clearing);
    logout.peer.serve(logout.pdu);
  }
  expect_none(login.peer, fmt::format("logout of CID {}, which is free", cid_), clears);
}

TSIH_REASSIGN_TRIAL(session_dropped,
                    "When the target drops all connections, none of them is recovered",
                    judges("R3720-6.12-04")) {
  const Taken read = begin_read(kRead, 2);
  send_piece(read, 0);
  read.peer.send(read.peer.async_message(3, 0, 0, 0));
  read.peer.connection().shut_down_sending();
  while (const auto met = target().next()) {
    if (!met->pdu) continue;
    if (login_again.is(*met->peer, *met->pdu)) verify_equal("TSIH", 0, (*met->pdu)[field::tsih]);
    met->peer->serve(*met->pdu);
  }
  confirm("no connection of that session");
}

TSIH_REASSIGN_TRIAL(time_to_wait, "Recovery does not begin before Time2Wait is over",
                    judges(should("R3720-6.4-01"))) {
  wish("DefaultTime2Wait", "1");
  const Taken login = lose_connection();
  const auto waited = tsih::suite::Clock::now() - closed_;
  verify(waited >= std::chrono::seconds(1), "a login after 1 s at the earliest",
         fmt::format("after {} ms",
                     std::chrono::duration_cast<std::chrono::milliseconds>(waited).count()));
}

BOOST_AUTO_TEST_SUITE_END()
