"""Linux's own stack on a LUN: file systems, discard, zeroes, load with verification.

What is given back is measured where it counts: in blocks of the target's sparse file.
"""

import pytest

from tsih.targetconfig import Disk

MIB = 1 << 20
IMAGE = "/srv/linux.img"
FILE_MIB = 16


def serve(target, initiator, **disk):
    """One LUN in a sparse file that nothing has written to yet; the initiator's device."""
    target.guest.succeed(f"rm -f {IMAGE}")
    target.serve(Disk("linux", IMAGE, **disk))
    initiator.add_node(target.iqn, target.portal)
    return initiator.login(target.iqn)


def allocated_mib(target):
    """What the target's file takes on its disk."""
    return int(target.guest.succeed(f"stat -c %b {IMAGE}")) * 512 / MIB


@pytest.mark.systems("tsihd")
@pytest.mark.parametrize("block_size", [512, 4096])
def test_filesystem(story, target, initiator, block_size):
    """Blocks of {block_size} bytes: mkfs.ext4, mount, a file; fstrim gives its space back."""
    story.step(f"The target serves a sparse file of 256 MiB with blocks of {block_size} bytes")
    device = serve(target, initiator, size_bytes=256 * MIB, write_back=True,
                   block_size_bytes=block_size)
    guest = initiator.guest
    seen = int(guest.succeed(f"blockdev --getss {device}"))
    story.judge(seen == block_size, property="block_size",
                passed=f"the kernel's logical block is {seen} bytes",
                failed=f"expected logical blocks of {block_size} bytes, got {seen}")
    story.step(f"A file system is made, mounted, and {FILE_MIB} MiB are written to it")
    sha256 = guest.succeed(
        f"set -e; mkfs.ext4 -q -F {device}; mkdir -p /run/lun; mount {device} /run/lun; "
        f"head -c {FILE_MIB * MIB} /dev/urandom > /run/lun/file; sync; "
        "echo 3 > /proc/sys/vm/drop_caches; sha256sum < /run/lun/file",
        as_text=f"mkfs.ext4, mount, {FILE_MIB} MiB of random data, sync, drop the caches, sha256sum"
    ).split()[0]
    guest.succeed("umount /run/lun")
    found = guest.succeed(f"e2fsck -f -n {device} >/dev/null && mount {device} /run/lun && "
                          "sha256sum < /run/lun/file").split()[0]
    story.judge(found == sha256, property="data_integrity",
                passed="e2fsck finds nothing wrong, and the file is the one that was written",
                failed=f"expected SHA-256 {sha256} after a second mount, got {found}")
    full = allocated_mib(target)
    story.step("The file is removed, and fstrim tells the target what is free")
    guest.succeed("rm /run/lun/file; sync; fstrim -v /run/lun; umount /run/lun")
    freed = full - allocated_mib(target)
    story.metric("freed_mib", freed)
    # The removal itself writes: the journal and bitmaps may take blocks that were holes before.
    story.judge(freed > FILE_MIB - 1, property="thin_provisioning",
                passed=f"fstrim gave {freed:.0f} MiB of the target's file back",
                failed=f"expected {FILE_MIB} MiB back, less what the removal writes, got {freed:.1f}")


@pytest.mark.systems("tsihd")
def test_discard(story, target, initiator):
    """blkdiscard empties the target's file; blkdiscard -z leaves zeroes and nothing else."""
    story.step("The target serves a sparse file; the initiator writes 8 MiB to it")
    device = serve(target, initiator, size_bytes=64 * MIB)
    guest = initiator.guest
    write = (f"head -c {8 * MIB} /dev/urandom | "
             f"dd of={device} bs=1M iflag=fullblock oflag=direct 2>/dev/null")
    guest.succeed(write)
    full = allocated_mib(target)
    story.step("blkdiscard: UNMAP of the whole LUN")
    guest.succeed(f"blkdiscard {device}")
    left = allocated_mib(target)
    story.judge(full >= 8 and left == 0, property="thin_provisioning",
                passed=f"{full:.0f} MiB before, none after",
                failed=f"expected 8 MiB before and none after, got {full:.1f} and {left:.1f}")
    story.step("blkdiscard -z of 4 MiB in the middle of data: WRITE SAME")
    guest.succeed(write)
    guest.succeed(f"blkdiscard -z -o {2 * MIB} -l {4 * MIB} {device}")
    words = guest.succeed(
        f"echo 3 > /proc/sys/vm/drop_caches; "
        f"for at in 1 2 5 6; do dd if={device} bs=1M skip=$at count=1 iflag=direct 2>/dev/null | "
        "tr -d '\\000' | wc -c; done", as_text="bytes that are not zero in MiB 1, 2, 5 and 6")
    counts = [int(n) for n in words.split()]
    good = counts[1] == counts[2] == 0 and min(counts[0], counts[3]) > MIB * 9 // 10
    story.judge(good, property="data_integrity",
                passed="zeroes where they were asked for, data beside them",
                failed="expected zeroes in MiB 2 and 5, data in 1 and 6; bytes that are not zero: "
                       f"{counts}")


