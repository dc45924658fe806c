"""Writes a run folder; RUN_FOLDER.md is its description. Knows no QEMU and no HTML."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import platform
import subprocess
from typing import Any

SCHEMA = 1
VERDICTS = ("pass", "violation", "warning", "unsupported", "inconclusive", "error")


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def utc_text(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def write_json(path: pathlib.Path, value: Any) -> None:
    """Whole or not at all: a reader never sees half a file."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def append_line(path: pathlib.Path, value: dict) -> None:
    """One object, one line, one write: lines of writers that die stay whole."""
    with open(path, "a", encoding="utf-8") as out:
        out.write(json.dumps(value, ensure_ascii=False) + "\n")


def source_version(root: pathlib.Path) -> str:
    """What `git describe` says of the checkout, or `unknown` outside of one."""
    result = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"


class ScenarioFolder:
    """scenarios/<scenario>@<system>/: one story and what was recorded beside it."""

    def __init__(self, path: pathlib.Path, scenario: str, system: str):
        self.path = path
        self.scenario = scenario
        self.system = system
        path.mkdir(parents=True)

    def add_step(self, step: dict) -> None:
        append_line(self.path / "steps.jsonl", step)

    def write(self, record: dict) -> None:
        write_json(self.path / "scenario.json", {"schema": SCHEMA, **record})


class RunFolder:
    """One run. `run.json` is there from the first moment, so that a run cut short is readable."""

    def __init__(self, path: pathlib.Path, *, what: str, title: str, command: str):
        self.path = path
        path.mkdir(parents=True)
        self._run: dict[str, Any] = {
            "schema": SCHEMA,
            "what": what,
            "title": title,
            "command": command,
            "started": utc_text(utc_now()),
            "ended": None,
            "exit_status": None,
            "host": {
                "os": _os_name(),
                "kernel": platform.release(),
                "cpus": len(os.sched_getaffinity(0)),
                "accel": None,
            },
            "versions": {},
            "systems": [],
        }
        self._write()

    @staticmethod
    def create(parent: pathlib.Path, *, what: str, title: str, command: str) -> "RunFolder":
        """A fresh folder below `parent`, named by time and kind; never an existing one."""
        stem = utc_now().strftime("%Y%m%dT%H%M%SZ") + "-" + what
        for attempt in range(100):
            path = parent / (stem if attempt == 0 else f"{stem}-{attempt + 1}")
            try:
                return RunFolder(path, what=what, title=title, command=command)
            except FileExistsError:
                continue
        raise FileExistsError(parent / stem)

    def _write(self) -> None:
        write_json(self.path / "run.json", self._run)

    def set_accel(self, accel: str | None) -> None:
        self._run["host"]["accel"] = accel
        self._write()

    def add_versions(self, versions: dict[str, str]) -> None:
        if any(self._run["versions"].get(key) != value for key, value in versions.items()):
            self._run["versions"].update(versions)
            self._write()

    def add_system(self, system: str) -> None:
        if system not in self._run["systems"]:
            self._run["systems"].append(system)
            self._write()

    def add_finding(self, finding: dict) -> None:
        """Appends to findings.jsonl; a finding that breaks the schema is refused here, loudly."""
        check_finding(finding)
        append_line(self.path / "findings.jsonl", finding)

    def scenario(self, scenario: str, system: str) -> ScenarioFolder:
        return ScenarioFolder(
            self.path / "scenarios" / f"{scenario}@{system}", scenario, system
        )

    def end(self, exit_status: int) -> None:
        self._run["ended"] = utc_text(utc_now())
        self._run["exit_status"] = exit_status
        self._write()


def check_finding(finding: dict) -> None:
    """Raises ValueError with the reason when a finding is not what RUN_FOLDER.md says."""
    if finding.get("verdict") not in VERDICTS:
        raise ValueError(f"expected a verdict of {', '.join(VERDICTS)}, got {finding.get('verdict')!r}")
    if finding.get("party") not in ("target", "initiator"):
        raise ValueError(f"expected party target or initiator, got {finding.get('party')!r}")
    for key in ("system", "message"):
        value = finding.get(key)
        if not isinstance(value, str) or not value or "\n" in value:
            raise ValueError(f"expected {key} to be one line of text, got {value!r}")
    if "clause" not in finding:
        raise ValueError("expected clause (an id or null), got none")
    if ("case" in finding) == ("scenario" in finding):
        raise ValueError("expected exactly one of case and scenario")


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
