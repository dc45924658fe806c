"""Ladders: decoded PDUs, made ready to be drawn. The schema of the input is harness/wire/LADDER.md.

A capture of a scenario holds many thousands of PDUs. What is drawn is the start, the end, and what
surrounds faults and evidence; each gap says what it left out.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from . import ladder_words
from .errors import ReportError
from .runs import read_json_lines

MAX_LINES = 200_000
MAX_DRAWN = 300
TOOL_TIMEOUT_S = 120

# Opcode -> the kind that decides an arrow's colour. Names are in the legend, never colour alone.
KINDS = {0x03: "login", 0x23: "login", 0x04: "text", 0x24: "text", 0x01: "command", 0x21: "response",
         0x05: "data", 0x25: "data", 0x31: "r2t", 0x02: "task", 0x22: "task", 0x00: "nop", 0x20: "nop",
         0x06: "logout", 0x26: "logout", 0x32: "async", 0x3f: "reject", 0x10: "task"}
KIND_NAMES = {"login": "Login", "text": "Text", "command": "SCSI Command", "response": "SCSI Response",
              "data": "Data-In, Data-Out", "r2t": "R2T", "task": "Task management, SNACK", "nop": "NOP",
              "logout": "Logout", "async": "Async Message", "reject": "Reject", "other": "other"}
_COMMON = ("data", "response", "command", "r2t")
_SMALL_GAP = 6  # fewer lines than the remark about them would need
_FLAGS = ("I", "F", "T", "C", "R", "W", "S", "O", "U", "o", "u", "A")
# Header fields under the RFC's names that an arrow shows, and what it calls them.
_SEQUENCE = (("ITT", "ITT"), ("TTT", "TTT"), ("ReferencedTaskTag", "of task"), ("CmdSN", "CmdSN"),
             ("StatSN", "StatSN"), ("ExpCmdSN", "ExpCmdSN"), ("MaxCmdSN", "MaxCmdSN"),
             ("ExpStatSN", "ExpStatSN"), ("DataSN", "DataSN"), ("R2TSN", "R2TSN"),
             ("BufferOffset", "offset"), ("ExpectedDataTransferLength", "length"),
             ("DesiredDataTransferLength", "length"))
_TAGS = ("ITT", "TTT", "ReferencedTaskTag", "SNACKTag")
_NO_TAG = 0xffffffff
_DIGESTS = ("header_digest", "data_digest")
_NO_ADDRESSES = {"initiator": "initiator", "target": "target"}
_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]):\d{1,5}")


@dataclass
class Row:
    """One line of the drawing. `kind` is pdu, tcp, note, fault or gap."""

    kind: str
    t_s: float | None = None
    index: int = 0
    frame: int | None = None
    start: int = 0  # lane numbers
    end: int = 0
    colour: str = "other"
    name: str = ""
    flags: list = field(default_factory=list)
    sequence: list = field(default_factory=list)  # (label, text)
    keys: list = field(default_factory=list)
    status: str | None = None
    alarming: bool = False
    fields: list = field(default_factory=list)  # (label, text)
    text: str = ""
    marked: bool = False  # evidence of a finding
    line: dict | None = None  # what it was made of
    leads_frame: bool = False  # the first drawn row of its frame: a link to the frame leads here


@dataclass
class Ladder:
    """A drawing: lanes from left to right, rows from top to bottom."""

    lanes: list[str]
    rows: list[Row]
    total: int
    kinds: list[str]
    notes: list[str]

    def position(self, lane: int) -> float:
        """Where a lane stands, in percent of the width."""
        return 50.0 if len(self.lanes) < 2 else round(7 + 86 * lane / (len(self.lanes) - 1), 3)


def tool() -> Path | None:
    """The program that decodes captures: TSIH_LADDER, the checkout's build/bin, or the PATH."""
    given = os.environ.get("TSIH_LADDER")
    here = Path(__file__).resolve().parents[2] / "build" / "bin" / "tsih-ladder"
    for candidate in (given, here, shutil.which("tsih-ladder")):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    return None


