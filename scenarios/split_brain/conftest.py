"""Two machines with one identity, the disk that they fight for, and what they wrote."""

import concurrent.futures
import dataclasses
import itertools
import time

import pytest

from tsih.guest import COMMAND_CEILING_S
from tsih.initiator import PATIENT_SETTINGS, QUICK_TO_GIVE_UP, Initiator
from tsih.machine import REGION_BLOCKS, Machine, numbers, records
from tsih.targetconfig import Disk
from tsih.wirelog import WireLog

SHARED = Disk("shared", "/dev/tsih/shared", plugin="block")
RUN = itertools.count(1)


def both(work, *machines):
    """Does it in both guests at once."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(work, machines))


@pytest.fixture
def duel(story, lab, target, initiator):
    """The scene: one LUN, guest `one` logged in, guest `two` a clone of it."""
    two = lab.guest_cloned("two", of="one")
    other = Initiator(two)
    # The first machine is the one that loses its disk, where one does.
    both(lambda machine: machine.prepare(
        as_after_boot=True, settings=QUICK_TO_GIVE_UP if machine is initiator else None),
        initiator, other)
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

    def be_patient(self, machine):
        """It keeps its disk, so nothing but a hang may take it."""
        machine.initiator.set_named(self.target.iqn,
                                    {name: PATIENT_SETTINGS[name] for name in QUICK_TO_GIVE_UP})

    def try_to_enter(self, machine):
        """Logs in where a refusal is expected: stock initiators try again for a while."""
        machine.initiator.set_named(self.target.iqn, {"node.conn[0].timeo.login_timeout": "15"})
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

    def watch_sessions(self, *, until):
        """Watches the wire until that many sessions were taken over and both machines wrote."""
        deadline = time.monotonic() + COMMAND_CEILING_S
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
