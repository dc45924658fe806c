"""report.json: everything the pages show, for programs."""

import json
from pathlib import Path

from .merge import STATES, View
from .runs import Finding


def _finding(finding: Finding, run_names: dict[int, str]) -> dict:
    result = {"clause": finding.clause, "property": finding.property_name, "verdict": finding.verdict,
              "party": finding.party, "system": finding.system, "case": finding.case,
              "scenario": finding.scenario, "peer": finding.peer, "message": finding.message,
              "evidence": finding.evidence, "seed": finding.seed, "duration_ms": finding.duration_ms,
              "run": run_names[id(finding.run)],
              "expected": finding.ruling.reason if finding.ruling else None}
    return {k: v for k, v in result.items() if v is not None}


def _clause(clause, view: View) -> dict:
    return {"id": clause.id, "level": clause.level, "party": clause.party, "check": clause.check,
            "summary": clause.summary, "covered": clause.id in view.covered,
            "cases": view.cases_of(clause.id),
            "verdicts": {s.name: s.states[clause.id] for s in view.systems if clause.id in s.states}}


def write(view: View, run_names: dict[int, str], path: Path) -> None:
    """schema 1. Keys are only ever added under one schema."""
    report = {
        "schema": 1,
        "runs": [{"run": run_names[id(r)], **r.info} for r in view.runs],
        "systems": {s.name: {"parties": sorted(s.parties),
                             "clauses": {state: s.counts.get(state, 0) for state in STATES},
                             "scenarios": dict(s.scenarios)} for s in view.systems},
        "scenarios": [{"scenario": s.name, "system": s.system, "outcome": s.outcome,
                       "expected_disaster": bool(s.info.get("expected_disaster")),
                       "reason": s.info.get("reason"), "duration_ms": s.info.get("duration_ms"),
                       "metrics": s.metrics, "run": run_names[id(s.run)]} for s in view.scenarios],
        "clauses": [_clause(c, view) for c in view.catalogue.clauses.values()],
        "uncovered": [c.id for c in view.uncovered],
        "unknown_clauses": view.unknown_clauses,
        "findings": [_finding(f, run_names) for f in view.findings],
        "notes": view.notes,
        "mutation": {"killed": view.mutation.killed, "tried": view.mutation.tried,
                     "clauses_broken": view.mutation.broken, "clauses": view.mutation.clauses,
                     "survived": view.mutation.survived, "unbroken": view.mutation.unbroken}
        if view.mutation else None,
        "surprises": view.surprises,
    }
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
