"""The target under test, in a guest: the same calls on every system.

A new system is a subclass of Target with an entry in SYSTEMS.
"""

from __future__ import annotations

import abc
import dataclasses
import json
import re

from tsih.errors import CommandFailed
from tsih.guest import Background, Guest
from tsih.targetconfig import CLEAR_CONFIGFS, CONFIGFS, Chap, Disk, TargetConfig


class Target(abc.ABC):
    """A target system that is served from one guest."""

    system: str
    """Its name in findings."""
    has_guard = False
    """Whether it offers a session guard."""
    tells_of_growth = False
    """Whether it promises a unit attention (2A/09) when a disk grew behind it."""

    def __init__(self, guest: Guest):
        self.guest = guest
        self.config: TargetConfig | None = None

    @property
    def portal(self) -> str:
        assert self.config
        return f"{self.guest.ip}:{self.config.port}"

    @property
    def iqn(self) -> str:
        assert self.config
        return self.config.iqn

    def serve(self, *disks: Disk, **settings: object) -> None:
        """Serves these disks as LUN 0, 1, …; `settings` are TargetConfig's.

        Whatever was served before is taken away first. Raises CommandFailed with the target's own
        words when it refuses.
        """
        if self.config:
            self.stop()
        self.config = TargetConfig(disks=disks, **settings)  # type: ignore[arg-type]
        self._start(self.config)

    def configure(self, **changes: object) -> None:
        """Serves the same again with these changes of the configuration."""
        assert self.config
        changed = dataclasses.replace(self.config, **changes)  # type: ignore[arg-type]
        self.stop()
        self.config = changed
        self._start(changed)

    @abc.abstractmethod
    def prepare(self) -> str:
        """Readies the guest, takes away what an earlier scenario left; returns the version."""

    @abc.abstractmethod
    def _start(self, config: TargetConfig) -> None: ...

    @abc.abstractmethod
    def stop(self) -> None:
        """Ends the service; sessions break, backing files stay."""

    def boots_again(self, guest: Guest) -> None:
        """Its guest was killed and this one has taken its place; `configure()` serves again."""
        self.guest = guest
        self.prepare()

    @abc.abstractmethod
    def log(self) -> str:
        """What the target itself said since it was started."""

    def check_alive(self) -> None:
        """Raises CommandFailed when the target ended by itself."""


class TsihdTarget(Target):
    system = "tsihd"
    has_guard = True
    tells_of_growth = True
    CONFIG = "/run/tsihd.json"
    LOG = "/run/tsihd.log"
    CONTROL = "/run/tsihd.sock"
    PID = "/run/tsihd.pid"

    def __init__(self, guest: Guest):
        super().__init__(guest)
        self._process: Background | None = None

    def prepare(self) -> str:
        # A scenario that failed in its middle may have left one; one command is quicker than two.
        return self.guest.succeed(
            f"p=$(cat {self.PID} 2>/dev/null); [ \"$(cat /proc/${{p:-none}}/comm 2>/dev/null)\" != tsihd ] "
            f"|| kill -KILL $p; rm -f {self.LOG} {self.CONTROL} {self.PID}; tsihd --version",
            as_text="tsihd: nothing left, its version").strip()

    def _start(self, config: TargetConfig) -> None:
        files = "".join(f"{disk.making}; " for disk in config.disks if disk.plugin == "fileio")
        saved = json.dumps(config.to_saveconfig(), indent=2)
        self.guest.succeed(f"set -e; {files}cat > {self.CONFIG}; rm -f {self.LOG}", stdin=saved,
                           as_text=f"write {self.CONFIG}\n{saved}")
        self._process = self.guest.background(
            f"echo $$ >{self.PID}; exec tsihd --config {self.CONFIG} --control {self.CONTROL} >{self.LOG} 2>&1")
        # It has written something before it can have ended: a tsihd that is not there yet is not dead.
        words = self.guest.wait_until(
            f"{{ grep -q '^ready' {self.LOG} || {{ [ -s {self.LOG} ] && ! pgrep -x tsihd >/dev/null; "
            f"}}; }} && cat {self.LOG}")
        if not re.search("^ready", words, re.MULTILINE):
            raise CommandFailed(f"expected tsihd to say `ready`, it ended with:\n{words}")

    def boots_again(self, guest: Guest) -> None:
        self._process = None
        super().boots_again(guest)

    def check_alive(self) -> None:
        if self._process and not self.guest.run("pgrep -x tsihd", as_text="is tsihd alive?").ok:
            raise CommandFailed(f"expected tsihd to run, it ended; its last words:\n{self.log()}")

    def stop(self) -> None:
        if self._process:
            self._process.stop()
            self._process = None

    def log(self) -> str:
        return self.guest.run(f"tail -c 200000 {self.LOG} 2>/dev/null",
                              as_text="the target's log").stdout

    def control(self, command: str) -> str:
        """tsihctl's answer."""
        return self.guest.succeed(f"tsihctl --control {self.CONTROL} {command}")

    def guard_counts(self) -> dict[str, int]:
        """The numbers of `tsihctl stats`, by name, summed where a name comes again."""
        counts: dict[str, int] = {}
        for name, number in re.findall(r'"?(\w+)"?\s*[:=]?\s+(\d+)\b', self.control("stats")):
            counts[name] = counts.get(name, 0) + int(number)
        return counts


class LioTarget(Target):
    system = "lio"
    _log_from = 0  # lines of the kernel's log that are not this scenario's

    def prepare(self) -> str:
        # One command: each is a round trip through the guest's agent.
        words = self.guest.succeed(
            "set -e; modprobe -a configfs target_core_mod iscsi_target_mod; "
            "mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config; "
            f"mkdir -p /var/target/pr {CONFIGFS}/iscsi; sh -s; dmesg | wc -l; uname -r",
            stdin=CLEAR_CONFIGFS, as_text="LIO: its modules, nothing left, its version").split()
        self._log_from = int(words[0])
        return "Linux " + words[1]

    def _start(self, config: TargetConfig) -> None:
        self.guest.succeed("sh -e -s", stdin=config.to_configfs(),
                           as_text="LIO: make the target by configfs\n" + config.to_configfs())

    def stop(self) -> None:
        self.guest.succeed("sh -s", stdin=CLEAR_CONFIGFS, as_text="LIO: clear configfs")

    def log(self) -> str:
        return self.guest.run(f"dmesg | tail -n +{self._log_from + 1}",
                              as_text="the kernel's log").stdout


SYSTEMS: dict[str, type[Target]] = {"tsihd": TsihdTarget, "lio": LioTarget}
# Systems under test that are no targets (scenarios/initiators).
INITIATORS = ("open-iscsi",)

__all__ = ["SYSTEMS", "Chap", "Disk", "LioTarget", "Target", "TargetConfig", "TsihdTarget"]
