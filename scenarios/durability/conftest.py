"""A target whose disks lose their unflushed writes when it is killed, and what must be on them."""

import dataclasses
import json
import pathlib
import re
import shutil
import subprocess

import pytest

from tsih import paths
from tsih.initiator import QUICK_TO_GIVE_UP
from tsih.targetconfig import Disk, TargetConfig
from tsih.volatiledisk import VolatileDisk

MIB = 1 << 20
LUN_BYTES = 16 * MIB
RECORD_BYTES, BLOCK_BYTES = 4096, 512  # durable_writer.py's
RECORDS_BYTES = MIB  # its places
RANGES, RANGE_BYTES, RANGES_AT = 8, 64 << 10, MIB  # what it writes by WRITE ATOMIC
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
STATE = "/var/lib/tsihd/pr"  # where tsihd looks for its --state, the journals of atomic writes in it
LOAD_SCSI = "modprobe -a virtio_scsi sd_mod sg"
QUIET = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


@dataclasses.dataclass(frozen=True)
class Backing:
    """A LUN, and the way from a power cut's image to the LUN's bytes."""

    disk: Disk
    volatile: VolatileDisk
    file: str = ""  # its name in the ext4 of the volatile disk; empty: it is the whole disk
    atomic: bool = False  # WRITE ATOMIC is written, too

    def lun_in(self, image: pathlib.Path) -> pathlib.Path:
        """The LUN as a machine would find it that boots with this image."""
        if not self.file:
            return image
        found = image.with_name(self.file)
        found.unlink(missing_ok=True)
        look_into(image, f"dump /{self.file} {found}")
        return found

    def bytes_in(self, image: pathlib.Path) -> bytes:
        """What the places of the records hold then."""
        found = self.lun_in(image)
        return found.read_bytes()[:RECORDS_BYTES] if found.exists() else b""


@dataclasses.dataclass(frozen=True)
class Kept:
    """What a LUN must have: of each place and each range the last record that was answered for."""

    backing: Backing
    records: dict[int, int]
    ranges: dict[int, int]


def look_into(image: pathlib.Path, request: str) -> None:
    """What debugfs takes out of an ext4; as mounting it would, its journal is replayed first."""
    subprocess.run(["/usr/sbin/e2fsck", "-f", "-y", image], check=False, **QUIET)
    subprocess.run(["/usr/sbin/debugfs", "-R", request, image], check=True, **QUIET)


def acknowledged(log: str, lun: str) -> dict[int, int]:
    """For each place of a LUN, `aLUN` for its ranges, the last record that was answered for."""
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


def broken(content: bytes, acked: dict[int, int]) -> list[str]:
    """Every range of atomic writes that is not whole, or older than what was acknowledged, in words."""
    faults = []
    for place in range(RANGES):
        blocks = range(RANGES_AT + place * RANGE_BYTES, RANGES_AT + (place + 1) * RANGE_BYTES,
                       BLOCK_BYTES)
        heads = (re.match(rb"tsih %d (\d+)\n" % place, content[at:at + BLOCK_BYTES]) for at in blocks)
        found = sorted({int(head[1]) if head else 0 for head in heads})
        if len(found) > 1:
            faults.append(f"range {place}: expected blocks of one write, found some of each of {found}")
        elif found[0] < acked.get(place, 0):
            faults.append(f"range {place}: write {acked[place]} expected, {found[0]} found")
    return faults


