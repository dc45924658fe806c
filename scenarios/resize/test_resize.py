"""A LUN grows while it is in use: an LVM volume behind it, the stock Linux initiator in front.

The volume lies on a sparse disk, so gigabytes cost nothing.
"""

import pytest

from tsih.passes import Passes
from tsih.targetconfig import Disk

GIB = 1 << 30
VOLUME = "/dev/tank/disk"
CAPACITY_DATA_HAS_CHANGED = "Capacity data has changed"  # the initiator's kernel on sense 2A/09
READS = 20  # commands at which a target that says nothing could have said it


@pytest.fixture
def device(story, target, initiator):
    """The initiator's disk: LUN 0 with a fresh volume of 1 GiB behind it."""
    story.step("The target guest makes an LVM volume of 1 GiB and serves it")
    target.guest.succeed(
        "vgs tank >/dev/null 2>&1 || vgcreate -q tank /dev/tsih/store; "
        f"lvremove -q -y {VOLUME} >/dev/null 2>&1; lvcreate -q -y -W n -L 1g -n disk tank")
    target.serve(Disk("disk", VOLUME, plugin="block"))
    initiator.add_node(target.iqn, target.portal)
    story.step("The initiator logs in")
    found = initiator.login(target.iqn)
    assert initiator.size_bytes(found) == GIB
    return found


def grow(story, target):
    story.step("The volume is grown to 2 GiB in the target guest; nobody is asked")
    with story.fault("target: lvresize -L 2g", "target"):
        target.guest.succeed(f"lvresize -q -L 2g {VOLUME}")


def kernel_log_size(initiator):
    return int(initiator.guest.succeed("dmesg | wc -l"))


def test_grow(story, target, initiator, device):
    """1 GiB, lvresize -L 2g, a rescan: the initiator has 2147483648 bytes, without a new login."""
    kept = initiator.checked_io(device)
    grow(story, target)
    story.step("The initiator has not looked yet")
    size = initiator.size_bytes(device)
    story.judge(size == GIB, property="resize", passed=f"still {GIB} bytes before the rescan",
                failed=f"expected {GIB} bytes before the rescan, got {size}")
    story.step("The initiator looks: iscsiadm -m session -R")
    before_ms = story.now_ms()
    initiator.rescan()
    initiator.guest.wait_until(f"[ $(blockdev --getsize64 {device}) != {GIB} ]")
    story.metric("rescan_ms", story.now_ms() - before_ms)
    size = initiator.size_bytes(device)
    story.judge(size == 2 * GIB, property="resize",
                passed="2147483648 bytes after the rescan, in the same session",
                failed=f"expected 2147483648 bytes after the rescan, got {size}")
    story.step("The new half takes data, the old half has kept its own")
    initiator.checked_io(device, offset_kib=(GIB + GIB // 2) // 1024)
    old = initiator.guest.succeed(
        f"dd if={device} bs=1M count=1 iflag=direct 2>/dev/null | sha256sum").split()[0]
    story.judge(old == kept, property="data_integrity",
                passed="what was written before the growth is still there",
                failed=f"expected SHA-256 {kept} of the old half, got {old}")


def test_without_rescan(story, target, initiator, device):
    """Without a rescan the initiator is told of the growth, but keeps the size that it knows."""
    log_from = kernel_log_size(initiator)
    grow(story, target)
    story.step("The initiator reads, as it always does; a unit attention may come with it")
    read = f"dd if={device} of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null"
    look = f"dmesg | tail -n +{log_from + 1} | grep -q '{CAPACITY_DATA_HAS_CHANGED}'"
    if target.tells_of_growth:  # once it has noticed, which it does by itself
        initiator.guest.wait_until(f"{read}; {look}")
    # The kernel has logged a unit attention before the command that met it ends.
    told = initiator.guest.run(f"for n in $(seq {READS}); do {read}; done; {look}").ok
    message = ("CAPACITY DATA HAS CHANGED (2A/09) reached the initiator" if told else
               "expected CAPACITY DATA HAS CHANGED (2A/09) at the next commands, got none")
    story.finding(verdict="pass" if told else "violation", property="growth_is_told",
                  message=message)
    size = initiator.size_bytes(device)
    story.judge(size == GIB, property="resize", party="initiator", system="open-iscsi",
                passed=f"without a rescan the kernel stays at {GIB} bytes",
                failed=f"expected {GIB} bytes without a rescan, got {size}")
    story.step("sg_readcap asks the target itself, past what the kernel remembers")
    words = initiator.guest.succeed(f"sg_readcap --16 {device}")
    story.judge(f"Device size: {2 * GIB} bytes" in words, property="resize",
                passed="the target says 2147483648 bytes to who asks it (READ CAPACITY(16))",
                failed=f"expected READ CAPACITY(16) to say {2 * GIB} bytes, got: {words.strip()}")


def test_in_flight(story, target, initiator, device):
    """The growth and the rescan come in the middle of writes; fio verifies every block."""
    story.step("fio writes, many commands at a time, until it is told to stop")
    fio = Passes(initiator.guest, device, regions=6, mib=24, options="--bs=32k --iodepth=8")
    grow(story, target)
    initiator.rescan()
    at_growth = fio.go_on()
    story.observed(f"fio had written {at_growth} blocks when the rescan was over, and went on")
    size = initiator.size_bytes(device)
    story.judge(size == 2 * GIB, property="resize", passed="2147483648 bytes with I/O in flight",
                failed=f"expected 2147483648 bytes, got {size}")
    story.step("fio finishes its pass, then every block of every pass has been read back")
    ended = fio.stop()
    story.judge(ended.ok, property="data_integrity",
                passed="fio verified every block that it wrote around the growth",
                failed=f"expected fio to verify every block, got {ended.output.strip()[-200:]}")