def decode_capture(capture: Path, program: Path | None) -> tuple[list[dict], list[str]]:
    """Lines of a capture's ladder, and remarks about what could not be had."""
    kept = capture.with_suffix(".ladder.jsonl")
    if kept.is_file():
        return read_lines(kept)
    if not capture.is_file():
        return [], ["no capture was kept for this scenario"]
    if program is None:
        return [], ["the capture is not decoded here: tsih-ladder was not found (build it, or name it in TSIH_LADDER)"]
    try:
        done = subprocess.run([program, capture], capture_output=True, timeout=TOOL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], [f"the capture could not be decoded: {error}"]
    notes = []
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        notes.append(f"tsih-ladder ended with status {done.returncode}: {last[0]}")
    lines = []
    for raw in done.stdout.split(b"\n")[:MAX_LINES]:
        try:
            value = json.loads(raw.decode("utf-8", "replace")) if raw.strip() else None
        except ValueError:
            notes.append("tsih-ladder wrote a line that is not JSON; the ladder ends there")
            break
        if isinstance(value, dict):
            lines.append(value)
    return lines, notes


def read_lines(path: Path) -> tuple[list[dict], list[str]]:
    """Lines of a recorded ladder."""
    notes: list[str] = []
    try:
        return [v for _, v in read_json_lines(path, notes, MAX_LINES)], notes
    except ReportError as error:
        return [], [f"the ladder could not be read: {error}"]


