"""`tsih report`: run folders in, pages out, a few lines on the terminal."""

import argparse
import shutil
import sys
from pathlib import Path

from . import catalogue, junit, jsonout, ladder, rulings
from .errors import ReportError
from .html import Site
from .merge import View, merge
from .runs import read_run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tsih report", description="Turns run folders into index.html, junit.xml and report.json.")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path,
                        help="a run folder, or a folder of run folders; later runs of a case win")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the report goes")
    parser.add_argument("--catalogue", metavar="DIR", type=Path, help="clauses other than the checkout's")
    parser.add_argument("--rulings", metavar="DIR", type=Path, help="expected failures other than the checkout's")
    return parser


def expand(paths: list[Path]) -> list[Path]:
    """A folder that is no run folder but holds some stands for all that it holds."""
    result = []
    for path in paths:
        inner = sorted(p.parent for p in path.glob("*/run.json")) if path.is_dir() else []
        result += inner if inner and not (path / "run.json").is_file() else [path]
    return list(dict.fromkeys(p.resolve() for p in result))


def summary(view: View) -> list[str]:
    """A line for each system, and one for what is not covered."""
    words = (("pass", "passed"), ("violation", "violated"), ("warning", "warned"),
             ("inconclusive", "inconclusive"), ("unsupported", "not offered"), ("error", "harness errors"))
    width = max((len(s.name) for s in view.systems), default=0)
    lines = []
    for system in view.systems:
        counts = system.counts
        parts = [f"{counts[state]} {word}" for state, word in words if counts.get(state)]
        text = f"{system.judged} clauses judged" + (": " + ", ".join(parts) if parts else "")
        if system.scenarios:
            done = ", ".join(f"{n} {outcome}" for outcome, n in sorted(system.scenarios.items()))
            text += f"; scenarios: {done}"
        lines.append(f"{system.name:<{width}}  {text}")
    coverable = [c for c in view.catalogue.clauses.values() if c.coverable]
    lines.append(f"{len(coverable) - len(view.uncovered)} of {len(coverable)} testable clauses covered,"
                 f" {len(view.uncovered)} uncovered, {len(view.catalogue) - len(coverable)} not testable")
    if view.mutation:
        lines.append(view.mutation.words)
    lines += view.surprises
    if view.unknown_clauses:
        lines.append(f"judged but not in the catalogue: {', '.join(view.unknown_clauses)}")
    return lines


def _prepare(out: Path) -> None:
    """Makes the folder, and removes the pages of an earlier report (ours, by its report.json)."""
    out.mkdir(parents=True, exist_ok=True)
    if (out / "report.json").is_file():
        for name in ("scenarios", "cases", "evidence"):
            shutil.rmtree(out / name, ignore_errors=True)


def run(argv: list[str]) -> int:
    args = _parser().parse_args(argv)
    book = catalogue.load(args.catalogue or catalogue.default_folder())
    known = rulings.load(args.rulings or rulings.default_folder())
    view = merge([read_run(folder) for folder in expand(args.runs)], book, known)
    try:
        _prepare(args.out)
        site = Site(view, args.out, ladder.tool())
        site.write()
        junit.write(view, args.out / "junit.xml")
        jsonout.write(view, site.run_names, args.out / "report.json")
    except OSError as error:
        raise ReportError(f"{error.filename or args.out}: {error.strerror}") from None
    print("\n".join(summary(view)))
    print(f"report: {args.out / 'index.html'}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Exit status 0, or 2 with one line on standard error. Verdicts do not change it."""
    try:
        return run(sys.argv[1:] if argv is None else argv)
    except ReportError as error:
        print(f"tsih report: {error}", file=sys.stderr)
        return 2
