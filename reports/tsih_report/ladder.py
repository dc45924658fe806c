"""Ladders: decoded PDUs, made ready to be drawn. The schema of the input is reports/LADDER.md.

A capture of a scenario holds many thousands of PDUs. What is drawn is the start, the end, and what
surrounds faults and evidence; each gap says what it left out.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

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
_COMMON = ("data", "response", "command", "r2t", "nop")
_SEQUENCE = (("itt", "ITT", True), ("ttt", "TTT", True), ("cmdsn", "CmdSN", False),
             ("statsn", "StatSN", False), ("expcmdsn", "ExpCmdSN", False),
             ("maxcmdsn", "MaxCmdSN", False), ("expstatsn", "ExpStatSN", False),
             ("datasn", "DataSN", False), ("offset", "offset", False),
             ("edtl_bytes", "length", False), ("data_bytes", "data", False))
_FIELDS = (("frame", "frame in the capture"), ("conn", "connection"), ("opcode", "opcode"),
           ("flags", "flags"), ("csg", "CSG"), ("nsg", "NSG"), ("isid", "ISID"), ("tsih", "TSIH"),
           ("cid", "CID"), ("lun", "LUN"), ("itt", "ITT"), ("ttt", "TTT"), ("cmdsn", "CmdSN"),
           ("expcmdsn", "ExpCmdSN"), ("maxcmdsn", "MaxCmdSN"), ("statsn", "StatSN"),
           ("expstatsn", "ExpStatSN"), ("datasn", "DataSN / R2TSN"), ("offset", "Buffer Offset"),
           ("edtl_bytes", "expected / desired bytes"), ("data_bytes", "data segment bytes"),
           ("residual_bytes", "residual bytes"), ("cdb_name", "command"), ("cdb", "CDB"),
           ("function", "function"), ("status", "status"), ("header_digest_ok", "header digest ok"),
           ("data_digest_ok", "data digest ok"), ("malformed", "malformed"))
_HEX = {"itt": 8, "ttt": 8, "opcode": 2}


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


def _host(end: str) -> str:
    return end.rpartition(":")[0] if ":" in end else end


def _number(line: dict, key: str) -> float | None:
    value = line.get(key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _lanes(lines: list[dict], guests: list[dict]) -> tuple[list[str], dict[str, int]]:
    """Lane names in drawing order, and the lane of each host. The target stands between initiators."""
    names = {str(g.get("address", "")).partition("/")[0]: str(g.get("name")) for g in guests}
    roles = {str(g.get("name")): g.get("role") for g in guests}
    hosts: list[str] = []
    targets: Counter = Counter()
    for line in lines:
        for key in ("from", "to"):
            host = _host(str(line.get(key) or ""))
            if host and host not in hosts:
                hosts.append(host)
        opcode = line.get("opcode")
        if isinstance(opcode, int) and opcode in KINDS:
            targets[_host(str(line.get("from" if opcode & 0x20 else "to") or ""))] += 1
    by_opcode = targets.most_common(1)[0][0] if targets else None

    def is_target(host: str) -> bool:
        role = roles.get(names.get(host, ""))
        return role == "target" if role else host == by_opcode

    initiators = [h for h in hosts if not is_target(h)]
    half = (len(initiators) + 1) // 2
    order = initiators[:half] + [h for h in hosts if is_target(h)] + initiators[half:]
    return [names.get(h, h) for h in order], {h: n for n, h in enumerate(order)}


def _text(key: str, value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and key in _HEX:
        return f"0x{value:0{_HEX[key]}x}"
    if isinstance(value, list):
        return " ".join(str(v) for v in value)
    return str(value)


def _pairs(raw) -> list[tuple[str, str]]:
    return [(str(p[0]), str(p[1])) for p in raw if isinstance(p, list) and len(p) == 2] \
        if isinstance(raw, list) else []


def _pdu(line: dict, row: Row) -> None:
    opcode = line.get("opcode")
    row.kind, row.name = "pdu", str(line.get("name") or "PDU without a name")
    row.colour = KINDS.get(opcode, "other")
    row.flags = [str(f) for f in line.get("flags") or []]
    for key, label, is_hex in _SEQUENCE:
        value = line.get(key)
        if value is None or (key in ("ttt", "itt") and value == 0xffffffff) or (key == "data_bytes" and not value):
            continue
        row.sequence.append((label, f"0x{value:x}" if is_hex and isinstance(value, int) else str(value)))
    row.keys = _pairs(line.get("keys"))
    row.status = str(line["status"]) if line.get("status") is not None else None
    detail = [str(line[k]) for k in ("cdb_name", "function") if line.get(k)]
    if line.get("csg") is not None and opcode in (0x03, 0x23):
        nsg = f"→{line['nsg']}" if "T" in row.flags and line.get("nsg") is not None else ""
        detail.append(f"stage {line['csg']}{nsg}")
    row.text = ", ".join(detail)
    row.alarming = bool(line.get("malformed")) or row.colour in ("reject", "async") or \
        line.get("header_digest_ok") is False or line.get("data_digest_ok") is False
    row.fields = [(label, _text(key, line[key])) for key, label in _FIELDS if line.get(key) is not None]


def _row(line: dict, lanes: dict[str, int]) -> Row:
    kind = line.get("kind") or "pdu"
    row = Row(kind, _number(line, "t_s"), int(_number(line, "i") or 0))
    row.frame = line.get("frame") if isinstance(line.get("frame"), int) else None
    row.start = lanes.get(_host(str(line.get("from") or "")), 0)
    row.end = lanes.get(_host(str(line.get("to") or "")), row.start)
    if kind == "note":
        row.text = str(line.get("text") or "")
        if row.text.startswith("fault:"):
            row.kind, row.text = "fault", row.text.removeprefix("fault:").strip()
    elif kind == "tcp":
        row.name = {"open": "TCP connection opens", "fin": "TCP FIN", "reset": "TCP RST",
                    "closed": "TCP connection closed"}.get(line.get("event"), f"TCP {line.get('event')}")
        row.text = f"connection {line['conn']}" if line.get("conn") is not None else ""
        row.alarming = line.get("event") == "reset"
    else:
        _pdu(line, row)
    return row


def _chosen(rows: list[Row]) -> set[int]:
    """Which rows to draw when there are too many: what matters most, until MAX_DRAWN is reached."""
    wanted: list[tuple[int, int]] = []
    for n, row in enumerate(rows):
        if row.kind == "fault" or row.marked:
            reach = 12 if row.kind == "fault" else 8
            wanted += [(abs(k - n), k) for k in range(max(0, n - reach), min(len(rows), n + reach + 1))]
        elif row.alarming or row.kind != "pdu" or row.colour not in _COMMON:
            wanted.append((3, n))
    wanted += [(n // 4, n) for n in range(min(32, len(rows)))]
    wanted += [(n // 4, len(rows) - 1 - n) for n in range(min(32, len(rows)))]
    chosen: set[int] = set()
    for _, n in sorted(wanted):
        if len(chosen) >= MAX_DRAWN:
            break
        chosen.add(n)
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
    names, lanes = _lanes(lines, guests or [])
    rows = [_row(line, lanes) for line in lines]
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
        row.leads_frame = row.frame is not None and row.frame not in seen
        seen.add(row.frame)
    kinds = [k for k in KIND_NAMES if any(r.kind == "pdu" and r.colour == k for r in drawn)]
    return Ladder(names, drawn, len(rows), kinds, notes)
