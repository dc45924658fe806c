"""A target whose disks lose their unflushed writes when it is killed, and what must be on them."""

import dataclasses
import pathlib
import re
import subprocess

import pytest

from tsih.initiator import QUICK_TO_GIVE_UP
from tsih.targetconfig import Disk
from tsih.volatiledisk import VolatileDisk

MIB = 1 << 20
LUN_BYTES = 16 * MIB
RECORD_BYTES, BLOCK_BYTES = 4096, 512  # durable_writer.py's
RECORDS_BYTES = MIB  # its places
WRITER = (pathlib.Path(__file__).parent / "durable_writer.py").read_text(encoding="utf-8")
LOG, EPOCH = "/run/durable.log", "/run/durable.epoch"
# The last record of each place is all that counts: hours of records would fill the guest's memory.
# The writer appends; what it adds while the log is shortened is not counted.
SHORTEN_LOG = (f"awk '$3 > last[$1 \" \" $2] {{ last[$1 \" \" $2] = $3 }} END {{ for (place in last) "
               f"print place, last[place] }}' {LOG} > {LOG}.last && : > {LOG} && cat {LOG}.last >> {LOG} "
               f"&& cat {LOG}.last")
WRITER_PATTERN = "[d]urable_writer.py"  # which does not match the shell that looks for it
END_WRITER = f"pkill -KILL -f {WRITER_PATTERN}"
MOUNT = "/var/volatile"
LOAD_SCSI = "modprobe -a virtio_scsi sd_mod sg"
QUIET = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


@dataclasses.dataclass(frozen=True)
class Backing:
    """A LUN, and the way from a power cut's image to the LUN's bytes."""

    disk: Disk
    volatile: VolatileDisk
    file: str = ""  # its name in the ext4 of the volatile disk; empty: it is the whole disk

    def bytes_in(self, image: pathlib.Path) -> bytes:
        """What a machine would find that boots with this image."""
        if not self.file:
            return image.read_bytes()[:RECORDS_BYTES]
        # As mounting it would: the journal is replayed, then the file is read.
        subprocess.run(["/usr/sbin/e2fsck", "-f", "-y", image], check=False, **QUIET)
        found = image.with_suffix(".file")
        found.unlink(missing_ok=True)
        subprocess.run(["/usr/sbin/debugfs", "-R", f"dump /{self.file} {found}", image],
                       check=True, **QUIET)
        return found.read_bytes()[:RECORDS_BYTES] if found.exists() else b""


def acknowledged(log: str, lun: int) -> dict[int, int]:
    """For each place of a LUN the last record that a flush or FUA has answered for."""
    last: dict[int, int] = {}
    for place, number in re.findall(rf"^{lun} (\d+) (\d+)$", log, re.MULTILINE):
        last[int(place)] = max(last.get(int(place), 0), int(number))
    return last


def lost(content: bytes, acked: dict[int, int]) -> list[str]:
    """Every place with a block that is older than what was acknowledged, in words."""
    missing = []
    for place, number in sorted(acked.items()):
        blocks = range(place * RECORD_BYTES, (place + 1) * RECORD_BYTES, BLOCK_BYTES)
        heads = (re.match(rb"tsih %d (\d+)\n" % place, content[at:at + BLOCK_BYTES]) for at in blocks)
        found = min(int(head[1]) if head else 0 for head in heads)
        if found < number:
            missing.append(f"place {place}: record {number} expected, "
                           + (f"{found} found" if found else "a block without one found"))
    return missing


