"""Two ways to one LUN: a cable is cut under load, and nobody notices but the kernel's log."""

import pytest

from tsih.passes import Passes
from tsih.targetconfig import Disk
from tsih.wirelog import SCSI_COMMAND, WireLog

MIB = 1 << 20
SECOND_WAY = "10.78.0.10"  # the target's second cable; the initiator's is 10.78.0.21
CONFIGURATION = """defaults {
    user_friendly_names yes
    find_multipaths no
    polling_interval 1
    max_polling_interval 1
    path_checker tur
    path_grouping_policy multibus
    no_path_retry queue
}
"""
MAP = "/dev/mapper/mpatha"
# udev tells multipathd what a disk is; guests are without it otherwise, for the sake of their boot.
START = ("cat > /etc/multipath.conf; "
         "modprobe -a dm_multipath dm_round_robin dm_service_time scsi_dh_alua; "
         "/lib/systemd/systemd-udevd --daemon >/dev/null 2>&1; "
         "udevadm trigger --subsystem-match=block; udevadm settle; "
         "mkdir -p /run/multipath; multipathd >/dev/null 2>&1")
STOP = ("pkill -x multipathd; multipath -F >/dev/null 2>&1; dmsetup remove_all 2>/dev/null; "
        "pkill -x systemd-udevd; "
        "rm -f /etc/multipath.conf /etc/multipath/bindings /etc/multipath/wwids")


@pytest.fixture
def multipath(target, initiator):
    """The multipath device of LUN 0 over both ways."""
    target.guest.succeed("rm -f /srv/paths.img")
    target.serve(Disk("paths", "/srv/paths.img", size_bytes=64 * MIB, write_back=True),
                 addresses=(target.guest.ip, SECOND_WAY))
    for address in (target.guest.ip, SECOND_WAY):
        initiator.add_node(target.iqn, f"{address}:3260")
    # A way is given up quickly where another is left; open-iscsi's README says so, too. Not at once: the
    # way that stays must not be given up because a busy host lets its guests wait.
    initiator.set_named(target.iqn, {"node.conn[0].timeo.noop_out_interval": "1",
                                     "node.conn[0].timeo.noop_out_timeout": "5",
                                     "node.session.timeo.replacement_timeout": "1"})
    initiator.login(target.iqn)
    guest = initiator.guest
    guest.succeed(START, stdin=CONFIGURATION, as_text="start udevd and multipathd")
    guest.wait_until(f"[ -b {MAP} ] && [ $(dmsetup status {MAP} | grep -o ' A ' | wc -l) -ge 1 ] "
                     "&& [ $(multipathd show paths raw format '%d %t' | grep -c active) = 2 ]")
    yield MAP
    guest.run(STOP, as_text="end multipathd and udevd")


def active_paths(count):
    return f"[ $(multipathd show paths raw format '%t' | grep -c active) = {count} ]"


@pytest.mark.systems("tsihd")
def test_multipath(story, lab, target, initiator, multipath):
    """Two portals, one cable cut under fio: I/O goes on over the other, without an error."""
    guest = initiator.guest
    story.step("fio writes and verifies over both ways")
    fio = Passes(guest, multipath, regions=4, mib=8, options="--bs=16k --iodepth=8 --rate=1200k")
    fio.go_on(100)
    story.step("The second cable is cut")
    cut_ns = _second_cable(story, lab, "cut")
    guest.wait_until(active_paths(1))
    story.step("Writes go on over the first")
    fio.go_on(50)
    story.step("The cable is healed; both ways are used again")
    healed_ns = _second_cable(story, lab, "heal")
    guest.wait_until(active_paths(2))
    fio.go_on(50)
    ended = fio.stop()
    story.judge(ended.ok, property="multipath",
                passed="fio wrote and verified everything, and saw no error",
                failed=f"expected fio to go on without an error, got {ended.output.strip()[-200:]}")
    guest.succeed(f"dd if={multipath} of=/dev/null bs=16k count=64 iflag=direct 2>/dev/null")
    judge_wire(story, target.guest.ip, cut_ns, healed_ns)


def _second_cable(story, lab, what):
    with story.fault(f"target: second cable {what}", "target"):
        return lab.client.call(f"link.{what}", link="target-1")["t_ns"]


def judge_wire(story, first, cut_ns, healed_ns):
    commands = [p for p in WireLog(story.capture_so_far()).update().pdus if p.opcode == SCSI_COMMAND]

    def count(way, begin, end):
        return len([p for p in commands if p.destination == way and begin <= p.t_ns < end])

    end = max(p.t_ns for p in commands) + 1
    seen = {"before the cut": (count(first, 0, cut_ns), count(SECOND_WAY, 0, cut_ns)),
            "while it was cut": (count(first, cut_ns, healed_ns), count(SECOND_WAY, cut_ns, healed_ns)),
            "after it was healed": (count(first, healed_ns, end), count(SECOND_WAY, healed_ns, end))}
    words = "; ".join(f"{when} {a} and {b}" for when, (a, b) in seen.items())
    one, two = seen["while it was cut"]
    good = one > 0 and two == 0 and all(min(pair) > 0 for when, pair in seen.items()
                                        if when != "while it was cut")
    at = next((p.frame for p in commands if p.t_ns >= cut_ns), 1)
    story.judge(good, property="multipath", evidence={"file": "capture.pcapng", "frame": at},
                passed=f"SCSI commands that arrived over the first and the second way: {words}",
                failed=f"expected commands over both, over the first only, over both; got {words}")
