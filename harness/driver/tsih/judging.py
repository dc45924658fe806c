"""The passive judge over the capture of a scenario: its findings go into the scenario's run.

What it says about anybody is a finding. A violation of OURS fails the scenario besides: its peers may
be as they are, it may not.
"""

from __future__ import annotations

import json
import pathlib
import subprocess

from tsih import paths
from tsih.runfolder import RunFolder
from tsih.story import Story

CEILING_S = 600
OURS = "tsihd"


class BrokeTheRfc(AssertionError):
    """Our target broke a clause in the capture of a scenario that passed otherwise."""


class JudgeError(Exception):
    """One line: why a capture was not judged."""


def findings_on(capture: pathlib.Path, *options: str) -> list[dict]:
    """All findings of the judge on a capture, none when it holds no iSCSI. Raises JudgeError."""
    command = [str(paths.bin_dir() / "tsih-judge"), str(capture), "--json", *options]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=CEILING_S, check=False)
        findings = [json.loads(line) for line in done.stdout.splitlines()]
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise JudgeError(f"the capture was not judged: {error}") from None
    if done.returncode not in (0, 1, 3):
        raise JudgeError(f"the capture was not judged: {done.stderr.strip()[:400] or done.returncode}")
    return findings


def write_rules(run: RunFolder) -> None:
    """cases.json of a run folder: the judge's rules, for the report to know which clauses have one."""
    program = paths.bin_dir() / "tsih-judge"
    if not program.is_file():
        return
    rules = subprocess.run([str(program), "--rules", "--json"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=CEILING_S, check=False)
    if rules.returncode == 0:
        (run.path / "cases.json").write_text(rules.stdout, encoding="utf-8")


def judge_capture(story: Story, capture: pathlib.Path, *, keep_if: str = "any") -> list[str]:
    """Judges both parties in `capture`, a file of the scenario's folder. Never raises for a capture
    or a judge that is not as it should be: the story says so. With `keep_if` "broken" nothing is kept of
    a capture in which OURS broke nothing. Returns a line for each clause that OURS broke."""
    if not (paths.bin_dir() / "tsih-judge").is_file() or not capture.is_file():
        return []
    try:
        findings = findings_on(capture, "--target", story.system, "--initiator", story.initiator)
    except JudgeError as error:
        story.observed(str(error), ok=False)
        return []
    broken = [f"{finding['clause']}: {finding['message']}" for finding in findings
              if finding["verdict"] == "violation" and finding["party"] == "target"
              and finding["system"] == OURS]
    if broken or keep_if == "any":
        for finding in findings:
            _keep(story, finding, capture)
    return broken


def _keep(story: Story, finding: dict, capture: pathlib.Path) -> None:
    """What was broken is part of the story; what was kept goes to the findings only."""
    evidence = finding.get("evidence")
    if finding["verdict"] in ("violation", "warning"):
        if evidence:
            evidence = {"file": capture.name, "frame": evidence["frame"]}
        story.finding(verdict=finding["verdict"], clause=finding["clause"], party=finding["party"],
                      system=finding["system"], message=finding["message"], evidence=evidence)
        return
    story.run.add_finding({**finding, "scenario": story.folder.scenario})