class PowerCuts:
    """The scene: a target guest on volatile disks, an initiator that writes, the power."""

    def __init__(self, story, lab, machines, target, initiator, volatile):
        self._story, self._lab, self._machines = story, lab, machines
        self._target, self._initiator = target, initiator
        self._volatile = volatile
        self._folder = lab.run_dir / "volatile"
        self._backings: list[Backing] = []
        self._devices: list[str] = []

    def add_disk(self, name, size_bytes, **options) -> VolatileDisk:
        """A volatile disk, plugged into the target guest."""
        self._volatile.append(VolatileDisk(self._folder, name, size_bytes, **options))
        self._lab.client.call("disk.add", guest="target", disk=self._volatile[-1].as_disk())
        return self._volatile[-1]

    def files(self, *names) -> list[Backing]:
        """LUNs in files of an ext4 on a volatile disk: the name is fileio's mode, too."""
        disk = self.add_disk("files", 2 * len(names) * LUN_BYTES)
        device = f"/dev/tsih/{disk.name}"
        self._target.guest.succeed(
            f"mkfs.ext4 -q -F {device} && mkdir -p {MOUNT} && mount {device} {MOUNT}")
        return [Backing(Disk(name, f"{MOUNT}/{name}", size_bytes=LUN_BYTES,
                             write_back=name == "write-back"), disk, name) for name in names]

    def block(self, **options) -> Backing:
        """A LUN that is a volatile disk."""
        disk = self.add_disk("block", LUN_BYTES, **options)
        return Backing(Disk("block", f"/dev/tsih/{disk.name}", plugin="block"), disk)

    def passed(self) -> Backing:
        """A LUN that is a volatile SCSI disk, to which commands are passed."""
        self._target.guest.succeed(LOAD_SCSI)
        disk = self.add_disk("passed", LUN_BYTES, bus="virtio-scsi")
        return Backing(Disk("passed", f"/dev/tsih/{disk.name}", plugin="pscsi"), disk)

    def start(self, *backings, patience_s=900) -> None:
        """Serves them, logs in, and lets a writer loose on them.

        For `patience_s` the initiator keeps what is under way when the target dies, and tries it
        again when it is back, as a machine does that waits for its storage.
        """
        self._backings = backings
        self._target.serve(*(backing.disk for backing in backings))
        initiator, iqn = self._initiator, self._target.iqn
        initiator.add_node(iqn, self._target.portal)
        # A connection to a machine without power is given up soon, what is under way is kept for long.
        initiator.set_named(iqn, {**QUICK_TO_GIVE_UP,
                                  "node.session.timeo.replacement_timeout": str(patience_s)})
        assert initiator.try_login(iqn).ok
        initiator.guest.write_file("/run/durable_writer.py", WRITER)
        self._devices = [initiator.device(iqn, lun) for lun in range(len(backings))]
        initiator.guest.background(f"rm -f {LOG}; echo >{EPOCH}; exec python3 "
                                   f"/run/durable_writer.py {LOG} {EPOCH} "
                                   + " ".join(self._devices))

    def wait_records(self, count) -> None:
        """Until every LUN has so many more records acknowledged for good."""
        luns = range(len(self._backings))
        had = self._initiator.guest.run(
            "; ".join(f"grep -c '^{lun} ' {LOG}" for lun in luns)).stdout.split() or [0] * len(luns)
        self._initiator.guest.wait_until(" && ".join(
            f"[ $(grep -c '^{lun} ' {LOG}) -ge {int(had[lun]) + count} ]" for lun in luns))

    def kill(self) -> list[tuple[Backing, dict[int, int]]]:
        """The target guest ends as in a power cut; what every LUN must have kept."""
        self._target.guest.kill()
        for disk in self._volatile:
            disk.wait_unplugged()
        kept = self._acknowledged()
        self._initiator.guest.succeed(f"echo after a power cut >> {EPOCH}")
        return kept

    def losses(self, backing, records, seeds) -> list[str]:
        """What is lost in the power cuts that these seeds make of this moment."""
        image = self._folder / "image"
        words = []
        for seed in seeds:
            backing.volatile.after_power_cut(seed, image)
            content = backing.bytes_in(image)
            missing = lost(content, records)
            if missing and not words:
                (self._story.folder.path / f"{backing.disk.name}.bin").write_bytes(content)
            words += [f"power cut {seed}: {one}" for one in missing]
        return words

    def losses_over_iscsi(self, lun, records) -> list[str]:
        """What is lost by what the initiator reads."""
        guest = self._initiator.guest
        guest.succeed(f"dd if={self._devices[lun]} of=/run/read bs=1M "
                      "count=1 iflag=direct 2>/dev/null")
        return lost(guest.read_file("/run/read"), records)

    def boot_again(self, seed) -> None:
        """The power comes back: the same machine with what its disks have kept."""
        for disk in self._volatile:
            disk.cut_power(seed)
        options = self._machines["target"]
        disks = [*options.get("disks", []), *(disk.as_disk() for disk in self._volatile)]
        self._target.boots_again(self._lab.guest("target", **{**options, "disks": disks}))
        self._target.guest.succeed(LOAD_SCSI)
        for disk in self._volatile:
            self._target.guest.wait_until(f"[ -b /dev/tsih/{disk.name} ]")
        if any(backing.file for backing in self._backings):
            self._target.guest.succeed(f"mkdir -p {MOUNT} && mount /dev/tsih/files {MOUNT}")
        self._target.configure()

    def stop_writing(self) -> list[tuple[Backing, dict[int, int]]]:
        """Ends the writer; what every LUN must have."""
        self._initiator.guest.succeed(
            f"{END_WRITER}; while pgrep -f {WRITER_PATTERN} >/dev/null; do sleep 0.1; done",
            as_text="end the writer")
        return self._acknowledged()

    def _acknowledged(self) -> list[tuple[Backing, dict[int, int]]]:
        log = self._initiator.guest.succeed(SHORTEN_LOG, as_text="what the writer was told")
        return [(backing, acknowledged(log, lun)) for lun, backing in enumerate(self._backings)]


@pytest.fixture
def volatile(lab, story):
    """The volatile disks of a scenario; the guest that has them ends before they do."""
    disks = []
    yield disks
    if not lab.kept:
        lab.end_guest("target")
        for disk in disks:
            disk.close()


@pytest.fixture
def power(volatile, story, lab, machines, target, initiator):
    scene = PowerCuts(story, lab, machines, target, initiator, volatile)
    yield scene
    if not lab.kept:
        initiator.guest.run(END_WRITER, as_text="end the writer")
