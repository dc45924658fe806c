"""Words and numbers as a reader sees them: labels of verdicts, units, times."""

import re

from markupsafe import Markup, escape

from .runs import NOT_REQUIRED

# state -> (mark, label). A mark stands beside every colour, so that colour never stands alone.
STATES = {
    "pass": ("✓", "pass"),
    "violation": ("✕", "violated"),
    "warning": ("!", "warned"),
    "unsupported": ("–", "not offered"),
    "inconclusive": ("?", "inconclusive"),
    "error": ("⚑", "our error"),
    "not_run": ("·", "not run"),
    "uncovered": ("○", "uncovered"),
    "uncoverable": ("∅", "not coverable"),
    "passed": ("✓", "passed"),
    "failed": ("✕", "failed"),
    "skipped": ("–", "skipped"),
}
# What each state of a clause means, for the legend.
MEANINGS = {
    "pass": "the clause was checked and kept",
    "violation": "a MUST was broken",
    "warning": "a SHOULD was not followed",
    "unsupported": "the system does not offer what the clause is about",
    "inconclusive": "the check could not decide",
    "error": "the harness failed, not the system",
    "not_run": "a case exists but did not run on this system",
    "uncovered": "no case checks this clause yet",
    "uncoverable": "neither a peer nor a capture can tell",
}
_UNITS = {"ms": "ms", "s": "s", "us": "µs", "bytes": "bytes", "percent": "%", "per_s": "per s"}


def grouped(value) -> str:
    """A number with thin spaces between groups of three digits."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.1f}".replace(",", "\u202f")
    return f"{int(value):,}".replace(",", "\u202f")


def _binary(value: int) -> str | None:
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size and value % size == 0:
            return f"{value // size} {unit}"
    return None


def metric(name: str, value) -> tuple[str, str]:
    """A metric's label and value: takeover_ms, 412 -> takeover, 412 ms."""
    match = re.fullmatch(r"(.+)_(ms|us|bytes|percent|per_s|s)", name)
    label, unit = (match.group(1), match.group(2)) if match else (name, None)
    label = label.replace("_", " ")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return label, "missing" if value is None else str(value)
    if unit == "bytes" and float(value).is_integer() and _binary(int(value)):
        return label, f"{_binary(int(value))} ({grouped(value)} bytes)"
    if unit == "ms" and value >= 10_000:
        return label, f"{value / 1000:.1f} s"
    return label, f"{grouped(value)} {_UNITS[unit]}" if unit else grouped(value)


def duration(value_ms) -> str:
    """Milliseconds for reading: 0.8 ms, 412 ms, 12.3 s, 2 min 5 s."""
    if isinstance(value_ms, bool) or not isinstance(value_ms, (int, float)):
        return "—"
    if value_ms < 10:
        return f"{value_ms:.1f} ms"
    if value_ms < 1000:
        return f"{value_ms:.0f} ms"
    if value_ms < 120_000:
        return f"{value_ms / 1000:.1f} s"
    return f"{int(value_ms // 60_000)} min {int(value_ms % 60_000 // 1000)} s"


def moment(value) -> str:
    """2026-03-01T10:15:00Z -> 2026-03-01 10:15:00 UTC."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)", str(value or ""))
    return f"{match.group(1)} {match.group(2)} UTC" if match else str(value or "missing")


def ticks(text) -> Markup:
    """Escaped text in which `words` between backquotes are code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text or ""))))


def slug(name: str) -> str:
    """A file name for a case or a scenario: nothing that a path or a URL would read."""
    return re.sub(r"[^A-Za-z0-9._@-]", "_", name).lstrip(".") or "_"


def later_verdict(clause, verdict: str, told: str | None = None) -> str:
    """What a verdict by RFC 3720 is by RFC 7143: the same where the clause is the same, and where it was
    broken or kept and RFC 7143 asks for more or less. Else "changed" or "dropped": nothing was judged. What
    the judge told itself goes before all that."""
    if told:
        return "dropped" if told == NOT_REQUIRED else told
    follows = {"more": ("violation", "warning"), "less": ("pass",)}.get(clause.rfc7143_asks, ())
    if clause.rfc7143_fate not in ("changed", "dropped") or verdict in follows:
        return verdict
    return clause.rfc7143_fate


def by_rfc7143(clause, verdict: str, told: str | None = None) -> str:
    """The same for a reader."""
    if clause is None:
        return "—"
    later = later_verdict(clause, verdict, told)
    if later == "dropped":
        return "nothing: the clause is gone"
    if later == "changed":
        return f"to be read anew: {clause.rfc7143_id} asks for something else"
    asks = f", which asks for {clause.rfc7143_asks}" if clause.rfc7143_asks else ""
    return f"{STATES[later][1]}, {clause.rfc7143_id}{asks}"
