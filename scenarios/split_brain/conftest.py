"""Two machines with one identity, the disk that they fight for, and what they wrote."""

import concurrent.futures
import dataclasses
import itertools
import pathlib
import re
import time

import pytest

from tsih.initiator import Initiator
from tsih.targetconfig import Disk
from tsih.wirelog import WireLog

SHARED = Disk("shared", "/dev/tsih/shared", plugin="block")
WRITER = (pathlib.Path(__file__).parent / "writer.py").read_text(encoding="utf-8")
# Regions of the disk, in blocks of 512 bytes: one for each writer of a case.
REGION_BLOCKS = 8192
RUN = itertools.count(1)


@dataclasses.dataclass
class Machine:
    """One of the two: its initiator, and its writer once it writes."""

    initiator: Initiator
    tag: str
    first_block: int
    device: str = ""

    @property
    def guest(self):
        return self.initiator.guest

    @property
    def ip(self):
        return self.guest.ip

    @property
    def log(self):
        return f"/run/{self.tag}.log"

    def start_writing(self, records=10):
        """Starts its writer; returns once so many records were acknowledged."""
        self.guest.write_file("/run/writer.py", WRITER)
        self.guest.background(f"echo $$ >/run/{self.tag}.pid; exec python3 /run/writer.py {self.device} {self.tag} "
                              f"{self.first_block} {REGION_BLOCKS} {self.log}")
        self.wait_written(records)

    def wait_written(self, records):
        """Until that many are acknowledged in all."""
        self.guest.wait_until(f"[ $(grep -c '^[0-9]' {self.log}) -ge {records} ]")

    def written(self):
        """How many records were acknowledged so far."""
        return int(self.guest.run(f"grep -c '^[0-9]' {self.log}").stdout or 0)

    def wait_failed(self, timeout_s=60):
        """Until its writer was told that a write failed."""
        self.guest.wait_until(f"grep -q '^failed' {self.log}", timeout_s=timeout_s)

    def has_failed(self):
        return self.guest.run(f"grep -q '^failed' {self.log}").ok

    def stop_writing(self):
        self.guest.run(f"p=$(cat /run/{self.tag}.pid 2>/dev/null) || exit 0; "
                       "kill $p 2>/dev/null; while [ -e /proc/$p ]; do sleep 0.05; done",
                       as_text="stop the writer")


@dataclasses.dataclass(frozen=True)
class SlowDisk:
    disk: Disk
    delay_ms: int


@pytest.fixture
def slow_disk(target):
    """The shared disk, behind a device that holds back every write for a while. Reads are quick.

    The delay is longer than a machine needs from its login to its first look at the disk: a write
    that a target does not wait for lands after that look, and is seen.
    """
    delay_ms = 2500  # a flush is not held back: one delay for each record
    guest = target.guest
    guest.succeed(
        "export DM_DISABLE_UDEV=1; modprobe dm_delay; dmsetup remove -f --retry slow 2>/dev/null; "
        f"dmsetup create slow --table \"0 $(blockdev --getsz {SHARED.path}) "
        f"delay {SHARED.path} 0 0 {SHARED.path} 0 {delay_ms} {SHARED.path} 0 0\" && [ -b /dev/mapper/slow ]")
    yield SlowDisk(Disk("slow", "/dev/mapper/slow", plugin="block"), delay_ms)
    target.stop()  # it holds the device
    guest.succeed("DM_DISABLE_UDEV=1 dmsetup remove --retry slow")


def both(work, *machines):
    """Does it in both guests at once."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(work, machines))


def records(path, machine):
    """Shell text that writes a machine's records on a disk, one a line, past the page cache."""
    big = 128  # blocks at a time
    return (f"dd if={path} bs={big * 512} skip={machine.first_block // big} "
            f"count={REGION_BLOCKS // big} iflag=direct 2>/dev/null | "
            f"grep -a -o 'tsih {machine.tag} [0-9]*' || true")


def numbers(words):
    return {int(n) for n in re.findall(r" (\d+)$", words, re.MULTILINE)}


