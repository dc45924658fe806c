"""`tsih clauses`: the clause catalogue on the terminal, and what of it is not covered."""

import argparse
import json
import sys
from pathlib import Path

from . import catalogue
from .errors import ReportError
from .merge import merge
from .runs import Run, read_run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tsih clauses", description="The clauses of RFC 3720, and which of them have a case.",
        epilog="What is covered is derived from run folders: name some with --runs, or have them in build/runs or build/report-runs.")
    parser.add_argument("--section", metavar="N", help="only this section and what is below it, e.g. 10.13")
    parser.add_argument("--level", help="only this level, e.g. 'MUST NOT'")
    parser.add_argument("--party", choices=("target", "initiator"), help="only what binds this party")
    parser.add_argument("--uncovered", action="store_true", help="only clauses that no case checks")
    parser.add_argument("--runs", metavar="RUN", nargs="*", type=Path,
                        help="run folders to derive the coverage from (default: all below build/)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--catalogue", metavar="DIR", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("id", nargs="*", help="only these clauses, with all that is known of them")
    return parser


def _runs(args) -> list[Run]:
    """The named run folders; or all of the checkout's that can be read, saying which cannot."""
    if args.runs is not None:
        return [read_run(folder) for folder in args.runs]
    build = Path(__file__).resolve().parents[2] / "build"
    runs = []
    for path in sorted(p for base in ("runs", "report-runs") for p in build.glob(f"{base}/*/run.json")):
        try:
            runs.append(read_run(path.parent))
        except ReportError as error:
            print(f"tsih clauses: left out: {error}", file=sys.stderr)
    return runs


def _selected(args, book, view) -> list[catalogue.Clause]:
    for wanted in args.id:
        if wanted not in book.clauses:
            raise ReportError(f"{wanted}: no such clause in the catalogue")
    if args.section and not any(_below(c.section, args.section) for c in book.clauses.values()):
        raise ReportError(f"section {args.section}: the catalogue has no clause of it")
    if args.level and args.level not in catalogue.LEVELS:
        raise ReportError(f"level {args.level!r}: expected one of {', '.join(catalogue.LEVELS)}")
    covered = _covered(args, view)
    return [c for c in book.clauses.values()
            if (not args.id or c.id in args.id)
            and (not args.section or _below(c.section, args.section))
            and (not args.level or c.level == args.level)
            and (not args.party or c.binds(args.party))
            and (not args.uncovered or _coverable(args, c) and c.id not in covered)]


def _coverable(args, clause: catalogue.Clause) -> bool:
    return clause.coverable_for(args.party) if args.party else clause.coverable


def _covered(args, view) -> set[str]:
    """With --party what is checked of it: a case for targets says nothing about initiators."""
    return view.covered_for[args.party] if args.party else view.covered


def _below(section: str, wanted: str) -> bool:
    return section == wanted or section.startswith(wanted + ".")


def _state(coverable: bool, clause, view, covered) -> str:
    if not coverable:
        return "not testable"
    if clause.id not in covered:
        return "uncovered"
    cases = view.cases_of(clause.id)
    return f"{len(cases)} case{'s' if len(cases) != 1 else ''}" if cases else "uncovered"


def _print_long(clause, view) -> None:
    print(f"{clause.id}  {clause.level}, binds {clause.party}, check {clause.check}")
    print(f"  {clause.summary}")
    for label, value in (("note", clause.note), ("not testable", clause.reason),
                         *((f"not testable of {party}s", reason) for party, reason in clause.not_testable.items()),
                         ("UNH-IOL", ", ".join(clause.unh)),
                         ("RFC 7143", " ".join(filter(None, (clause.rfc7143_fate, clause.rfc7143_id)))),
                         ("cases", ", ".join(view.cases_of(clause.id)))):
        if value:
            print(f"  {label}: {value}")


def _as_json(clause, view) -> str:
    return json.dumps({
        "id": clause.id, "level": clause.level, "party": clause.party, "summary": clause.summary,
        "check": clause.check, "reason": clause.reason, "not_testable": clause.not_testable, "note": clause.note, "unh": clause.unh,
        "rfc7143": {"fate": clause.rfc7143_fate, "id": clause.rfc7143_id},
        "cases": view.cases_of(clause.id)}, ensure_ascii=False)


def run(argv: list[str]) -> int:
    args = _parser().parse_args(argv)
    book = catalogue.load(args.catalogue or catalogue.default_folder())
    runs = _runs(args)
    view = merge(runs, book)
    clauses = _selected(args, book, view)
    for clause in clauses:
        if args.json:
            print(_as_json(clause, view))
        elif args.id:
            _print_long(clause, view)
        else:
            print(f"{clause.id:<18} {clause.level:<10} {clause.party:<9} {_state(_coverable(args, clause), clause, view, _covered(args, view)):<12} {clause.summary}")
    if not args.json and not args.id:
        tested = [c for c in clauses if _coverable(args, c)]
        covered = [c for c in tested if c.id in _covered(args, view)]
        print(f"{len(clauses)} clauses, {len(tested)} testable, {len(covered)} covered"
              f" (by {len(runs)} run folder{'s' if len(runs) != 1 else ''})")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Exit status 0, or 2 with one line on standard error."""
    try:
        return run(sys.argv[1:] if argv is None else argv)
    except ReportError as error:
        print(f"tsih clauses: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0