# A disk that takes UNMAP and cannot be told to write zeroes; what it has mapped is in its driver's map.
THIN_DISK = ("modprobe scsi_debug dev_size_mb=16 lbpu=1 lbprz=0 delay=0; modprobe sd_mod; "
             "for d in /sys/class/block/sd*; do grep -q Linux $d/device/vendor && "
             "echo 0 > $(echo $d/device/scsi_disk/*/max_write_same_blocks) && "
             "cat $d/queue/write_zeroes_max_bytes && echo /dev/${d##*/}; done")
MAPPED = "cat /sys/bus/pseudo/drivers/scsi_debug/map"


@pytest.mark.systems("tsihd")
def test_discard_without_zeroes(story, target, initiator):
    """A block device that discards and cannot write zeroes: UNMAP reaches it, and promises nothing."""
    story.step("The target guest has such a disk, and serves it")
    zeroes, disk = target.guest.wait_until(f"{THIN_DISK} | grep -B1 /dev/").split()
    assert zeroes == "0", "the disk can be told to write zeroes after all"
    target.serve(Disk("thin", disk, plugin="block"))
    initiator.add_node(target.iqn, target.portal)
    device = initiator.login(target.iqn)
    said = initiator.guest.succeed(f"sg_vpd -p lbpv {device}")
    story.judge("(LBPU): 1" in said and "(LBPRZ): 0" in said, property="thin_provisioning",
                passed="UNMAP is offered, and unmapped blocks may read as anything",
                failed=f"expected LBPU 1 and LBPRZ 0, got {' '.join(said.split())[-300:]}")
    story.step("blkdiscard reaches the disk")
    initiator.guest.succeed(
        f"head -c {MIB} /dev/urandom | dd of={device} bs=1M iflag=fullblock oflag=direct 2>/dev/null")
    before = target.guest.succeed(MAPPED).strip()
    initiator.guest.succeed(f"blkdiscard {device}")
    after = target.guest.succeed(MAPPED).strip()
    story.judge(before != "" and after == "", property="thin_provisioning",
                passed=f"blocks {before} were mapped before, none after",
                failed=f"expected mapped blocks before and none after, got {before!r} and {after!r}")
    initiator.clear()
    target.stop()
    target.guest.run("modprobe -r scsi_debug")


@pytest.mark.systems("tsihd")
def test_fio_verify(story, target, initiator, seeds):
    """fio writes blocks of many sizes at random, many at a time, and finds each by its crc32c.

    One seed in a usual run; `tsih run scsi.fio_verify --long 240` goes through new ones for four hours.
    """
    story.step("The target serves a file with write-back, to an initiator that queues 16 commands")
    # The target guest has its files in memory: over many seeds every block of this one is written.
    device = serve(target, initiator, size_bytes=96 * MIB, write_back=True)
    for seed in seeds(1):
        story.step(f"fio, seed {seed}")
        ended = initiator.guest.run(
            f"fio --name=verify --filename={device} --randseed={seed} --rw=randwrite --size=96m "
            "--io_size=24m --bsrange=512-128k --blockalign=512 --ioengine=libaio --iodepth=16 "
            "--direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --fdatasync=32 "
            "--norandommap=0 --minimal")
        story.judge(ended.ok, property="data_integrity",
                    passed=f"seed {seed}: fio verified every block that it wrote",
                    failed=f"expected fio to verify every block of seed {seed}, "
                           f"got {ended.output.strip()[-200:]}")