class PowerCuts:
    """The scene: a target guest on volatile disks, an initiator that writes, the power."""

    def __init__(self, story, lab, machines, target, initiator, volatile):
        self._story, self._lab, self._machines = story, lab, machines
        self._target, self._initiator = target, initiator
        self._volatile = volatile
        self._folder = lab.run_dir / "volatile"
        self._backings: list[Backing] = []
        self._devices: list[str] = []
        self._state: VolatileDisk | None = None
        self.cut_short = 0  # atomic writes that tsihd found so at its starts

    def add_disk(self, name, size_bytes, **options) -> VolatileDisk:
        """A volatile disk, plugged into the target guest."""
        self._volatile.append(VolatileDisk(self._folder, name, size_bytes, **options))
        self._lab.client.call("disk.add", guest="target", disk=self._volatile[-1].as_disk())
        return self._volatile[-1]

    def keep_state(self) -> None:
        """Gives tsihd a state folder on a volatile disk: files and disks from now on are written by
        WRITE ATOMIC as well."""
        self._state = self.add_disk("state", 32 * MIB)
        self._target.guest.succeed(f"mkfs.ext4 -q -F /dev/tsih/state && {self._mount_state()}")

    @staticmethod
    def _mount_state() -> str:
        return f"mkdir -p {STATE} && mount /dev/tsih/state {STATE}"

    def files(self, *names) -> list[Backing]:
        """LUNs in files of an ext4 on a volatile disk: the name is fileio's mode, too."""
        disk = self.add_disk("files", 2 * len(names) * LUN_BYTES)
        device = f"/dev/tsih/{disk.name}"
        self._target.guest.succeed(
            f"mkfs.ext4 -q -F {device} && mkdir -p {MOUNT} && mount {device} {MOUNT}")
        return [Backing(Disk(name, f"{MOUNT}/{name}", size_bytes=LUN_BYTES,
                             write_back=name == "write-back"), disk, name, bool(self._state))
                for name in names]

    def block(self, **options) -> Backing:
        """A LUN that is a volatile disk."""
        disk = self.add_disk("block", LUN_BYTES, **options)
        return Backing(Disk("block", f"/dev/tsih/{disk.name}", plugin="block"), disk,
                       atomic=bool(self._state))

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
                                   + " ".join("atomic:" * backing.atomic + device for backing, device
                                              in zip(backings, self._devices)))

    def wait_records(self, count) -> None:
        """Until every LUN has so many more records acknowledged for good."""
        luns = range(len(self._backings))
        had = self._initiator.guest.run(
            "; ".join(f"grep -c '^{lun} ' {LOG}" for lun in luns)).stdout.split() or [0] * len(luns)
        enough = [f"[ $(grep -c '^{lun} ' {LOG}) -ge {int(had[lun]) + count} ]" for lun in luns]
        enough += [f"grep -q '^a{lun} ' {LOG}" for lun in luns if self._backings[lun].atomic]
        self._initiator.guest.wait_until(" && ".join(enough))

    def kill(self) -> list[Kept]:
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

    def after_starts(self, kept, seeds) -> dict[str, list[str]]:
        """By LUN, which of its atomic ranges are broken when tsihd has started after such power cuts.

        It starts here, over copies of what each has left of the LUNs and of its state.
        """
        faults: dict[str, list[str]] = {one.backing.disk.name: [] for one in kept if one.backing.atomic}
        for seed in seeds:
            folder = self._folder / "started"
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "state").mkdir(parents=True)
            self._state.after_power_cut(seed, folder / "image")
            look_into(folder / "image", f"rdump / {folder / 'state'}")
            luns = {}
            for one in kept:
                if one.backing.atomic:
                    image = folder / f"{one.backing.disk.name}.image"
                    one.backing.volatile.after_power_cut(seed, image)
                    luns[one.backing.disk.name] = one.backing.lun_in(image)
            self._start_here(folder, [dataclasses.replace(
                one.backing.disk, path=str(luns[one.backing.disk.name]), plugin="fileio",
                size_bytes=LUN_BYTES) for one in kept if one.backing.atomic])
            for one in kept:
                name = one.backing.disk.name
                if one.backing.atomic:
                    faults[name] += [f"power cut {seed}: {fault}" for fault
                                     in broken(luns[name].read_bytes(), one.ranges)]
        return faults

    def _start_here(self, folder, disks) -> None:
        config = TargetConfig(disks=tuple(disks), addresses=("127.0.0.1",), port=0)
        (folder / "tsihd.json").write_text(json.dumps(config.to_saveconfig()), encoding="utf-8")
        with open(folder / "tsihd.log", "wb") as log, subprocess.Popen(
                [paths.bin_dir() / "tsihd", "--config", folder / "tsihd.json",
                 "--state", folder / "state", "--control", folder / "tsihd.sock"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True) as tsihd:
            ready = tsihd.stdout.readline()
            tsihd.terminate()
            tsihd.wait(60)
        words = (folder / "tsihd.log").read_text(encoding="utf-8")
        assert ready.startswith("ready"), f"expected tsihd to say `ready`, it ended with:\n{words}"
        self.cut_short += words.count("atomic.cut_short")

    def losses_over_iscsi(self, lun, kept) -> list[str]:
        """What is lost or broken by what the initiator reads."""
        guest = self._initiator.guest
        guest.succeed(f"dd if={self._devices[lun]} of=/run/read bs=1M "
                      "count=2 iflag=direct 2>/dev/null")
        content = guest.read_file("/run/read")
        return lost(content, kept.records) + (
            broken(content, kept.ranges) if kept.backing.atomic else [])

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
        if self._state:
            self._target.guest.succeed(self._mount_state())
        self._target.configure()

    def stop_writing(self) -> list[Kept]:
        """Ends the writer; what every LUN must have."""
        self._initiator.guest.succeed(
            f"{END_WRITER}; while pgrep -f {WRITER_PATTERN} >/dev/null; do sleep 0.1; done",
            as_text="end the writer")
        return self._acknowledged()

    def _acknowledged(self) -> list[Kept]:
        log = self._initiator.guest.succeed(SHORTEN_LOG, as_text="what the writer was told")
        return [Kept(backing, acknowledged(log, str(lun)), acknowledged(log, f"a{lun}"))
                for lun, backing in enumerate(self._backings)]


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
