"""What libiscsi's iscsi-test-cu says, held against a table of what is expected of it.

The table is TOML. A row names tests by a pattern and says what they may do instead of passing:

    [[row]]
    test = ["Sanitize.Reset"]   # SUITE.TEST or patterns of fnmatch
    on = ["pscsi on *"]         # kinds of disks that it holds for, patterns; without it, all
    does = "fails"              # fails, or skips with words that `says` (a pattern) matches
    always = false              # it may pass as well; without it, one that passes is reported
    says = "*not removable*"    # of a skip
    why = "…, SBC-4 4.11"       # the standard's clause; or what shows that the device itself does it

There is one table, beside this file, for the runs in guests and for those on loopback.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import pathlib
import re
import tomllib


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one test ended: `passed`, `failed`, `skipped`; `words` are its own."""

    test: str
    verdict: str
    words: str


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


@dataclasses.dataclass(frozen=True)
class Row:
    test: tuple[str, ...]
    does: str
    why: str
    on: tuple[str, ...] = ()
    says: str = "*"
    always: bool = True

    def fits(self, outcome: Outcome, disk: str) -> bool:
        return (_matches(outcome.test, self.test) and (not self.on or _matches(disk, self.on))
                and (self.does == "fails" or outcome.verdict != "skipped"
                     or fnmatch.fnmatchcase(outcome.words, self.says)))


@dataclasses.dataclass(frozen=True)
class Judgement:
    """`verdict` is a finding's: pass, violation, or unsupported for a skip that is in order."""

    outcome: Outcome
    verdict: str
    message: str


def parse(output: str) -> list[Outcome]:
    """Each test of a verbose run, in order. A run that broke off ends with a failed one."""
    outcomes, suite = [], ""
    for line in re.split(r"^(?=Suite: |  Test: |Run Summary)", output, flags=re.MULTILINE):
        if found := re.match(r"Suite: (\S+)", line):
            suite = found[1]
        elif found := re.match(r"  Test: (\S+) \.\.\.", line):
            words = line[found.end():].strip()
            ends = re.findall(r"^(passed|FAILED)", words, re.MULTILINE)
            skipped = re.findall(r"\[SKIPPED\] (.*)", words)
            verdict = ("failed" if not ends or "FAILED" in ends else
                       "skipped" if skipped else "passed")
            said = "; ".join(dict.fromkeys(skipped)) if verdict == "skipped" else words
            outcomes.append(Outcome(f"{suite}.{found[1]}", verdict, said if ends else
                                    "the program did not come to the end of this test"))
    return outcomes


class Table:
    """The rows of a file."""

    def __init__(self, path: pathlib.Path):
        with open(path, "rb") as file:
            rows = tomllib.load(file)["row"]
        self.rows = [Row(**{**row, "test": tuple(row["test"]), "on": tuple(row.get("on", ()))})
                     for row in rows]
        for row in self.rows:
            if row.does not in ("fails", "skips"):
                raise ValueError(f"{path}: {row.test}: expected does = fails or skips, got {row.does}")

    def judge(self, outcome: Outcome, disk: str) -> Judgement:
        """`disk` is a kind of disk, as rows name it."""
        rows = [row for row in self.rows if row.fits(outcome, disk)]
        does = {"passed": "passes", "failed": "fails", "skipped": "skips"}[outcome.verdict]
        row = next((row for row in rows if row.does == does), None)
        if row:
            return Judgement(outcome, "unsupported" if does == "skips" else "pass",
                             f"{outcome.test} {does}, as expected: {row.why}")
        stale = next((row for row in rows if row.always), None)
        if stale:
            return Judgement(outcome, "violation",
                             f"expected {outcome.test} on {disk} to be one that {stale.does} "
                             f"({stale.why}), it {does}: take its row out of the table")
        if outcome.verdict == "passed":
            return Judgement(outcome, "pass", f"{outcome.test} passes")
        words = " ".join(outcome.words.split())[:300]
        return Judgement(outcome, "violation",
                         f"expected {outcome.test} to pass, it {does}: {words}")


TABLE = Table(pathlib.Path(__file__).with_name("iscsi_test_cu.toml"))
