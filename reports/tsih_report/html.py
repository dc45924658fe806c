"""The HTML pages: one index, a page for each scenario and for each case. No network, no timestamps
of its own: the same run folders give the same bytes."""

import shutil
from pathlib import Path

import jinja2

from . import ladder, timeline, words
from .merge import STATES, View, worst
from .runs import VERDICTS, Finding, Run, Scenario, evidence_path

MAX_COPY_BYTES = 32 << 20
LOG_LINES = 300
SHOWN_PASSES = 3
_HERE = Path(__file__).resolve().parent
_DEVIATIONS = ("violation", "warning", "error", "inconclusive")


class Site:
    """Writes the pages of one report into one folder."""

    def __init__(self, view: View, out: Path, ladder_tool: Path | None):
        self.view = view
        self.out = out
        self.ladder_tool = ladder_tool
        self.run_names = _run_names(view.runs)
        loader = jinja2.FileSystemLoader(_HERE / "templates")
        self.env = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True,
                                      lstrip_blocks=True, undefined=jinja2.ChainableUndefined)
        self.env.globals.update(
            css=(_HERE / "static" / "style.css").read_text(encoding="utf-8"),
            js=(_HERE / "static" / "filter.js").read_text(encoding="utf-8"),
            view=view, words=words, states=STATES, kind_names=ladder.KIND_NAMES,
            worst=lambda found: worst(f.verdict for f in found), evidence=self.evidence,
            proof=self.proof, telling=telling,
            scenario_page=scenario_page, case_page=case_page, scenario_of=self.scenario_of, run_name=lambda r: self.run_names[id(r)])
        self.env.filters.update(duration=words.duration, moment=words.moment, grouped=words.grouped,
                                slug=words.slug, ticks=words.ticks)

    def write(self) -> None:
        (self.out / "scenarios").mkdir(parents=True, exist_ok=True)
        (self.out / "cases").mkdir(exist_ok=True)
        self._page("index.html", "index.html.j2", deviations=self._deviations())
        for scenario in self.view.scenarios:
            self._page(scenario_page(scenario), "scenario.html.j2", **self._scenario(scenario))
        for case in self.view.cases.values():
            if case.findings:
                self._page(case_page(case.name), "case.html.j2", **self._case(case))

    def _page(self, name: str, template: str, **values) -> None:
        root = "../" * name.count("/")
        text = self.env.get_template(template).render(root=root, **values)
        (self.out / name).write_text(text, encoding="utf-8")

    def _deviations(self) -> list[Finding]:
        found = [f for f in self.view.findings if f.verdict in _DEVIATIONS]
        return sorted(found, key=lambda f: (VERDICTS.index(f.verdict), f.ruling is not None,
                                            self._system_order(f.system), f.subject,
                                            f.case or f.scenario))

    def _scenario(self, scenario: Scenario) -> dict:
        prefix = scenario.folder.relative_to(scenario.run.folder).as_posix() + "/"
        frames = {f.evidence["frame"] for f in scenario.findings
                  if f.evidence and isinstance(f.evidence.get("frame"), int)}
        lines, notes = ladder.decode_capture(scenario.folder / "capture.pcapng", self.ladder_tool)
        guests = [g for g in scenario.info.get("guests") or [] if isinstance(g, dict)]
        logs = [_log(p) for p in sorted(scenario.folder.glob("*.log"))]
        files = [self._copy(scenario.run, prefix + p.name) for p in sorted(scenario.folder.iterdir())
                 if p.suffix in (".pcapng", ".log")]
        return {"scenario": scenario, "guests": guests, "logs": logs, "files": [f for f in files if f],
                "timeline": timeline.build(scenario.steps, scenario.info.get("duration_ms")),
                "ladder": ladder.build(lines, notes, guests, frames)}

    def _case(self, case) -> dict:
        systems = []
        for system in sorted(case.findings, key=self._system_order):
            found = case.findings[system]
            lines, notes, marked = [], [], set()
            path = found[0].run.folder / "cases" / f"{case.name}.ladder.jsonl"
            for finding in found:
                named = evidence_path(finding.run, (finding.evidence or {}).get("file"))
                if named and named.name.endswith(".ladder.jsonl"):
                    path = named
                    if isinstance(finding.evidence.get("line"), int):
                        marked.add(finding.evidence["line"])
            if path.is_file() and path.resolve().is_relative_to(found[0].run.folder.resolve()):
                lines, notes = ladder.read_lines(path)
            else:
                notes = ["no conversation was recorded for this case"]
            systems.append({"system": system, "findings": found,
                            "ladder": ladder.build(lines, notes, [], set(), marked)})
        return {"case": case, "systems": systems}

    def _system_order(self, name: str) -> int:
        return next((n for n, s in enumerate(self.view.systems) if s.name == name), len(self.view.systems))

    def evidence(self, finding: Finding) -> dict | None:
        """Where a finding's evidence is shown: {"text", "href"}; href is None when there is no page."""
        named = finding.evidence
        if not named or not isinstance(named.get("file"), str):
            return None
        where = Path(named["file"]).name
        if isinstance(named.get("frame"), int):
            where = f"frame {named['frame']}"
        elif isinstance(named.get("line"), int):
            where = f"line {named['line']}" if where.endswith(".ladder.jsonl") else f"{where}:{named['line']}"
        href = None
        if finding.case:
            href = case_page(finding.case)
            if named["file"].endswith(".ladder.jsonl") and isinstance(named.get("line"), int):
                href += f"#{words.slug(finding.target_system)}-{named['line']}"
        elif finding.scenario:
            scenario = self.scenario_of(finding)
            if scenario:
                href = scenario_page(scenario)
                if isinstance(named.get("frame"), int):
                    href += f"#frame-{named['frame']}"
        return {"text": where, "href": href}

    def proof(self, found: list[Finding], verdict: str) -> str | None:
        """The page, and the place on it, that shows how a clause came to this verdict."""
        shown = [self.evidence(f) for f in found if f.verdict == verdict]
        return next((e["href"] for e in shown if e and e["href"]), None)

    def scenario_of(self, finding: Finding) -> Scenario | None:
        """The scenario that a finding belongs to, if its folder is there."""
        return next((s for s in self.view.scenarios if s.name == finding.scenario
                     and s.system == finding.target_system), None)

    def _copy(self, run: Run, name: str) -> dict | None:
        source = evidence_path(run, name)
        if source is None:
            return None
        size = source.stat().st_size
        if size > MAX_COPY_BYTES:
            return {"name": source.name, "size": size, "href": None}
        target = Path("evidence") / self.run_names[id(run)] / name
        (self.out / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, self.out / target)
        return {"name": source.name, "size": size, "href": target.as_posix()}


def telling(found: list[Finding]) -> list[Finding]:
    """What a clause's row shows of one system: all that is not a pass, and the first few passes."""
    passes = [f for f in found if f.verdict == "pass"]
    return [f for f in found if f.verdict != "pass"] + passes[:SHOWN_PASSES]


def _run_names(runs: list[Run]) -> dict[int, str]:
    """A folder name for each run in the report, unique even if two runs have the same name."""
    names: dict[int, str] = {}
    for run in runs:
        name, n = words.slug(run.name), 2
        while name in names.values():
            name, n = f"{words.slug(run.name)}-{n}", n + 1
        names[id(run)] = name
    return names


def _log(path: Path) -> dict:
    """The last lines of a log, and how many there were."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - (1 << 20)))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return {"name": path.name, "size": size, "cut": size > (1 << 20) or len(lines) > LOG_LINES,
            "text": "\n".join(lines[-LOG_LINES:]), "lines": min(len(lines), LOG_LINES)}


def scenario_page(scenario: Scenario) -> str:
    return f"scenarios/{words.slug(scenario.name)}@{words.slug(scenario.system)}.html"


def case_page(name: str) -> str:
    return f"cases/{words.slug(name)}.html"
