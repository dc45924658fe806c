"""The story of a scenario as rows with bars: steps.jsonl made ready to be drawn."""

from dataclasses import dataclass

MAX_COMMAND_CHARS = 160
KINDS = ("step", "command", "fault", "observation", "finding")


@dataclass
class Step:
    """One row. `left` and `width` place its bar, in percent of the scenario's duration."""

    kind: str
    t_ms: float | None
    duration_ms: float | None
    guest: str | None
    text: str
    rest: str | None  # the whole of a long command, of which `text` is the beginning
    ok: bool | None
    exit_status: int | None
    output: str | None
    verdict: str | None
    clause: str | None
    left: float
    width: float


@dataclass
class Timeline:
    """All rows, the length of the axis, its ticks, and where faults were put (percent)."""

    steps: list[Step]
    total_ms: float
    ticks: list[tuple[float, str]]
    faults: list[float]


def _number(value) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _ticks(total_ms: float) -> list[tuple[float, str]]:
    for step_ms in (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000):
        if total_ms / step_ms <= 7:
            break
    ticks, t = [], 0
    while t <= total_ms and len(ticks) < 20:
        ticks.append((round(100 * t / total_ms, 3), f"{t / 1000:g} s"))
        t += step_ms
    return ticks


def _cut(kind: str, text: str) -> tuple[str, str | None]:
    """A command of many lines or words is told by its beginning."""
    first = text.strip().split("\n", 1)[0]
    if kind != "command" or (first == text.strip() and len(text) <= MAX_COMMAND_CHARS):
        return text, None
    return first[:MAX_COMMAND_CHARS] + " …", text


def build(raw_steps: list[dict], duration_ms) -> Timeline:
    """Places every step on one axis that is long enough for all of them."""
    ends = [(_number(s.get("t_ms")) or 0) + (_number(s.get("duration_ms")) or 0) for s in raw_steps]
    total = max([_number(duration_ms) or 0, 1.0, *ends])
    steps = []
    for raw in raw_steps:
        t, duration = _number(raw.get("t_ms")), _number(raw.get("duration_ms"))
        kind = raw.get("kind") if raw.get("kind") in KINDS else "step"
        text, rest = _cut(kind, str(raw.get("text") or ""))
        steps.append(Step(kind, t, duration, raw.get("guest"), text, rest, raw.get("ok"),
                          raw.get("exit_status"), raw.get("output"), raw.get("verdict"), raw.get("clause"),
                          round(100 * (t or 0) / total, 3), round(100 * (duration or 0) / total, 3)))
    faults = [s.left for s in steps if s.kind == "fault"]
    return Timeline(steps, total, _ticks(total), faults)