@pytest.fixture
def duel(story, lab, target, initiator):
    """The scene: one LUN, guest `one` logged in, guest `two` a clone of it."""
    two = lab.guest_cloned("two", of="one")
    other = Initiator(two)
    both(lambda machine: machine.prepare(as_after_boot=True), initiator, other)
    number = next(RUN)
    scene = Duel(story, target,
                 Machine(initiator, f"one-{number}-{story.folder.scenario}", 2048),
                 Machine(other, f"two-{number}-{story.folder.scenario}", 2048 + REGION_BLOCKS))
    yield scene
    if not lab.kept:
        scene.leave()


class Duel:
    """What both can do, and how it is judged."""

    def __init__(self, story, target, one, two):
        self.story = story
        self.target = target
        self.one = one
        self.two = two
        self._wire = None

    def serve(self, disk=SHARED, **attributes):
        """The target serves the disk to anybody, with these attributes of the portal group."""
        self.target.serve(disk, attributes=attributes)
        both(lambda machine: machine.initiator.add_node(self.target.iqn, self.target.portal),
             self.one, self.two)

    def try_to_enter(self, machine):
        """Logs in where a refusal is expected: stock initiators try again for a while."""
        machine.initiator.set_named(self.target.iqn, {"node.conn[0].timeo.login_timeout": "5"})
        return machine.initiator.try_login(self.target.iqn)

    def enter(self, machine):
        """Logs in and finds the disk."""
        machine.device = machine.initiator.login(self.target.iqn)

    @property
    def wire(self):
        """The capture of this scenario, as far as it goes by now."""
        capture = self.story.capture_so_far()
        if self._wire is None:
            self._wire = WireLog(capture)
        return self._wire.update()

    def on_disk(self, machine):
        """The numbers of this machine's records that are on the target's disk, from its own side."""
        words = self.target.guest.succeed(
            records(SHARED.path, machine),
            as_text=f"records of {machine.tag} on the target's disk")
        return numbers(words)

    def seen_by(self, machine, of):
        """The same, as `machine` reads it over iSCSI."""
        words = machine.guest.succeed(
            records(machine.device, of),
            as_text=f"records of {of.tag} that {machine.guest.name} reads")
        return numbers(words)

    def leave(self):

        def rest(machine):
            machine.stop_writing()
            machine.initiator.clear()

        both(rest, *(machine for machine in (self.one, self.two) if machine.guest.is_up))

    def watch_sessions(self, *, until, timeout_s):
        """Watches the wire until that many sessions were taken over, or for so long."""
        deadline = time.monotonic() + timeout_s
        while True:
            served = Served.of(self.wire, self.one.ip, self.two.ip)
            if served.reinstatements >= until and served.first_wrote_after_second:
                return served
            if time.monotonic() > deadline:
                return served
            self.one.guest.run("sleep 0.5", as_text="(half a second passes)")


@dataclasses.dataclass(frozen=True)
class Served:
    """Who was served after the second machine had come in."""

    reinstatements: int  # logins that took the session from its holder
    span_ms: float  # from the second machine's login to the last of them
    first_wrote_after_second: bool
    second_wrote: bool
    frame: int  # where the first machine came back

    @staticmethod
    def of(wire, one, two):
        mine, other = wire.logins(one), wire.logins(two)
        if not other:
            return Served(0, 0, False, False, 0)
        entered = other[0].t_ns
        holder, taken = two, [other[0]]
        for login in sorted(mine + other, key=lambda p: p.t_ns):
            if login.t_ns > entered and login.destination != holder:
                taken.append(login)
                holder = login.destination
        back = next((p for p in taken if p.destination == one), None)
        wrote = {who: any(answer and answer.t_ns > entered for _, answer in wire.writes(who))
                 for who in (one, two)}
        return Served(len(taken), (taken[-1].t_ns - entered) / 1e6, bool(back) and wrote[one],
                      wrote[two], (back or taken[0]).frame)
