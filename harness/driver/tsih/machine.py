"""A machine that writes numbered records to its disk, and what of them is on a disk.

What it writes with is record_writer.py, which runs in the guest.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

from tsih.initiator import Initiator

WRITER = pathlib.Path(__file__).with_name("record_writer.py").read_text(encoding="utf-8")
# Regions of the disk, in blocks of 512 bytes: one for each writer of a case.
REGION_BLOCKS = 8192


@dataclasses.dataclass
class Machine:
    """Its initiator, and its writer once it writes."""

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
        self.guest.background(
            f"echo $$ >/run/{self.tag}.pid; exec python3 /run/writer.py {self.device} {self.tag} "
            f"{self.first_block} {REGION_BLOCKS} {self.log}")
        self.wait_written(records)

    def wait_written(self, records):
        """Until that many are acknowledged in all."""
        self.guest.wait_until(f"[ $(grep -c '^[0-9]' {self.log}) -ge {records} ]")

    def written(self):
        """How many records were acknowledged so far."""
        return int(self.guest.run(f"grep -c '^[0-9]' {self.log}").stdout or 0)

    def wait_failed(self):
        """Until its writer was told that a write failed."""
        self.guest.wait_until(f"grep -q '^failed' {self.log}")

    def has_failed(self):
        return self.guest.run(f"grep -q '^failed' {self.log}").ok

    def stop_writing(self):
        self.guest.run(f"p=$(cat /run/{self.tag}.pid 2>/dev/null) || exit 0; "
                       "kill $p 2>/dev/null; while [ -e /proc/$p ]; do sleep 0.05; done",
                       as_text="stop the writer")


def records(path: str, machine: Machine) -> str:
    """Shell text that writes a machine's records on a disk, one a line, past the page cache."""
    big = 128  # blocks at a time
    return (f"dd if={path} bs={big * 512} skip={machine.first_block // big} "
            f"count={REGION_BLOCKS // big} iflag=direct 2>/dev/null | "
            f"grep -a -o 'tsih {machine.tag} [0-9]*' || true")


def numbers(words: str) -> set[int]:
    """The numbers of the records that records() wrote out."""
    return {int(n) for n in re.findall(r" (\d+)$", words, re.MULTILINE)}
