"""Scenarios run by `tsih run NAME`; plain `pytest scenarios` does the same."""

import dataclasses
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness" / "driver"))
pytest_plugins = ["tsih.plugin"]

from tsih.targetconfig import Disk  # noqa: E402  (found by the path above)

GIB = 1 << 30
MIB = 1 << 20


@pytest.fixture(scope="session")
def machines():
    """Every scenario here needs these two; disks are sparse files of the host."""
    store = {"name": "store", "size_bytes": 16 * GIB}
    shared = {"name": "shared", "size_bytes": 64 * MIB}
    # Addresses of their own: a guest that is killed and boots again has the one that it had. The
    # second pair of cables is another way to the same target.
    return {"target": {"disks": [store, shared], "memory_mib": 384,
                       "nics": [{"address": "10.77.0.10/24", "mac": "52:54:00:77:01:10"},
                                {"address": "10.78.0.10/24", "mac": "52:54:00:77:02:10"}],
                       "forward_tcp": [{"guest_port": 3260}]},  # the conformance suite's way in
            "one": {"nics": [{"address": "10.77.0.21/24"}, {"address": "10.78.0.21/24"}]}}


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
    guest, shared = target.guest, "/dev/tsih/shared"
    guest.succeed(
        "export DM_DISABLE_UDEV=1; modprobe dm_delay; dmsetup remove -f --retry slow 2>/dev/null; "
        f"dmsetup create slow --table \"0 $(blockdev --getsz {shared}) "
        f"delay {shared} 0 0 {shared} 0 {delay_ms} {shared} 0 0\" && [ -b /dev/mapper/slow ]")
    yield SlowDisk(Disk("slow", "/dev/mapper/slow", plugin="block"), delay_ms)
    target.stop()  # it holds the device
    guest.succeed("DM_DISABLE_UDEV=1 dmsetup remove --retry slow")
