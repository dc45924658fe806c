"""What a target has acknowledged for good survives a power cut.

A guest that is killed loses nothing that it has given to QEMU, so its disks here are of another kind
(tsih.volatiledisk): a write is safe after a flush or with FUA, and of all others a power cut keeps
what it likes, a block at a time, in any order. That was chosen over null_blk's cache, which is gone as
a whole with the kernel and cannot be looked at afterwards, over dm-flakey's drop_writes, which loses
nothing that came before it is switched on, and over QEMU's blklogwrites, whose log has writes and
flushes in the order in which they were begun and so takes a write for flushed that was still under
way. One kill makes many power cuts: each keeps another part by its seed, and all of them are judged.
"""

import random

import pytest

KILLS = 2
POWER_CUTS = 8  # of each kill; the first loses all that was not flushed


def judge(story, backing, records, losses, when):
    story.judge(not losses, property="durability",
                passed=f"{backing.disk.name}: {len(records)} places have what was acknowledged, {when}",
                failed=f"expected every acknowledged record of {backing.disk.name}, {when}; "
                       f"{len(losses)} are lost: {'; '.join(losses[:3])}")


@pytest.mark.systems("tsihd")
def test_power_cut(story, power, seeds):
    """The target's machine loses its power in the middle of writes: what was acknowledged is there.

    fileio with write-back, fileio with write-through (both as sparse files in an ext4), block and pscsi
    are written side by side; the initiator waits for the target to come back, and writes on.
    """
    story.step("The target serves two files and two disks, all on disks with volatile caches")
    luns = [*power.files("write-back", "write-through"), power.block(), power.passed()]
    story.step("The initiator writes records, some with FUA, some followed by a flush")
    power.start(*luns)
    for seed in seeds(KILLS):
        power.wait_records(random.Random(seed).randrange(40, 120))
        story.step(f"The power of the target's machine fails (seed {seed})")
        kept = power.kill()
        for backing, records in kept:
            story.metric(f"unflushed_{backing.disk.name}_{seed}", backing.volatile.unflushed_writes)
            cuts = [0, *range(seed * 1000, seed * 1000 + POWER_CUTS - 1)]
            judge(story, backing, records, power.losses(backing, records, cuts),
                  f"after each of {len(cuts)} power cuts")
        story.step("The power comes back; the initiator finds its target again and writes on")
        power.boot_again(seed * 1000)
    power.wait_records(10)
    story.step("What the initiator reads is what it was told")
    for lun, (backing, records) in enumerate(power.stop_writing()):
        judge(story, backing, records, power.losses_over_iscsi(lun, records), "over iSCSI")


@pytest.mark.systems("tsihd")
@pytest.mark.control
def test_lying_disk(story, power):
    """A disk that acknowledges flushes and does nothing loses data, and the judge sees it.

    The disaster is the disk's: nothing that a target does can save its initiators from it.
    """
    story.step("The target serves a disk that lies about flushes and FUA")
    power.start(power.block(lies=True), patience_s=1)
    power.wait_records(40)
    story.step("The power of the target's machine fails")
    (backing, records), = power.kill()
    losses = power.losses(backing, records, [0])
    story.finding(verdict="pass" if losses else "inconclusive", property="durability_is_judged",
                  message=f"{len(losses)} of {len(records)} acknowledged places are lost on a disk that "
                          "lies, and the judge sees it")
    assert losses, "the control shows no disaster"