def _number(line: dict, key: str) -> float | None:
    value = line.get(key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _connection(line: dict) -> int | None:
    value = line.get("connection")
    return value if isinstance(value, int) else None


def _hosts(lines: list[dict]) -> dict:
    """The hosts at the two ends of each connection, where the line that opened it names them.

    {connection: {"initiator": host, "target": host}}; without addresses the ends are just that.
    """
    hosts: dict = {}
    for line in lines:
        if line.get("event") != "open" or _connection(line) in hosts:
            continue
        ends = [line.get("initiator"), line.get("target")]
        if not all(isinstance(e, str) for e in ends):
            ends = _ADDRESS.findall(str(line.get("note") or ""))
        if len(ends) == 2:
            hosts[_connection(line)] = {"initiator": ends[0].rpartition(":")[0],
                                             "target": ends[1].rpartition(":")[0]}
    return hosts


def _lanes(lines: list[dict], hosts: dict, guests: list[dict]) -> tuple[list[str], dict[str, int]]:
    """Lane names in drawing order, and the lane of each end. The target stands between initiators."""
    names = {str(g.get("address", "")).partition("/")[0]: str(g.get("name")) for g in guests}
    initiators, targets = [], []
    for line in lines:
        ends = hosts.get(_connection(line), _NO_ADDRESSES)
        if line.get("event") == "note" and _connection(line) not in hosts:
            continue
        for end, known in ((ends["initiator"], initiators), (ends["target"], targets)):
            if end not in known and end not in targets:
                known.append(end)
    half = (len(initiators) + 1) // 2
    order = initiators[:half] + targets + initiators[half:]
    return [names.get(h, h) for h in order], {h: n for n, h in enumerate(order)}


def _text(key: str, value) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and key in _TAGS:
        return f"0x{value:08x}"
    return str(value)


def _pairs(raw) -> list[tuple[str, str]]:
    return [(str(p[0]), str(p[1])) for p in raw if isinstance(p, list) and len(p) == 2] \
        if isinstance(raw, list) else []


def _sequence(fields: dict, data_bytes) -> list[tuple[str, str]]:
    shown = []
    for key, label in _SEQUENCE:
        value = fields.get(key)
        if value is None or (key in _TAGS and value == _NO_TAG):
            continue
        shown.append((label, f"0x{value:x}" if key in _TAGS and isinstance(value, int) else str(value)))
    if data_bytes:
        shown.append(("data", f"{data_bytes} bytes"))
    return shown


def _fill(row: Row) -> None:
    """The words and fields of a PDU: only what is drawn gets them."""
    line, opcode = row.line, row.line.get("opcode")
    fields = line.get("fields") if isinstance(line.get("fields"), dict) else {}
    row.flags = [f for f in _FLAGS if fields.get(f) == 1]
    row.sequence = _sequence(fields, line.get("data_bytes"))
    row.keys = _pairs(line.get("text"))
    row.status = ladder_words.status(opcode, fields, line.get("data_hex"))
    row.text = ladder_words.detail(opcode, fields) or ""
    if row.colour == "login" and "CSG" in fields:
        row.text = f"stage {fields['CSG']}" + (f"→{fields.get('NSG')}" if "T" in row.flags else "")
    row.text += "".join(f", wrong {k.replace('_', ' ')}" for k in _DIGESTS if line.get(k) == "wrong")
    row.fields = [(k, _text(k, v)) for k, v in fields.items()]
    row.fields += [(label, str(line[k])) for k, label in (
        ("frame", "frame"), ("connection", "connection"), ("data_bytes", "data segment"),
        ("ahs_hex", "AHS"), ("data_hex", "data begins")) if line.get(k) is not None]


def _row(number: int, line: dict, hosts: dict, lanes: dict[str, int]) -> Row:
    event = line.get("event")
    t_ms = _number(line, "t_ms")
    row = Row("tcp", None if t_ms is None else t_ms / 1000, number, line=line)
    row.frame = line.get("frame") if isinstance(line.get("frame"), int) else None
    ends = hosts.get(_connection(line), _NO_ADDRESSES)
    backwards = line.get("from") == "target"
    row.start = lanes.get(ends["target" if backwards else "initiator"], 0)
    row.end = lanes.get(ends["initiator" if backwards else "target"], row.start)
    note = str(line.get("note") or "")
    if event == "note":
        row.kind = "fault" if note.startswith("fault:") else "note"
        row.text = note.removeprefix("fault:").strip()
    elif event in ("open", "close"):
        row.name = "TCP connection opens" if event == "open" else "TCP connection closes"
        row.text = ", ".join(t for t in (f"connection {line.get('connection')}", note) if t)
        row.alarming = "reset" in note.lower() or note == "RST"
    else:
        opcode = line.get("opcode")
        row.kind = "pdu"
        row.name = str(line.get("name") or f"PDU with opcode {opcode}")
        row.colour = KINDS.get(opcode, "other") if isinstance(opcode, int) else "other"
        row.alarming = row.colour in ("reject", "async", "other") or \
            any(line.get(k) == "wrong" for k in _DIGESTS)
    return row


def _chosen(rows: list[Row]) -> set[int]:
    """Which rows to draw when there are too many: what matters most, until MAX_DRAWN is reached."""
    wanted: list[tuple[int, int]] = []
    for n, row in enumerate(rows):
        if row.kind == "fault" or row.marked:
            reach = 12 if row.kind == "fault" else 8
            wanted += [(abs(k - n), k) for k in range(max(0, n - reach), min(len(rows), n + reach + 1))]
        elif row.alarming or row.kind != "pdu" or row.colour not in _COMMON:
            wanted.append((6 if row.colour == "nop" else 3, n))
    wanted += [(n // 4, n) for n in range(min(32, len(rows)))]
    wanted += [(n // 4, len(rows) - 1 - n) for n in range(min(32, len(rows)))]
    chosen: set[int] = set()
    for _, n in sorted(wanted):
        if len(chosen) >= MAX_DRAWN:
            break
        chosen.add(n)
    for n, after in itertools.pairwise(sorted(chosen)):
        if after - n - 1 <= min(_SMALL_GAP, MAX_DRAWN - len(chosen)):
            chosen.update(range(n + 1, after))
    return chosen


def _gap(rows: list[Row]) -> Row:
    names = Counter(r.name or r.kind for r in rows).most_common(4)
    what = ", ".join(f"{count} × {name}" for name, count in names)
    times = [r.t_s for r in rows if r.t_s is not None]
    span = f" between {times[0]:.3f} s and {times[-1]:.3f} s" if times else ""
    return Row("gap", rows[0].t_s, text=f"{len(rows)} lines not drawn{span}: {what}")


def build(lines: list[dict], notes: list[str], guests: list[dict] | None = None,
          marked_frames: set[int] = frozenset(), marked_lines: set[int] = frozenset()) -> Ladder:
    """Makes a drawing. Marked frames and lines are evidence and always drawn, if there is room."""
    hosts = _hosts(lines)
    names, lanes = _lanes(lines, hosts, guests or [])
    rows = [_row(n, line, hosts, lanes) for n, line in enumerate(lines, 1)]
    for row in rows:
        row.marked = row.index in marked_lines or (row.frame is not None and row.frame in marked_frames)
    drawn = rows
    if len(rows) > MAX_DRAWN:
        chosen, drawn, gap = _chosen(rows), [], []
        for n, row in enumerate(rows):
            if n not in chosen:
                gap.append(row)
                continue
            if gap:
                drawn.append(_gap(gap))
                gap = []
            drawn.append(row)
        if gap:
            drawn.append(_gap(gap))
    seen: set[int] = set()
    for row in drawn:
        if row.kind == "pdu":
            _fill(row)
        row.leads_frame = row.frame is not None and row.frame not in seen
        seen.add(row.frame)
    kinds = [k for k in KIND_NAMES if any(r.kind == "pdu" and r.colour == k for r in drawn)]
    return Ladder(names, drawn, len(rows), kinds, notes)
