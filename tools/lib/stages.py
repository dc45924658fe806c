"""Running the project's test stages one after another and counting what they say.

A stage is a command that leaves JUnit XML behind. The counts come from those files, never from
the command's own words; a command that fails without a failed test counts as one failure, and one
that leaves no result at all does too, so that nothing can pass by not running.
"""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Counts") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


@dataclass
class Stage:
    """One line of `make check`: `command` runs in `directory`, `junit` names what it writes."""

    name: str
    command: list[str]
    junit: list[Path] = field(default_factory=list)
    junit_directory: Path | None = None
    ceiling_s: int = 2400  # only a hang comes near it
    environment: dict[str, str] | None = None
    single: bool = False  # no JUnit: the exit status is the one test


def count_junit(paths: list[Path]) -> tuple[Counts, list[str]]:
    """The cases of all files, and the names of those that failed."""
    counts, failures = Counts(), []
    for path in paths:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                counts.failed += 1
                failures.append(".".join(filter(None, [case.get("classname"), case.get("name")])))
            elif case.find("skipped") is not None:
                counts.skipped += 1
            else:
                counts.passed += 1
    return counts, failures


def junit_files(stage: Stage) -> list[Path]:
    found = [path for path in stage.junit if path.exists()]
    if stage.junit_directory and stage.junit_directory.is_dir():
        found += sorted(stage.junit_directory.glob("*.xml"))
    return found


def run_stage(stage: Stage, log_directory: Path) -> Counts:
    """Runs one stage, prints its line, and on failure the end of its output."""
    for stale in junit_files(stage):
        stale.unlink()
    log = log_directory / (stage.name.replace(" ", "-") + ".log")
    live = sys.stdout.isatty()
    if live:
        print(f"  {stage.name} ...", end="", flush=True)
    started = time.monotonic()
    with log.open("wb") as output:
        try:
            code = subprocess.run(stage.command, stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=subprocess.STDOUT, env=stage.environment,
                                  timeout=stage.ceiling_s, check=False).returncode
            ended = f"exit {code}"
        except subprocess.TimeoutExpired:
            code, ended = -1, f"no end after {stage.ceiling_s} s"
    counts, failures = result_of(stage, code)
    print(("\r" if live else "") + f"  {stage.name}: {counts} ({time.monotonic() - started:.0f} s)", flush=True)
    if counts.failed:
        for name in failures[:20]:
            print(f"    failed: {name}")
        print(f"    {ended}; the end of {log}:")
        for line in log.read_text(errors="replace").splitlines()[-40:]:
            print(f"    | {line}")
        sys.stdout.flush()
    return counts


def result_of(stage: Stage, code: int) -> tuple[Counts, list[str]]:
    if stage.single:
        return (Counts(passed=1), []) if code == 0 else (Counts(failed=1), [stage.name])
    try:
        counts, failures = count_junit(junit_files(stage))
    except ElementTree.ParseError as error:
        return Counts(failed=1), [f"{stage.name}: unreadable JUnit: {error}"]
    if code != 0 and not counts.failed:
        counts.failed += 1
        failures.append(f"{stage.name}: the command itself failed")
    if not counts.passed and not counts.failed:
        counts.failed += 1
        failures.append(f"{stage.name}: no test ran")
    return counts, failures
