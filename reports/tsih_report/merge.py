"""Several runs become one view: later runs win, clauses get a verdict on every system."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from . import rulings, words
from .catalogue import Catalogue, Clause, Section
from .mutation import Mutation, latest
from .runs import VERDICTS, Finding, Run, Scenario

# A clause's state on a system: a verdict, or one of these three.
NOT_RUN, UNCOVERED, UNCOVERABLE = "not_run", "uncovered", "uncoverable"
STATES = VERDICTS + (NOT_RUN, UNCOVERED, UNCOVERABLE)


@dataclass
class Case:
    """An active case with its findings on every target system."""

    name: str
    title: str = ""
    clauses: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    findings: dict[str, list[Finding]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class System:
    """A judged system: the parties it was judged as, and its clauses by state."""

    name: str
    parties: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)  # clause id -> state
    later: Counter = field(default_factory=Counter)  # by RFC 7143: verdict, "changed" or "dropped" -> number
    scenarios: Counter = field(default_factory=Counter)  # outcome -> number
    versions: set[str] = field(default_factory=set)

    @property
    def counts(self) -> Counter:
        return Counter(self.states.values())

    @property
    def judged(self) -> int:
        """How many clauses have a verdict."""
        return sum(1 for state in self.states.values() if state in VERDICTS)


@dataclass
class View:
    """All that a report shows."""

    catalogue: Catalogue
    runs: list[Run]
    findings: list[Finding]
    scenarios: list[Scenario]
    cases: dict[str, Case]
    systems: list[System]
    by_clause: dict[str, dict[str, list[Finding]]]  # clause id -> system -> findings
    covered: set[str]  # clause ids that a case, a scenario or a rule checks
    covered_for: dict[str, set[str]]  # the same by whom they check, "target" or "initiator"
    unknown_clauses: list[str]  # judged, but not in the catalogue
    notes: list[str]
    mutation: Mutation | None = None
    surprises: list[str] = field(default_factory=list)  # rulings that did not come true

    def system(self, name: str) -> System | None:
        return next((s for s in self.systems if s.name == name), None)

    @property
    def hosts(self) -> list[str]:
        """Where the runs were made, in words, each host once; whether guests were emulated."""
        told: list[str] = []
        for run in self.runs:
            host = run.info.get("host") or {}
            words = [str(host["os"])] if host.get("os") else []
            words += [f"Linux {host['kernel']}"] if host.get("kernel") else []
            words += [f"{host['cpus']} CPUs"] if host.get("cpus") else []
            words += [f"guests under {host['accel'].upper()}"] if isinstance(host.get("accel"), str) else []
            line = ", ".join(words)
            if line and line not in told:
                told.append(line)
        # A run without guests says less about the same host: its line is the start of another.
        return [t for t in told if not any(o != t and o.startswith(t) for o in told)]

    @property
    def uncovered(self) -> list[Clause]:
        return [c for c in self.catalogue.clauses.values() if c.coverable and c.id not in self.covered]

    def section_counts(self, section: Section, system: System) -> Counter:
        """A system's clauses of one section, by state."""
        return Counter(system.states[c.id] for c in section.clauses if c.id in system.states)

    def cases_of(self, clause_id: str) -> list[str]:
        """Names of the cases and scenarios that check a clause, sorted."""
        names = {f.case or f.scenario for found in self.by_clause.get(clause_id, {}).values()
                 for f in found}
        names |= {c.name for c in self.cases.values() if clause_id in c.clauses}
        return sorted(n for n in names if n)


def worst(verdicts) -> str:
    """The worst of several verdicts, in the order of runs.VERDICTS."""
    return min(verdicts, key=VERDICTS.index)


def _identity(finding: Finding) -> tuple:
    return (finding.run.what, finding.case or "", finding.scenario or "", finding.target_system)


def _latest_findings(runs: list[Run]) -> list[Finding]:
    """Of each case or scenario on each target system the findings of the last run that has any."""
    last: dict[tuple, Run] = {}
    for run in runs:
        for finding in run.findings:
            last[_identity(finding)] = run
        for scenario in run.scenarios:
            last[(run.what, "", scenario.name, scenario.system)] = run
    return [f for run in runs for f in run.findings if last[_identity(f)] is run]


def _latest_scenarios(runs: list[Run]) -> list[Scenario]:
    latest: dict[tuple, Scenario] = {}
    for run in runs:
        for scenario in run.scenarios:
            latest[(scenario.name, scenario.system)] = scenario
    return [latest[key] for key in sorted(latest)]


