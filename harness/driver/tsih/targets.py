"""The target under test, in a guest: the same calls on every system.

A new system is a subclass of Target with an entry in SYSTEMS.
"""

from __future__ import annotations

import abc
import dataclasses
import json
import re

from tsih.errors import CommandFailed, NotInTime
from tsih.guest import Background, Guest
from tsih.targetconfig import CLEAR_CONFIGFS, CONFIGFS, Chap, Disk, TargetConfig

READY_CEILING_S = 60.0


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
    def _start(self, config: TargetConfig) -> None: ...

    @abc.abstractmethod
    def stop(self) -> None:
        """Ends the service; sessions break, backing files stay."""

    @abc.abstractmethod
    def version(self) -> str: ...

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

    def __init__(self, guest: Guest):
        super().__init__(guest)
        self._process: Background | None = None

    def _start(self, config: TargetConfig) -> None:
        for disk in config.disks:
            if disk.plugin == "fileio":
                self.guest.succeed(f"truncate -s {disk.size_bytes} {disk.path}")
        self.guest.write_file(self.CONFIG, json.dumps(config.to_saveconfig(), indent=2))
        self._process = self.guest.background(
            f"exec tsihd --config {self.CONFIG} --control {self.CONTROL} >{self.LOG} 2>&1")
        try:
            self.guest.wait_until(
                f"grep -q '^ready' {self.LOG} || ! pgrep -x tsihd >/dev/null && cat {self.LOG}",
                timeout_s=READY_CEILING_S)
        except NotInTime:
            raise CommandFailed(f"expected tsihd to say `ready`, it said:\n{self.log()}") from None
        self.check_alive()

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

    def version(self) -> str:
        return self.guest.succeed("tsihd --version").strip()

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

    def __init__(self, guest: Guest):
        super().__init__(guest)
        guest.succeed(
            "set -e; modprobe -a configfs target_core_mod iscsi_target_mod; "
            "mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config; "
            f"mkdir -p /var/target/pr {CONFIGFS}/iscsi",
            as_text="LIO's modules and configfs")
        self._log_from = self._log_lines()

    def _log_lines(self) -> int:
        return int(self.guest.run("dmesg | wc -l", as_text="length of the kernel log").stdout or 0)

    def _start(self, config: TargetConfig) -> None:
        self.guest.succeed("sh -e -s", stdin=config.to_configfs(),
                           as_text="LIO: make the target by configfs\n" + config.to_configfs())

    def stop(self) -> None:
        self.guest.succeed("sh -s", stdin=CLEAR_CONFIGFS, as_text="LIO: clear configfs")

    def log(self) -> str:
        return self.guest.run(f"dmesg | tail -n +{self._log_from + 1}",
                              as_text="the kernel's log").stdout

    def version(self) -> str:
        return "Linux " + self.guest.succeed("uname -r").strip()


SYSTEMS: dict[str, type[Target]] = {"tsihd": TsihdTarget, "lio": LioTarget}

__all__ = ["SYSTEMS", "Chap", "Disk", "LioTarget", "Target", "TargetConfig", "TsihdTarget"]
