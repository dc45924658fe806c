"""Names of scenarios: how they are made, chosen, and nearly hit."""

from __future__ import annotations

import difflib
import fnmatch


def scenario_name(subject: str, function: str, variant: str) -> str:
    """`split_brain` + `test_paused` + `fence` -> `split_brain.paused.fence`."""
    parts = [subject, function.removeprefix("test_"), variant]
    return ".".join(part for part in parts if part)


def is_chosen(name: str, patterns: list[str]) -> bool:
    """A pattern is a glob over whole names, or a name's beginning up to a dot.

    No patterns choose everything.
    """
    if not patterns:
        return True
    return any(
        name == p or name.startswith(p.rstrip("/.") + ".") or fnmatch.fnmatchcase(name, p)
        for p in patterns
    )


def near_misses(wrong: str, known: list[str], limit: int = 3) -> list[str]:
    """Names that were perhaps meant, best first."""
    words = sorted(set(known))
    found = difflib.get_close_matches(wrong, words, n=limit, cutoff=0.5)
    if len(found) < limit and len(wrong) >= 3:
        found += [w for w in words if wrong in w and w not in found]
    return found[:limit]


def did_you_mean(wrong: str, known: list[str]) -> str:
    """` (did you mean a, b?)`, or nothing."""
    found = near_misses(wrong, known)
    return f" (did you mean {', '.join(found)}?)" if found else ""
