"""Run folders, read into plain objects. The schema is harness/driver/RUN_FOLDER.md.

A run that was cut short is still a run: a missing file or a last line without its end is noted and
shown, not refused. Anything that would make the report say something false is refused.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .errors import ReportError

VERDICTS = ("violation", "warning", "error", "pass", "inconclusive", "unsupported")  # worst first
NOT_REQUIRED = "not_required"  # what a finding is by RFC 7143 where that has no such clause
OUTCOMES = ("passed", "failed", "skipped", "error")
MAX_FILE_BYTES = 64 << 20
MAX_LINE_BYTES = 1 << 20


@dataclass
class Finding:
    """What a judge found. `run` and `line` say where it was read."""

    verdict: str
    system: str
    party: str
    message: str
    clause: str | None = None
    property_name: str | None = None
    case: str | None = None
    scenario: str | None = None
    peer: str | None = None
    evidence: dict | None = None
    seed: int | None = None
    duration_ms: float | None = None
    run: "Run" = None
    line: int = 0
    told_later: str | None = None  # the judge's own verdict by RFC 7143, or NOT_REQUIRED
    ruling: object = None  # rulings.Ruling, when this failure is a known one

    @property
    def target_system(self) -> str:
        """The system at the target's end of the conversation, whoever was judged."""
        return self.peer if self.party == "initiator" and self.peer else self.system

    @property
    def subject(self) -> str:
        return self.clause or self.property_name or ""


@dataclass
class Scenario:
    """One scenario on one target system, with its story."""

    name: str
    system: str
    folder: Path
    run: "Run"
    info: dict
    steps: list[dict] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        return self.info.get("outcome", "error")

    @property
    def metrics(self) -> dict:
        metrics = self.info.get("metrics")
        return metrics if isinstance(metrics, dict) else {}


@dataclass
class Run:
    """One run folder. `notes` are one-line remarks about what was missing or cut."""

    folder: Path
    info: dict
    findings: list[Finding] = field(default_factory=list)
    scenarios: list[Scenario] = field(default_factory=list)
    cases: list[dict] = field(default_factory=list)
    mutants: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def what(self) -> str:
        return self.info["what"]


def _json(path: Path):
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ReportError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        return json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ReportError(f"{path}: not JSON: {error}") from None


def read_json_lines(path: Path, notes: list[str], limit: int | None = None) -> list[tuple[int, dict]]:
    """Objects of a JSON-lines file with their 1-based line numbers.

    A last line without a newline that does not parse was being written when the run was cut: it is
    noted. Any other broken line raises ReportError. At most `limit` objects, the rest is noted.
    """
    if not path.is_file():
        return []
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ReportError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    result = []
    lines = path.read_bytes().split(b"\n")
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        if limit is not None and len(result) >= limit:
            notes.append(f"{path.name}: only the first {limit} lines are read")
            break
        try:
            if len(raw) > MAX_LINE_BYTES:
                raise ValueError(f"longer than {MAX_LINE_BYTES} bytes")
            value = json.loads(raw.decode("utf-8", errors="replace"))
            if not isinstance(value, dict):
                raise ValueError("not an object")
        except ValueError as error:
            if number == len(lines):
                notes.append(f"{path.name}: the last line is cut off and left out")
                break
            raise ReportError(f"{path}:{number}: {error}") from None
        result.append((number, value))
    return result


def _later(raw: dict, where: str) -> str | None:
    told = raw.get("rfc7143")
    verdict = told.get("verdict") if isinstance(told, dict) else None
    if told is not None and verdict not in (*VERDICTS, NOT_REQUIRED):
        raise ReportError(f"{where}: rfc7143.verdict is {verdict!r}, expected {NOT_REQUIRED} or a verdict")
    return verdict


def _finding(raw: dict, where: str, run: Run, line: int) -> Finding:
    for key in ("verdict", "system", "message"):
        if not isinstance(raw.get(key), str):
            raise ReportError(f"{where}: a finding needs {key} as a string")
    if raw["verdict"] not in VERDICTS:
        raise ReportError(f"{where}: verdict is {raw['verdict']!r}, expected one of {', '.join(VERDICTS)}")
    if bool(raw.get("case")) == bool(raw.get("scenario")):
        raise ReportError(f"{where}: a finding has either a case or a scenario")
    evidence = raw.get("evidence")
    return Finding(raw["verdict"], raw["system"], raw.get("party") or "target", raw["message"],
                   raw.get("clause"), raw.get("property"), raw.get("case"), raw.get("scenario"),
                   raw.get("peer"), evidence if isinstance(evidence, dict) else None,
                   raw.get("seed"), raw.get("duration_ms"), run, line, _later(raw, where))


def _scenario(folder: Path, run: Run) -> Scenario | None:
    path = folder / "scenario.json"
    if not path.is_file():
        run.notes.append(f"{folder.name}: no scenario.json, the scenario was cut short")
        name, _, system = folder.name.rpartition("@")
        info = {"scenario": name or folder.name, "system": system if name else "", "outcome": "error",
                "reason": "cut short: scenario.json was never written"}
    else:
        info = _json(path)
        if not isinstance(info, dict) or not isinstance(info.get("scenario"), str):
            raise ReportError(f"{path}: has no scenario name")
        if info.get("outcome") not in OUTCOMES:
            raise ReportError(f"{path}: outcome is {info.get('outcome')!r}, expected one of "
                              f"{', '.join(OUTCOMES)}")
    steps = [s for _, s in read_json_lines(folder / "steps.jsonl", run.notes)]
    return Scenario(info["scenario"], str(info.get("system") or ""), folder, run, info, steps)


def _cases(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    raw = _json(path)
    if not isinstance(raw, list) or not all(
            isinstance(c, dict) and isinstance(c.get("case"), str)
            and isinstance(c.get("clauses"), list) for c in raw):
        raise ReportError(f"{path}: not a list of objects with case and clauses")
    return raw


def read_run(folder: Path) -> Run:
    """Reads one run folder. Raises ReportError when it is none or when it is broken."""
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such run folder")
    if not (folder / "run.json").is_file():
        raise ReportError(f"{folder}: not a run folder: it has no run.json")
    info = _json(folder / "run.json")
    if not isinstance(info, dict) or not isinstance(info.get("what"), str):
        raise ReportError(f"{folder / 'run.json'}: does not say what ran")
    if info.get("schema", 1) != 1:
        raise ReportError(f"{folder / 'run.json'}: schema {info['schema']}, this program reads schema 1")
    run = Run(folder, info)
    if not info.get("ended"):
        run.notes.append("the run did not end: what follows is what it had written")
    path = folder / "findings.jsonl"
    for number, raw in read_json_lines(path, run.notes):
        run.findings.append(_finding(raw, f"{path}:{number}", run, number))
    run.cases = _cases(folder / "cases.json")
    run.mutants = [m for _, m in read_json_lines(folder / "mutants.jsonl", run.notes)]
    if (folder / "scenarios").is_dir():
        for sub in sorted((folder / "scenarios").iterdir()):
            if sub.is_dir():
                run.scenarios.append(_scenario(sub, run))
    return run


def evidence_path(run: Run, name) -> Path | None:
    """A file that a finding names, if it lies in the run folder; else None."""
    if not isinstance(name, str) or not name:
        return None
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        return None
    path = run.folder / pure
    return path if path.is_file() else None
