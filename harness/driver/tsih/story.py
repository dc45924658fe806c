"""The story recorder: what a scenario did and saw, in order, with times.

Steps reach the disk as they happen: a run that is cut short still tells how far it came.
"""

from __future__ import annotations

import contextlib
import pathlib
import time
from typing import Any, Callable, Iterator

from tsih import runfolder

OUTPUT_TAIL_CHARS = 4000


class Story:
    """Recorder of one scenario on one system.

    Args:
        run: the run folder that findings go to.
        folder: this scenario's folder in it.
        system: the target's system, the default party of a finding.
        tell: called with each line that a person may follow live.
        clock: monotonic seconds; injected by tests.
    """

    def __init__(
        self,
        run: runfolder.RunFolder,
        folder: runfolder.ScenarioFolder,
        system: str,
        *,
        tell: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.run = run
        self.folder = folder
        self.system = system
        self.initiator = "open-iscsi"
        """The initiators' system, by what the judge calls it; a scenario with another says so."""
        self.metrics: dict[str, float] = {}
        self.expected_disaster = False
        self.violated = False
        self.capture_so_far: Callable[[], pathlib.Path] | None = None
        """Brings the frames captured so far to disk; returns the file."""
        self.end_round: Callable[[], None] | None = None
        """Judges the capture so far and, when all is well, begins it anew: hours need no disk of hours."""
        self._tell = tell
        self._clock = clock
        self._start_s = clock()

    def now_ms(self) -> float:
        """Milliseconds since the scenario's start."""
        return round((self._clock() - self._start_s) * 1000, 1)

    def step(self, text: str) -> None:
        """A sentence of the story: what is done next, and why."""
        self._tell(text)
        self._add("step", text)

    def observed(self, text: str, *, ok: bool | None = None) -> None:
        """What was seen, in words."""
        self._add("observation", text, ok=ok)

    def metric(self, name: str, value: float) -> float:
        """A number with its unit in its name (`takeover_ms`); returns it."""
        self.metrics[name] = round(value, 1) if isinstance(value, float) else value
        self._add("observation", f"{name} = {self.metrics[name]}")
        return value

    @contextlib.contextmanager
    def fault(self, text: str, guest: str | None = None) -> Iterator[None]:
        """Brackets what the lab does to the machines or the wire."""
        start_ms = self.now_ms()
        ok = False
        try:
            yield
            ok = True
        finally:
            self._add("fault", text, guest=guest, ok=ok, t_ms=start_ms,
                      duration_ms=round(self.now_ms() - start_ms, 1))

    def command(
        self,
        guest: str,
        text: str,
        *,
        started_ms: float,
        exit_status: int | None,
        output: str,
        ok: bool | None,
    ) -> None:
        """A command that ran in a guest; called by Guest, not by scenarios."""
        extra: dict[str, Any] = {}
        if output:
            extra["output"] = output[-OUTPUT_TAIL_CHARS:]
        if exit_status is not None:
            extra["exit_status"] = exit_status
        self._add("command", text, guest=guest, ok=ok, t_ms=started_ms,
                  duration_ms=round(self.now_ms() - started_ms, 1), **extra)

    def finding(
        self,
        *,
        verdict: str,
        message: str,
        clause: str | None = None,
        property: str | None = None,
        party: str = "target",
        system: str | None = None,
        evidence: dict | None = None,
    ) -> None:
        """Judges: one line "expected …, got …", or what was seen when it passes.

        A guest's words in `message` may have line ends: they become spaces. `evidence` names a
        file in the scenario's folder, with `frame` or `line`.
        """
        message = " ".join(message.split())
        finding: dict[str, Any] = {
            "clause": clause,
            "verdict": verdict,
            "party": party,
            "system": system or self.system,
            "scenario": self.folder.scenario,
            "message": message,
            "duration_ms": self.now_ms(),
        }
        if property:
            finding["property"] = property
        if party == "initiator":
            finding["peer"] = self.system
        if evidence:
            relative = self.folder.path.relative_to(self.run.path)
            finding["evidence"] = {**evidence, "file": str(relative / evidence["file"])}
        self.run.add_finding(finding)
        self.violated = self.violated or verdict in ("violation", "error")
        self._add("finding", message, ok=verdict == "pass", verdict=verdict, clause=clause)

    def judge(self, good: bool, *, passed: str, failed: str, **finding: Any) -> None:
        """A finding either way; the scenario fails when it is not good (but a control goes on).

        `passed` says what was seen, `failed` "expected …, got …"; the rest is finding()'s.
        """
        self.finding(verdict="pass" if good else "violation",
                     message=passed if good else failed, **finding)
        if not good and not self.expected_disaster:
            raise AssertionError(failed)

    def _add(
        self,
        kind: str,
        text: str,
        *,
        guest: str | None = None,
        ok: bool | None = None,
        t_ms: float | None = None,
        duration_ms: float | None = None,
        **extra: Any,
    ) -> None:
        self.folder.add_step(
            {
                "t_ms": self.now_ms() if t_ms is None else t_ms,
                "kind": kind,
                "guest": guest,
                "text": text,
                "ok": ok,
                "duration_ms": duration_ms,
                **extra,
            }
        )
