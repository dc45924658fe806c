"""The clause catalogue (harness/catalogue/*.toml), read and validated.

The format is described in harness/catalogue/FORMAT.md. The suite has a loader of its own in C++;
both stop at the first error with a line that names file, clause and what was expected.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .errors import ReportError

LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
PARTIES = ("target", "initiator", "both")
CHECKS = ("active", "passive", "both", "none")
FATES = ("same", "changed", "moved", "dropped")
ASKS = ("more", "less")
MAX_FILES = 1000
MAX_FILE_BYTES = 1 << 20

_ID = re.compile(r"R(\d+)-((?:App)?[0-9A-Z][0-9A-Za-z]*(?:\.[0-9A-Z]+)*)-(\d{2}|[TMN]\d{1,2}|l\d{2})\Z")
_ID_7143 = re.compile(r"R7143-((?:App)?[0-9A-Z][0-9A-Za-z]*(?:\.[0-9A-Z]+)*)-(?:\d{2,3}|[TMN]\d{1,2}|l\d{2})\Z")
_REQUIRED = ("id", "level", "party", "summary", "check", "rfc7143")
_KNOWN = set(_REQUIRED) | {"reason", "not_testable", "unh", "note"}


@dataclass(frozen=True)
class Clause:
    """One requirement of the RFC. `section` is as printed there, e.g. 10.13.5."""

    id: str
    level: str
    party: str
    summary: str
    check: str
    section: str
    reason: str | None
    rfc7143_fate: str
    rfc7143_id: str | None
    rfc7143_asks: str | None  # of a changed clause: "more" or "less" than RFC 3720, if either
    unh: tuple[str, ...]
    note: str | None
    not_testable: dict[str, str]  # of a clause that binds both: the party of whom nobody can tell, and why

    @property
    def coverable(self) -> bool:
        """False when neither a peer nor a capture can tell whether it is kept."""
        return self.check != "none"

    def coverable_for(self, party: str) -> bool:
        """The same for one party that it binds."""
        return self.coverable and party not in self.not_testable

    def binds(self, party: str) -> bool:
        return self.party in (party, "both")


@dataclass(frozen=True)
class Section:
    """One file of the catalogue."""

    number: str
    title: str
    clauses: tuple[Clause, ...]


class Catalogue:
    """All sections in the order of the RFC, and every clause by its id."""

    def __init__(self, sections: list[Section]):
        self.sections = sorted(sections, key=lambda s: section_order(s.number))
        self.clauses = {c.id: c for s in self.sections for c in s.clauses}

    def __len__(self) -> int:
        return len(self.clauses)


def section_order(number: str) -> tuple:
    """Sorts 5.2 before 10.1 and appendices last."""
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in number.split("."))


def _fail(path: Path, what: str) -> ReportError:
    return ReportError(f"{path}: {what}")


def _clause(path: Path, number: str, raw: dict) -> Clause:
    def fail(what: str) -> ReportError:
        return _fail(path, f"clause {raw.get('id', '(no id)')}: {what}")

    for key in _REQUIRED:
        if key not in raw:
            raise fail(f"has no {key}")
    unknown = sorted(set(raw) - _KNOWN)
    if unknown:
        raise fail(f"unknown field {unknown[0]}, expected one of {', '.join(sorted(_KNOWN))}")
    match = _ID.match(str(raw["id"]))
    if not match:
        raise fail("id is not of the form R3720-10.13.5-01")
    section = match.group(2)
    if section != number and not section.startswith(number + "."):
        raise fail(f"does not belong to section {number}")
    for key, allowed in (("level", LEVELS), ("party", PARTIES), ("check", CHECKS)):
        if raw[key] not in allowed:
            raise fail(f"{key} is {raw[key]!r}, expected one of {', '.join(allowed)}")
    for key in ("summary", "reason", "note"):
        if key in raw and (not isinstance(raw[key], str) or not raw[key].strip()):
            raise fail(f"{key} is empty")
    if (raw["check"] == "none") != ("reason" in raw):
        raise fail('needs a reason exactly when check = "none"')
    not_testable = _not_testable(raw, fail)
    fate, new_id, asks = _fate(raw["rfc7143"], fail)
    unh = raw.get("unh", [])
    if not isinstance(unh, list) or not all(isinstance(u, str) and u for u in unh):
        raise fail('unh is not a list of test numbers such as ["17.1.1"]')
    return Clause(raw["id"], raw["level"], raw["party"], raw["summary"].strip(), raw["check"],
                  section, raw.get("reason"), fate, new_id, asks, tuple(unh), raw.get("note"), not_testable)


def _not_testable(raw, fail) -> dict[str, str]:
    reasons = raw.get("not_testable", {})
    if "not_testable" in raw and (not isinstance(reasons, dict) or len(reasons) != 1 or raw["party"] != "both"
                                  or raw["check"] == "none"):
        raise fail("not_testable needs one party and the reason, of a clause that binds both")
    for party, reason in reasons.items():
        if party not in ("target", "initiator"):
            raise fail(f"not_testable is of {party!r}, expected target or initiator")
        if not isinstance(reason, str) or not reason.strip():
            raise fail("not_testable is empty")
    return dict(reasons)


def _fate(raw, fail) -> tuple[str, str | None, str | None]:
    if not isinstance(raw, dict) or raw.get("fate") not in FATES:
        raise fail(f"rfc7143 needs a fate, one of {', '.join(FATES)}")
    new_id = raw.get("id")
    if (raw["fate"] == "dropped") != (new_id is None):
        raise fail("rfc7143 needs an id exactly when the clause was not dropped")
    if new_id is not None and not _ID_7143.match(str(new_id)):
        raise fail(f"rfc7143 id {new_id!r} is not of the form R7143-11.13.5-01")
    asks = raw.get("asks")
    if asks is not None and (raw["fate"] != "changed" or asks not in ASKS):
        raise fail(f"rfc7143 asks {asks!r}, expected {' or '.join(ASKS)}, of a changed clause")
    return raw["fate"], new_id, asks


def _section(path: Path) -> Section:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise _fail(path, f"larger than {MAX_FILE_BYTES} bytes")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _fail(path, f"not TOML: {error}") from None
    head = raw.get("section")
    if not isinstance(head, dict) or not head.get("number") or not head.get("title"):
        raise _fail(path, "has no [section] with number and title")
    clauses = raw.get("clause", [])
    if not isinstance(clauses, list) or not clauses:
        raise _fail(path, "has no [[clause]]")
    return Section(str(head["number"]), str(head["title"]),
                   tuple(_clause(path, str(head["number"]), c) for c in clauses))


def load(folder: Path) -> Catalogue:
    """Reads every section-*.toml of a folder. Raises ReportError at the first defect."""
    paths = sorted(folder.glob("section-*.toml")) if folder.is_dir() else []
    if not paths:
        raise ReportError(f"{folder}: no section-*.toml here; name the catalogue with --catalogue DIR")
    if len(paths) > MAX_FILES:
        raise ReportError(f"{folder}: more than {MAX_FILES} files")
    sections, seen = [], {}
    for path in paths:
        section = _section(path)
        for clause in section.clauses:
            if clause.id in seen:
                raise _fail(path, f"clause {clause.id} is there twice, first in {seen[clause.id].name}")
            seen[clause.id] = path
        sections.append(section)
    return Catalogue(sections)


def default_folder() -> Path:
    """The catalogue of the checkout that this file lies in."""
    return Path(__file__).resolve().parents[2] / "harness" / "catalogue"
