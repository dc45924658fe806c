"""SCSI-3 fencing: what a cluster does to a node that it no longer trusts, by persistent reservations.

Both nodes register a key (SPC-4 5.13); one reserves WRITE EXCLUSIVE - REGISTRANTS ONLY. The other
takes the node out by PREEMPT AND ABORT: its registration is gone, its commands are aborted,
and from then on its writes end with RESERVATION CONFLICT. A cluster trusts that nothing of the fenced
node lands once PREEMPT AND ABORT has been answered, so the disk here is slow: a target that answers
before the node's last write has left the disk is seen.

The cluster sets TAS in the control mode page (SPC-4 7.5.8): without it, aborted commands of another node
end without a word (SAM-5 5.6), and the fenced node would learn of its fate only by a time-out.
"""

import itertools

import pytest

from tsih.initiator import Initiator
from tsih.machine import REGION_BLOCKS, Machine, numbers, records
from tsih.wirelog import SCSI_COMMAND, SCSI_RESPONSE, WireLog

RUN = itertools.count(1)
PERSISTENT_RESERVE_OUT = 0x5F
PREEMPT_AND_ABORT = 0x05  # its service action
RESERVATION_CONFLICT = 0x18  # status of SAM-5
WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 5
SET_TAS = "0,0,0,0,0,40,0,0,0,0,0,0"  # of the control mode page's 12 bytes, in hexadecimal
KEYS = {"one": "0xa1", "other": "0xb2"}


@pytest.fixture
def nodes(story, lab, target, initiator):
    """Guests `one` and `other`, two nodes with names of their own."""
    number = next(RUN)
    other = Initiator(lab.guest("other"))
    other.prepare()
    both = [Machine(initiator, f"one-{number}", 2048),
            Machine(other, f"other-{number}", 2048 + REGION_BLOCKS)]
    yield both
    for node in both:
        if not lab.kept and node.guest.is_up:
            node.stop_writing()
            node.initiator.clear()


def enter(target, node):
    node.initiator.add_node(target.iqn, target.portal)
    node.device = node.initiator.login(target.iqn)


def persist(node, words):
    """sg_persist --out, by this node with its key."""
    return node.guest.succeed(f"sg_persist --out {words} {node.device}")


@pytest.mark.systems("tsihd")
def test_fencing(story, target, slow_disk, nodes):
    """Two nodes, one reservation; PREEMPT AND ABORT takes one out, and nothing of it lands after."""
    one, other = nodes
    story.step(f"Two nodes have one disk, which takes {slow_disk.delay_ms} ms for each write")
    target.serve(slow_disk.disk)
    enter(target, one)
    story.step("TAS is set: a node whose command is aborted is told")
    one.guest.succeed(f"sg_wr_mode --page=0xa --contents={SET_TAS} --mask={SET_TAS} {one.device}")
    enter(target, other)
    story.step("Each registers its key; the first reserves Write Exclusive - Registrants Only")
    for node in nodes:
        persist(node, f"--register --param-sark={KEYS[node.guest.name]}")
    persist(one, f"--reserve --param-rk={KEYS['one']} --prout-type={WRITE_EXCLUSIVE_REGISTRANTS_ONLY}")
    story.step("Both write: they are registered")
    one.start_writing(records=1)
    other.start_writing(records=1)
    story.step("The second node takes the first one out: PREEMPT AND ABORT; a write of it is under way")
    persist(other, f"--preempt-abort --param-rk={KEYS['other']} --param-sark={KEYS['one']} "
                   f"--prout-type={WRITE_EXCLUSIVE_REGISTRANTS_ONLY}")
    seen = on_disk(target, one)
    story.step("The first node is told that its writes are not wanted")
    one.wait_failed()
    words = one.guest.succeed(f"tail -1 {one.log}")
    story.judge("Invalid exchange" in words, property="fencing", party="initiator",
                system="open-iscsi",
                passed="the fenced node's write ended with EBADE, the kernel's word for a conflict",
                failed=f"expected `Invalid exchange` (EBADE), got: {words.strip()}")
    other.wait_written(other.written() + 2)
    other.stop_writing()
    judge_registrations(story, other)
    judge_wire(story, one, other)
    late = on_disk(target, one) - seen
    story.judge(not late, property="no_late_write",
                passed=f"the disk has the {len(seen)} records of the fenced node that were there when "
                       "PREEMPT AND ABORT was answered, and not one more",
                failed=f"expected the {len(seen)} records that were there when PREEMPT AND ABORT was "
                       f"answered, got {len(late)} more: {sorted(late)[:5]}")


def on_disk(target, node):
    """The numbers of a node's records that are on the disk, from the target's own side."""
    return numbers(target.guest.succeed(records("/dev/tsih/shared", node),
                                        as_text=f"records of {node.tag} on the target's disk"))


def judge_registrations(story, other):
    words = other.guest.succeed(f"sg_persist -s {other.device}")
    good = "Key=0xb2" in words and "Key=0xa1" not in words and "Reservation holder" in words
    story.judge(good, property="fencing",
                passed="READ FULL STATUS: only the second node is registered, and the reservation "
                       "is its",
                failed=f"expected key 0xb2 alone, holding the reservation, got: {words.strip()[-300:]}")


def judge_wire(story, one, other):
    """After the answer to PREEMPT AND ABORT no write of the fenced node ends well."""
    pdus = WireLog(story.capture_so_far()).update().pdus
    asked = next(p for p in pdus if p.source == other.ip and p.opcode == SCSI_COMMAND
                 and p.cdb[0] == PERSISTENT_RESERVE_OUT and p.cdb[1] & 0x1F == PREEMPT_AND_ABORT)
    answered = next(p for p in pdus if p.destination == other.ip and p.opcode == SCSI_RESPONSE
                    and p.t_ns > asked.t_ns and p.initiator_task_tag == asked.initiator_task_tag)
    story.metric("preempt_and_abort_ms", (answered.t_ns - asked.t_ns) / 1e6)
    late = [p for p in pdus if p.destination == one.ip and p.t_ns > answered.t_ns
            and p.opcode == SCSI_RESPONSE]
    good = [p for p in late if p.is_good]
    conflicts = [p for p in late if p.bhs[3] == RESERVATION_CONFLICT]
    story.judge(answered.is_good and bool(conflicts) and not good, property="fencing",
                evidence={"file": "capture.pcapng",
                          "frame": (good or conflicts or [answered])[0].frame},
                passed=f"{len(conflicts)} commands of the fenced node ended with RESERVATION CONFLICT, "
                       "none well",
                failed=f"expected RESERVATION CONFLICT for the fenced node, got {len(conflicts)} of "
                       f"it and {len(good)} commands that ended well")
