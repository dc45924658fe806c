"""How fast `tsih judge` reads a capture, beside `tshark -Y iscsi` on the same file."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CEILING_S = 600


class JudgingError(Exception):
    """One line."""


@dataclass
class JudgingTimes:
    capture: str
    megabytes: float
    judge_s: float
    tshark_s: float | None  # None where tshark is not installed


def newest_capture() -> Path | None:
    """The largest capture of the newest run of scenarios; None without one."""
    runs = sorted((ROOT / "build" / "runs").glob("*-scenarios"), reverse=True)
    for run in runs:
        captures = sorted(run.glob("scenarios/*/capture.pcapng"), key=lambda c: c.stat().st_size)
        if captures and captures[-1].stat().st_size > 1_000_000:
            return captures[-1]
    return None


def measure_judging(capture: Path, rounds: int) -> JudgingTimes:
    """Medians over rounds, the file in the page cache."""
    capture.read_bytes()
    judge = [str(ROOT / "build" / "bin" / "tsih-judge"), str(capture)]
    tshark = ["tshark", "-n", "-r", str(capture), "-Y", "iscsi"] if shutil.which("tshark") else None
    times = JudgingTimes(str(capture), capture.stat().st_size / 1e6, _median(judge, rounds),
                         _median(tshark, min(rounds, 3)) if tshark else None)
    print(f"\njudging {capture.name}, {times.megabytes:,.0f} MB")
    print(f"  tsih judge       {times.judge_s:8.3f} s {times.megabytes / times.judge_s:9,.0f} MB/s")
    if times.tshark_s:
        print(f"  tshark -Y iscsi  {times.tshark_s:8.3f} s {times.megabytes / times.tshark_s:9,.0f} MB/s"
              f"   {times.tshark_s / times.judge_s:.0f} times as long")
    return times


def _median(command: list[str], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        start = time.monotonic()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=CEILING_S, check=False)
        took.append(time.monotonic() - start)
        if done.returncode not in (0, 1, 3):
            raise JudgingError(f"{command[0]} ended with status {done.returncode}")
    return statistics.median(took)