def _cases(runs: list[Run], findings: list[Finding]) -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for run in runs:
        for raw in run.cases:
            case = cases.setdefault(raw["case"], Case(raw["case"]))
            case.title = str(raw.get("title") or case.title)
            case.clauses = [str(c) for c in raw["clauses"]]
            tags = raw.get("tags")
            case.tags = [str(t) for t in tags] if isinstance(tags, list) else []
    for finding in findings:
        if finding.case:
            case = cases.setdefault(finding.case, Case(finding.case))
            case.findings[finding.target_system].append(finding)
            if finding.clause and finding.clause not in case.clauses:
                case.clauses.append(finding.clause)
    return dict(sorted(cases.items()))


def _covered_for(runs: list[Run], findings: list[Finding]) -> dict[str, set[str]]:
    """What cases and findings check of each party. Cases of `tsih conform` judge targets, those of
    `tsih conform-initiator` initiators; rules of the judge say whom they look at."""
    covered: dict[str, set[str]] = {"target": set(), "initiator": set()}
    judged = {"target": ("target",), "initiator": ("initiator",), "both": ("target", "initiator")}
    for run in runs:
        parties = ("initiator",) if run.info.get("initiator") else ("target",)
        for raw in run.cases:
            for party in judged.get(str(raw.get("party")), parties):
                covered[party].update(str(c) for c in raw["clauses"])
    for finding in findings:
        if finding.clause:
            covered.setdefault(finding.party, set()).add(finding.clause)
    return covered


def _state(clause: Clause, found: list[Finding], covered: set[str], parties: set[str]) -> str:
    if found:
        return worst(f.verdict for f in found)
    if not any(clause.binds(p) and clause.coverable_for(p) for p in parties):
        return UNCOVERABLE
    return NOT_RUN if clause.id in covered else UNCOVERED


def _later(clause: Clause, found: list[Finding]) -> str:
    """A clause's verdict by RFC 7143, or "changed" or "dropped": kept is what nothing else speaks against."""
    order = ("violation", "warning", "error", "changed", "dropped", "pass", "inconclusive", "unsupported")
    return min((words.later_verdict(clause, f.verdict, f.told_later) for f in found), key=order.index)


def _systems(view: View) -> list[System]:
    systems: dict[str, System] = {}

    def get(name: str) -> System:
        return systems.setdefault(name, System(name))

    for run in view.runs:
        for name in (run.info.get("systems") or []) if run.what != "judge" else []:
            system = get(str(name))
            # Runs of scenarios name all that took part: the findings say who is what.
            if run.what != "scenarios":
                system.parties.add("initiator" if run.info.get("initiator") else "target")
    for finding in view.findings:
        get(finding.system).parties.add(finding.party)
    for scenario in view.scenarios:
        if scenario.system:
            get(scenario.system).scenarios[scenario.outcome] += 1
    for system in systems.values():
        system.parties = system.parties or {"target"}  # a scenario that broke off before it found anything
    for system in systems.values():
        for run in view.runs:
            version = (run.info.get("versions") or {}).get(system.name)
            if version:
                system.versions.add(str(version))
        for clause in view.catalogue.clauses.values():
            found = view.by_clause.get(clause.id, {}).get(system.name, [])
            if found or any(clause.binds(p) for p in system.parties):
                checked = set().union(*(view.covered_for[p] for p in system.parties))
                system.states[clause.id] = _state(clause, found, checked, system.parties)
            if found:
                system.later[_later(clause, found)] += 1
    # Targets first, ours before its peers, the rest by name.
    return sorted(systems.values(),
                  key=lambda s: ("target" not in s.parties, s.name != "tsihd", s.name))


def merge(runs: list[Run], catalogue: Catalogue, known: list[rulings.Ruling] = ()) -> View:
    """Merges runs by the rules of reports/README.md; `known` are the expected failures."""
    runs = sorted(runs, key=lambda r: str(r.info.get("started") or ""))
    findings = _latest_findings(runs)
    by_clause: dict[str, dict[str, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in findings:
        if finding.clause:
            by_clause[finding.clause][finding.system].append(finding)
    cases = _cases(runs, findings)
    scenarios = _latest_scenarios(runs)
    for scenario in scenarios:
        scenario.findings = [f for f in findings if f.scenario == scenario.name
                             and f.target_system == scenario.system]
    covered_for = _covered_for(runs, findings)
    covered = set().union(*covered_for.values())
    unknown = sorted(covered - set(catalogue.clauses))
    notes = [f"{run.name}: {note}" for run in runs for note in run.notes]
    view = View(catalogue, runs, findings, scenarios, cases, [], by_clause, covered, covered_for, unknown, notes)
    view.systems = _systems(view)
    view.mutation = latest(runs)
    view.surprises = rulings.apply(list(known), findings)
    return view
