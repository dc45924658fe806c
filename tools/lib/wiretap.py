"""What a port of loopback carries while something runs, and what the passive judge says of the target
there: its own behaviour, seen by somebody who has no part in the conversation.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness" / "driver"))
from tsih import judging  # noqa: E402  (found by the path above)

START_CEILING_S = 60.0
STOP_CEILING_S = 60.0
JUDGE_CEILING_S = 600
BUFFER_MIB = 64


class WiretapError(Exception):
    """One line: why nothing could be captured or judged."""


@contextlib.contextmanager
def wiretap(port: int, capture: Path) -> Iterator[None]:
    """Captures TCP of `port` on loopback into `capture` until the block ends.

    Raises WiretapError where dumpcap is missing or may not capture.
    """
    program = shutil.which("dumpcap")
    if program is None:
        raise WiretapError("dumpcap is not installed (apt install wireshark-common)")
    process = subprocess.Popen(
        [program, "-q", "-i", "lo", "-B", str(BUFFER_MIB), "-f", f"tcp port {port}", "-w", str(capture)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for(process, capture)
        yield
        _see_the_last(port, capture)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_CEILING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait_for(process: subprocess.Popen, capture: Path) -> None:
    """dumpcap writes the file's header when it captures."""
    deadline = time.monotonic() + START_CEILING_S
    while not (capture.exists() and capture.stat().st_size > 0):
        if process.poll() is not None:
            said = (process.stderr.read() if process.stderr else "").strip().splitlines()
            raise WiretapError(f"dumpcap cannot capture on lo: {said[-1] if said else 'no reason given'}")
        if time.monotonic() > deadline:
            raise WiretapError(f"dumpcap did not begin within {START_CEILING_S:.0f} s")
        time.sleep(0.02)


def _see_the_last(port: int, capture: Path) -> None:
    """dumpcap drops what it has not read yet when it is told to end. So a last connection is tried:
    when its SYN is in the file, so is all that came before."""
    seen = capture.stat().st_size
    with socket.socket() as knock:
        knock.bind(("127.0.0.1", 0))
        mark = struct.pack(">HH", knock.getsockname()[1], port)  # a TCP header begins with them
        with contextlib.suppress(OSError):  # the target may be gone: its kernel's RST will do
            knock.connect(("127.0.0.1", port))
    deadline = time.monotonic() + STOP_CEILING_S
    with capture.open("rb") as file:
        while True:
            file.seek(seen)
            if mark in file.read():
                return
            if time.monotonic() > deadline:
                raise WiretapError(f"dumpcap did not write the last packet within {STOP_CEILING_S:.0f} s")
            time.sleep(0.02)


def target_findings(capture: Path, system: str) -> list[dict]:
    """The judge's findings on the target of a capture. Raises WiretapError when there are none."""
    try:
        findings = judging.findings_on(capture, "--target", system)
    except judging.JudgeError as error:
        raise WiretapError(str(error)) from None
    if not findings:
        raise WiretapError("the judge saw nothing: no iSCSI is in the capture")
    return [finding for finding in findings if finding["party"] == "target"]
