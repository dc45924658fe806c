"""Logging in with the stock Linux initiator, in every way that it offers.

Each time data is written, the caches are dropped, and what is read back is compared by SHA-256: a
login that negotiates something that the data path then does not do fails here.
"""

import pytest

from tsih.targetconfig import Chap, Disk
from tsih.wirelog import WireLog

DISK = Disk("login", "/srv/login.img", size_bytes=64 << 20)
ONE_WAY = Chap("alice", "a-secret-of-alice")
MUTUAL = Chap("alice", "a-secret-of-alice", "the-disk", "a-secret-of-the-disk")
AUTHENTICATION_FAILURE = 24  # iscsiadm's exit status ISCSI_ERR_LOGIN_AUTH_FAILED


@pytest.fixture
def disk_is_whole(story, initiator):
    """A check to end a story with: write, drop the caches, read back, compare."""

    def check(device):
        sha256 = initiator.checked_io(device)
        story.finding(verdict="pass", property="data_integrity",
                      message=f"1 MiB read back as written, SHA-256 {sha256[:16]}…")

    return check


def test_discovery(story, target, initiator, disk_is_whole):
    """SendTargets shows the target at its portal, and the record it makes logs in."""
    story.step("The target serves one disk to anybody")
    target.serve(DISK)
    story.step("The initiator asks for targets")
    found = initiator.discover(target.portal)
    story.judge((target.portal, target.iqn) in found, clause="R3720-AppD-03",
                passed=f"SendTargets returned {target.iqn} at {target.portal}",
                failed=f"expected {target.iqn} at {target.portal}, got {found}")
    story.step("It logs in with the record that discovery made")
    disk_is_whole(initiator.login(target.iqn))
    story.step("It logs out")
    initiator.logout(target.iqn)
    assert initiator.sessions() == []


def serve_with_chap(target, initiator, chap):
    target.serve(DISK, acls={initiator.name: chap})
    initiator.add_node(target.iqn, target.portal)


def test_chap(story, target, initiator, disk_is_whole):
    """With the right CHAP secret the initiator is let in."""
    story.step("The target knows one initiator, by CHAP")
    serve_with_chap(target, initiator, ONE_WAY)
    initiator.use_chap(target.iqn, ONE_WAY)
    story.step("The initiator logs in with the right secret")
    disk_is_whole(initiator.login(target.iqn))
    story.finding(verdict="pass", clause="R3720-11.1-03", message="one-way CHAP was passed")


@pytest.mark.parametrize("mistake", ["a wrong secret", "a wrong name", "no CHAP"],
                         ids=["secret", "name", "none"])
def test_chap_refused(story, target, initiator, mistake):
    """An initiator that logs in with {mistake} is refused."""
    story.step("The target knows one initiator, by CHAP")
    serve_with_chap(target, initiator, ONE_WAY)
    wrong = {"a wrong secret": Chap("alice", "not-the-secret-of-alice"),
             "a wrong name": Chap("mallory", "a-secret-of-alice"), "no CHAP": None}[mistake]
    if wrong:
        initiator.use_chap(target.iqn, wrong)
    story.step(f"The initiator logs in with {mistake}")
    login = initiator.try_login(target.iqn)
    story.judge(login.exit_status == AUTHENTICATION_FAILURE,
                clause="R3720-11.1.4-04" if wrong else None, property="authentication",
                passed="refused with authentication failure",
                failed="expected a refusal for authentication (iscsiadm's status 24), got "
                       f"{login.exit_status}: {login.words}")
    assert initiator.sessions() == []


def test_chap_mutual(story, target, initiator, disk_is_whole):
    """Mutual CHAP: both prove who they are."""
    story.step("The target and the initiator each hold a secret")
    serve_with_chap(target, initiator, MUTUAL)
    initiator.use_chap(target.iqn, MUTUAL)
    disk_is_whole(initiator.login(target.iqn))
    story.finding(verdict="pass", clause="R3720-11.1.4-05",
                  message="the target's answer to the initiator's challenge was right")


def test_chap_mutual_wrong(story, target, initiator):
    """An initiator that expects another secret of the target does not stay."""
    story.step("The initiator expects another secret of the target than it has")
    serve_with_chap(target, initiator, MUTUAL)
    initiator.use_chap(target.iqn, Chap("alice", "a-secret-of-alice", "the-disk", "another-secret-xx"))
    login = initiator.try_login(target.iqn)
    story.judge(not login.ok and initiator.sessions() == [], clause="R3720-11.1.4-06",
                party="initiator", system="open-iscsi",
                passed="the initiator closed the connection when the target's answer was wrong",
                failed=f"expected the initiator to leave, got {login.words}")


