"""How long a person waits: from the start of two guests to their first command, and to the first
login of open-iscsi in one of them at a target in the other."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "harness" / "driver"))

from tsih import paths  # noqa: E402
from tsih.errors import TsihError  # noqa: E402
from tsih.initiator import Initiator  # noqa: E402
from tsih.lab import Lab  # noqa: E402
from tsih.progress import Progress  # noqa: E402
from tsih.targetconfig import Disk  # noqa: E402
from tsih.targets import SYSTEMS  # noqa: E402

DISK_BYTES = 64 << 20


class BootError(Exception):
    """One line: what did not come up, and the way out."""


@dataclass(frozen=True)
class BootTimes:
    """Seconds since tsih-lab was started; `ended_s` is what ending both guests took."""

    accel: str
    commands_s: float
    login_s: float
    ended_s: float


def boot_once(system: str) -> BootTimes:
    """Boots a target and an initiator side by side, logs in, ends them.

    Raises BootError when there is no image or a guest does not come up.
    """
    if paths.image() is None:
        raise BootError("the guest image is not built; run: make image")
    try:
        with tempfile.TemporaryDirectory(prefix="tsih-boot-") as state:
            return _boot(system, Path(state))
    except TsihError as error:
        raise BootError(error.text()) from error


def _boot(system: str, state: Path) -> BootTimes:
    started = time.monotonic()
    lab = Lab(paths.bin_dir() / "tsih-lab", state, Progress(), image=paths.image())
    try:
        accel = str(lab.info.get("accel"))
        target_guest, initiator_guest = lab.boot({"target": {}, "one": {}})
        commands = time.monotonic()
        target = SYSTEMS[system](target_guest)
        initiator = Initiator(initiator_guest)
        initiator.prepare()
        target.serve(Disk("disk", "/var/tmp/disk", size_bytes=DISK_BYTES))
        initiator.add_node(target.iqn, target.portal)
        initiator.login(target.iqn)
        logged_in = time.monotonic()
    finally:
        ending = time.monotonic()
        lab.end()
    return BootTimes(accel, commands - started, logged_in - started, time.monotonic() - ending)
