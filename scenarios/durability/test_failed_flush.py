"""A disk fails for a moment and loses what was cached: who wrote it must hear of it.

The kernel tells a program of pages that it could not write back once, at its next fsync. A target
stands between: where one initiator's SYNCHRONIZE CACHE takes that word, another's must not be GOOD.
"""

import dataclasses

import pytest

from tsih.guest import Guest
from tsih.targetconfig import Disk

SECOND_WAY = "10.78.0.10"  # the target's second cable: a second I_T nexus of the same guest
SHARED, FRAIL = "/dev/tsih/shared", "/dev/mapper/frail"
WRITEBACK = "/proc/sys/vm/dirty_writeback_centisecs"
# How long the kernel waits before it writes back by itself. Not 0, which says "never" and, for a device
# that has written nothing yet, does it at once.
AN_HOUR = 360_000
RECORD_KIB = 64
MEDIUM_ERROR = 3  # sg3_utils' exit status: a medium or hardware error
DISKS = ("ls -d /sys/class/iscsi_session/session*/device/target*/*:0/block/* 2>/dev/null "
         "| sed 's:.*/:/dev/:'")


@dataclasses.dataclass(frozen=True)
class FrailDisk:
    """A device-mapper disk that can be made to fail every request, and to work again."""

    guest: Guest
    size_bytes: int

    def table(self, words: str) -> None:
        self.guest.succeed(
            f"export DM_DISABLE_UDEV=1; dmsetup suspend --nolockfs --noflush frail && dmsetup reload "
            f"frail --table '0 {self.size_bytes // 512} {words}' && dmsetup resume frail")

    def fail(self) -> None:
        self.table("error")

    def heal(self) -> None:
        self.table(f"linear {SHARED} 0")

    def record(self) -> str:
        """SHA-256 of the record as it is on the medium."""
        return _sum(self.guest, SHARED)


@pytest.fixture
def frail(target, initiator):
    guest = target.guest
    # What is cached stays so until a flush: the kernel would write it back by itself after some seconds.
    usual = guest.succeed(f"cat {WRITEBACK}; echo {AN_HOUR} >{WRITEBACK}").strip()
    size_bytes = int(guest.succeed(f"blockdev --getsize64 {SHARED}"))
    guest.succeed("export DM_DISABLE_UDEV=1; dmsetup remove -f --retry frail 2>/dev/null; dmsetup "
                  f"create frail --table '0 {size_bytes // 512} linear {SHARED} 0'; [ -b {FRAIL} ]")
    yield FrailDisk(guest, size_bytes)
    initiator.clear()
    target.stop()  # it holds the device
    guest.succeed(f"DM_DISABLE_UDEV=1 dmsetup remove --retry frail; echo {usual} >{WRITEBACK}")


def _sum(guest, device):
    return guest.succeed(f"dd if={device} bs=1k count={RECORD_KIB} iflag=direct 2>/dev/null | sha256sum")


def lose_a_write(story, target, initiator, frail):
    """One nexus writes, the disk fails, the other nexus flushes; the exit status of the first one's
    own flush, once the disk works again, and of the one after it."""
    story.step("The target serves a file with a write-back cache, on a disk that will fail")
    target.serve(Disk("frail", FRAIL, size_bytes=frail.size_bytes, write_back=True),
                 addresses=(target.guest.ip, SECOND_WAY))
    for address in (target.guest.ip, SECOND_WAY):
        initiator.add_node(target.iqn, f"{address}:3260")
    initiator.login(target.iqn)
    guest = initiator.guest
    first, second = guest.wait_until(f"{DISKS} | tee /run/disks; [ $(wc -l < /run/disks) = 2 ]").split()
    story.step("The first nexus writes a record; it is GOOD, and in the target's cache")
    guest.succeed(f"head -c {RECORD_KIB}k /dev/urandom > /run/record; "
                  f"dd if=/run/record of={first} bs={RECORD_KIB}k oflag=direct 2>/dev/null")
    written = guest.succeed("sha256sum < /run/record")
    story.step("The disk fails; the second nexus flushes, and is told so")
    with story.fault("target: the disk fails every request", "target"):
        frail.fail()
    told = guest.run(f"sg_sync {second}")
    assert not told.ok, "the scene is wrong: expected its SYNCHRONIZE CACHE to fail"
    story.step("The disk works again, and does not have the record")
    with story.fault("target: the disk works again", "target"):
        frail.heal()
    assert frail.record() != written, "the scene is wrong: expected the record to be lost"
    story.step("The first nexus flushes what it wrote")
    return [guest.run(f"sg_sync {first}").exit_status for _ in range(2)]


@pytest.mark.systems("tsihd")
def test_failed_flush(story, target, initiator, frail):
    """A cached write is lost; its writer's SYNCHRONIZE CACHE fails though another's found the loss."""
    first, after = lose_a_write(story, target, initiator, frail)
    story.judge(first == MEDIUM_ERROR, property="durability",
                passed="SYNCHRONIZE CACHE of the one whose write is lost ends in a medium error",
                failed=f"expected SYNCHRONIZE CACHE to fail, for the write is lost; got status {first}")
    story.judge(after == 0, property="durability", passed="it is told once, then the disk goes on",
                failed=f"expected the next SYNCHRONIZE CACHE to be GOOD, got status {after}")


@pytest.mark.systems("lio")
@pytest.mark.control
def test_failed_flush_unheard(story, target, initiator, frail):
    """LIO: the writer of a lost record flushes, and hears that all is well."""
    first, _ = lose_a_write(story, target, initiator, frail)
    story.judge(first != 0, property="durability",
                passed="SYNCHRONIZE CACHE of the one whose write is lost fails",
                failed="expected SYNCHRONIZE CACHE to fail, for the write is lost; it was GOOD")
    assert first == 0, "the control shows no disaster"
