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
STARTS = 4  # of tsihd after as many of them


def judge(story, kept, losses, when):
    name = kept.backing.disk.name
    story.judge(not losses, property="durability",
                passed=f"{name}: {len(kept.records)} places have what was acknowledged, {when}",
                failed=f"expected every acknowledged record of {name}, {when}; "
                       f"{len(losses)} are lost: {'; '.join(losses[:3])}")


def judge_atomic(story, kept, power, cuts):
    """Every atomic range is one write's, and none older than what was acknowledged."""
    for name, faults in power.after_starts(kept, cuts).items():
        story.judge(not faults, property="atomic_writes",
                    passed=f"{name}: every range is wholly one atomic write's after tsihd started over "
                           f"{len(cuts)} power cuts",
                    failed=f"expected every range of {name} to be wholly the last atomic write that was "
                           f"acknowledged or a later one; {len(faults)} are not: {'; '.join(faults[:3])}")


@pytest.mark.systems("tsihd")
def test_power_cut(story, power, seeds):
    """The target's machine loses its power in the middle of writes: what was acknowledged is there.

    fileio with write-back, fileio with write-through (both as sparse files in an ext4), block and pscsi
    are written side by side, the first three by WRITE ATOMIC as well; the initiator waits for the target
    to come back, and writes on.
    """
    power.keep_state()
    story.step("The target serves two files and two disks, all on disks with volatile caches")
    luns = [*power.files("write-back", "write-through"), power.block(), power.passed()]
    story.step("The initiator writes records, some with FUA, some followed by a flush, some atomic")
    power.start(*luns)
    for seed in seeds(KILLS):
        power.wait_records(random.Random(seed).randrange(40, 120))
        story.step(f"The power of the target's machine fails (seed {seed})")
        kept = power.kill()
        cuts = [0, *range(seed * 1000, seed * 1000 + POWER_CUTS - 1)]
        for one in kept:
            name, volatile = one.backing.disk.name, one.backing.volatile
            story.metric(f"unflushed_{name}_{seed}", volatile.unflushed_writes)
            judge(story, one, power.losses(one.backing, one.records, cuts),
                  f"after each of {len(cuts)} power cuts")
        judge_atomic(story, kept, power, cuts[:STARTS])
        story.metric(f"atomic_cut_short_{seed}", power.cut_short)
        story.step("The power comes back; the initiator finds its target again and writes on")
        power.boot_again(seed * 1000)
    power.wait_records(10)
    story.step("What the initiator reads is what it was told")
    for lun, one in enumerate(power.stop_writing()):
        judge(story, one, power.losses_over_iscsi(lun, one), "over iSCSI")


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
    kept, = power.kill()
    losses = power.losses(kept.backing, kept.records, [0])
    story.finding(verdict="pass" if losses else "inconclusive", property="durability_is_judged",
                  message=f"{len(losses)} of {len(kept.records)} acknowledged places are lost on a disk that "
                          "lies, and the judge sees it")
    assert losses, "the control shows no disaster"