def test_digests(story, target, initiator, disk_is_whole):
    """Header and data digests: every PDU of the full feature phase bears CRC32C."""
    story.step("The target offers CRC32C, the initiator demands it")
    target.serve(DISK, parameters={"HeaderDigest": "CRC32C,None", "DataDigest": "CRC32C,None"})
    initiator.add_node(target.iqn, target.portal)
    initiator.set_named(target.iqn, {"node.conn[0].iscsi.HeaderDigest": "CRC32C",
                                     "node.conn[0].iscsi.DataDigest": "CRC32C"})
    device = initiator.login(target.iqn)
    used = initiator.negotiated(target.iqn, "header_digest", "data_digest")
    story.judge(used == {"header_digest": "1", "data_digest": "1"}, clause="R3720-12.1-01",
                passed="CRC32C was negotiated for headers and data",
                failed=f"expected both digests to be on, the initiator's kernel has {used}")
    disk_is_whole(device)
    story.finding(verdict="pass", clause="R3720-12.1-02",
                  message="I/O with CRC32C on every PDU went through whole")


@pytest.mark.parametrize("immediate_data", ["Yes", "No"], ids=["immediate", "no_immediate"])
@pytest.mark.parametrize("initial_r2t", ["Yes", "No"], ids=["r2t", "no_r2t"])
def test_unsolicited(story, target, initiator, disk_is_whole, initial_r2t, immediate_data):
    """InitialR2T={initial_r2t}, ImmediateData={immediate_data}: the data arrives whole."""
    story.step(f"Both sides are for InitialR2T={initial_r2t}, ImmediateData={immediate_data}")
    wanted = {"InitialR2T": initial_r2t, "ImmediateData": immediate_data}
    # Short PDUs: the first burst does not fit into one, so that immediate data is not all of it.
    target.serve(DISK, parameters={**wanted, "FirstBurstLength": "65536"})
    initiator.add_node(target.iqn, target.portal)
    initiator.set_named(target.iqn, {
        **{f"node.session.iscsi.{k}": v for k, v in wanted.items()},
        "node.conn[0].iscsi.MaxXmitDataSegmentLength": "8192"})
    device = initiator.login(target.iqn)
    used = initiator.negotiated(target.iqn, "initial_r2t", "immediate_data")
    expected = {"initial_r2t": "01"[initial_r2t == "Yes"],
                "immediate_data": "01"[immediate_data == "Yes"]}
    story.judge(used == expected, property="negotiation",
                passed=f"InitialR2T={initial_r2t}, ImmediateData={immediate_data} was negotiated",
                failed=f"expected {expected}, the initiator's kernel has {used}")
    disk_is_whole(device)
    judge_unsolicited(story, initiator.guest.ip, initial_r2t, immediate_data)


def judge_unsolicited(story, address, initial_r2t, immediate_data):
    """The wire shows which ways the data took; a way that was not agreed on must be empty."""
    pdus = [p for p in WireLog(story.capture_so_far()).update().pdus if p.source == address]
    immediate = [p for p in pdus if p.is_immediate_data]
    unsolicited = [p for p in pdus if p.is_unsolicited_data]
    story.observed(f"{len(immediate)} WRITEs with immediate data, {len(unsolicited)} unsolicited "
                   "Data-Outs")
    forbidden = [p for way, allowed in ((immediate, immediate_data == "Yes"),
                                        (unsolicited, initial_r2t == "No"))
                 if not allowed for p in way]
    clause = {("Yes", "No"): "R3720-12.11-01", ("No", "No"): "R3720-12.11-02"}
    story.judge(not forbidden, clause=clause.get((initial_r2t, immediate_data)),
                property="negotiation", party="initiator", system="open-iscsi",
                passed="no data came in a way that was not agreed on",
                failed=f"expected no such data, got {len(forbidden)} PDUs of it",
                evidence={"file": "capture.pcapng",
                          "frame": (forbidden or pdus)[-1].frame})
    assert bool(immediate) == (immediate_data == "Yes"), "immediate data was not tried"
    assert bool(unsolicited) == (initial_r2t == "No"), "unsolicited Data-Out was not tried"
