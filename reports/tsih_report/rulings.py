"""Rulings: violations of peers that somebody has looked into, clause and packets beside each other.

reports/rulings/<system>.toml holds them. A finding that a ruling describes is an expected failure and is
shown with its reason. A ruling whose case ran and did not fail so is shown as well: the system has
changed, or the suite has.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from .errors import ReportError

MAX_FILES = 100
MAX_FILE_BYTES = 1 << 20
# The case of a ruling on what the passive judge saw in captures of scenarios: those findings have none.
JUDGE = "judge"
_REQUIRED = ("case", "subject", "verdict", "says", "reason")
_FIELDS = ("case", "clause or property", "verdict", "says", "reason")


@dataclass(frozen=True)
class Ruling:
    """`says` is a part of the finding's message, and all of what is expected to stand there. What comes
    `sometimes` surprises nobody by not coming. `case` is a case, JUDGE, or the scenario that judged a property."""

    system: str
    case: str
    subject: str  # clause or property
    verdict: str
    says: str
    reason: str
    sometimes: bool = False

    def describes(self, finding) -> bool:
        return (self.is_about(finding) and finding.verdict == self.verdict
                and self.says in finding.message)

    def is_about(self, finding) -> bool:
        judged_by = finding.case or (JUDGE if finding.clause else finding.scenario)
        return (finding.system, finding.subject, judged_by) == (self.system, self.subject, self.case)


def _ruling(path: Path, system: str, raw: dict) -> Ruling:
    name = raw.get("case", "(no case)")
    for key, told in zip(_REQUIRED, _FIELDS):
        if not isinstance(raw.get(key), str) or not raw[key].strip():
            raise ReportError(f"{path}: {name}: has no {told}")
    unknown = sorted(set(raw) - set(_REQUIRED) - {"sometimes"})
    if unknown:
        raise ReportError(f"{path}: {name}: unknown field {unknown[0]}, expected one of {', '.join(_FIELDS)}")
    if not isinstance(raw.get("sometimes", False), bool):
        raise ReportError(f"{path}: {name}: sometimes is {raw['sometimes']!r}, expected true or false")
    if raw["verdict"] not in ("violation", "warning"):
        raise ReportError(f"{path}: {name}: verdict is {raw['verdict']!r}, expected violation or warning")
    return Ruling(system, *(raw[key].strip() for key in _REQUIRED), sometimes=raw.get("sometimes", False))


def _each_subject(entries: list[dict]) -> list[dict]:
    """One entry for each clause, where several are broken together, or for the property of a scenario."""
    result = []
    for entry in entries:
        rest = {key: value for key, value in entry.items() if key not in ("clause", "property")}
        subjects = entry.get("clause", entry.get("property"))
        result += [rest | {"subject": one} for one in (subjects if isinstance(subjects, list) else [subjects])]
    return result


def load(folder: Path) -> list[Ruling]:
    """All rulings of a folder. Raises ReportError at the first defect; no folder means none."""
    paths = sorted(folder.glob("*.toml"))
    if len(paths) > MAX_FILES:
        raise ReportError(f"{folder}: more than {MAX_FILES} files")
    rulings, seen = [], set()
    for path in paths:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ReportError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ReportError(f"{path}: not TOML: {error}") from None
        for entry in _each_subject(raw.get("ruling", [])):
            ruling = _ruling(path, path.stem, entry)
            key = (ruling.system, ruling.case, ruling.subject)
            if key in seen:
                raise ReportError(f"{path}: {ruling.case}: {ruling.subject} is ruled on twice")
            seen.add(key)
            rulings.append(ruling)
    return rulings


def default_folder() -> Path:
    """The rulings of the checkout that this file lies in."""
    return Path(__file__).resolve().parents[1] / "rulings"


def apply(rulings: list[Ruling], findings: list) -> list[str]:
    """Notes on each finding the ruling that describes it. Returns one line for each ruling whose case
    was judged and did not come out so."""
    surprises = []
    for ruling in rulings:
        about = [f for f in findings if ruling.is_about(f)]
        for finding in about:
            if ruling.describes(finding):
                finding.ruling = ruling
        if about and not ruling.sometimes and not any(f.ruling is ruling for f in about):
            got = about[-1]
            surprises.append(f"{ruling.system}: {ruling.case} was expected to be a {ruling.verdict} of {ruling.subject}"
                             f" ({ruling.says}); it is now {got.verdict}: {got.message}")
    return surprises
