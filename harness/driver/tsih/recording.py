"""Everything that is recorded while a scenario runs: its story, the wire, the consoles."""

from __future__ import annotations

import contextlib
import inspect
import pathlib
from typing import Any, Callable, Iterator

import pytest

from tsih.judging import OURS, BrokeTheRfc, judge_capture
from tsih.lab import Capture, Lab
from tsih.runfolder import RunFolder, utc_now, utc_text
from tsih.story import Story

# A console that writes more than this during one scenario keeps its end.
SERIAL_MAX_BYTES = 1 << 20


class ScenarioRecorder:
    """Makes the folder of one scenario on one system; see RUN_FOLDER.md."""

    def __init__(self, run: RunFolder, lab: Lab, scenario: str, system: str, *, doc: str,
                 variant: str, test: str, tell: Callable[[str], None], expected_disaster: bool):
        self._lab = lab
        self._folder = run.scenario(scenario, system)
        self.story = Story(run, self._folder, system, tell=tell)
        self.story.expected_disaster = expected_disaster
        title, _, description = inspect.cleandoc(doc).partition("\n")
        self._record: dict[str, Any] = {
            "scenario": scenario,
            "variant": variant,
            "system": system,
            "title": title or scenario,
            "description": description.strip(),
            "outcome": "error",
            "expected_disaster": expected_disaster,
            "reason": "the scenario did not come to its end",
            "started": utc_text(utc_now()),
            "test": test,
        }
        self._guests: dict[str, dict] = {}

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        serial_from = {g.name: _size(self._serial(g.name)) for g in self._lab.guests}
        self._lab.story = self.story
        duration_ms = 0.0
        try:
            with self._lab.capture(self._folder.path / "capture.pcapng") as capture:
                self.story.capture_so_far = capture.so_far
                self.story.end_round = lambda: self._end_round(capture)
                try:
                    yield
                finally:
                    duration_ms = self.story.now_ms()
        finally:
            self._lab.story = None
            broken = judge_capture(self.story, self._folder.path / "capture.pcapng")
            if broken and self._record["outcome"] == "passed":
                self._record["outcome"] = "failed"
                self._record["reason"] = f"{OURS} broke {broken[0]}"
            self._copy_consoles(serial_from)
            self._write(duration_ms)
        if broken:
            raise BrokeTheRfc(_broken_words(broken))

    def _end_round(self, capture: Capture) -> None:
        """The capture so far is judged; one in which we broke nothing has had its day."""
        path = self._folder.path / "round.pcapng"
        capture.take_off(path)
        broken = judge_capture(self.story, path, keep_if="broken")
        if broken:
            raise BrokeTheRfc(_broken_words(broken))
        path.unlink()

    def outcome_of(self, report: pytest.TestReport | None) -> None:
        """Takes pytest's word; a failure that judged nobody becomes a finding of its own."""
        if report is None:
            return
        reason = None
        if report.failed:
            reason = _first_line(report)
        elif report.skipped:
            reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped")
        ours = getattr(report, "tsih_error", False)
        self._record["outcome"] = "error" if ours else report.outcome
        self._record["reason"] = reason
        if report.failed and not self.story.violated:
            self.story.finding(verdict="error" if ours else "violation", property="scenario",
                               message=f"expected the scenario to pass, got: {reason}")

    def _write(self, duration_ms: float) -> None:
        guests = [
            {"name": g.name, "role": "target" if g.name == "target" else "initiator",
             "address": g.ip}
            for g in self._lab.everyone
        ]
        self._folder.write({**self._record, "duration_ms": duration_ms, "guests": guests,
                            "metrics": self.story.metrics})

    def _serial(self, guest: str) -> pathlib.Path:
        return self._lab.run_dir / guest / "serial.log"

    def _copy_consoles(self, start: dict[str, int]) -> None:
        for guest in self._lab.everyone:
            source = self._serial(guest.name)
            if not source.exists():
                continue
            with open(source, "rb") as console:
                begin = min(start.get(guest.name, 0), _size(source))
                console.seek(max(begin, _size(source) - SERIAL_MAX_BYTES))
                (self._folder.path / f"serial-{guest.name}.log").write_bytes(console.read())


def _broken_words(broken: list[str]) -> str:
    return (f"expected {OURS} to keep every clause that the capture shows, got {len(broken)} broken: "
            f"{broken[0]}")


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _first_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr or report.outcome)
    line = next((part for part in text.splitlines() if part.strip()), report.outcome)
    return line.removeprefix("AssertionError: ").removeprefix("tsih.errors.")[:400]
