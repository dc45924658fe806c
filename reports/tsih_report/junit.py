"""junit.xml: a suite for each system and kind of run, a test case for each case and scenario."""

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from .merge import View, worst
from .runs import Finding

# What XML 1.0 cannot carry, not even escaped.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _seconds(value_ms) -> str:
    return f"{(value_ms or 0) / 1000:.3f}" if isinstance(value_ms, (int, float)) else "0.000"


def _lines(findings: list[Finding]) -> str:
    return "\n".join(f"{f.verdict} {f.subject or '(no clause)'} {f.system}: {f.message}" for f in findings)


def _test(suite: dict, classname: str, name: str, time: str, result: str | None, message: str, text: str):
    suite["tests"].append((classname, name, time, result, message, text))


def _add_cases(view: View, suites: dict) -> None:
    for case in view.cases.values():
        for system, found in case.findings.items():
            verdict = worst(f.verdict for f in found)
            result = {"violation": "failure", "error": "error", "unsupported": "skipped",
                      "inconclusive": "skipped"}.get(verdict)
            shown = [f for f in found if f.verdict == verdict]
            time = max((f.duration_ms for f in found if isinstance(f.duration_ms, (int, float))), default=0)
            _test(suites[f"conformance.{system}"], case.name.rpartition(".")[0] or case.name, case.name,
                  _seconds(time), result, shown[0].message, _lines(found))


def _add_scenarios(view: View, suites: dict) -> None:
    for scenario in view.scenarios:
        result = {"failed": "failure", "error": "error", "skipped": "skipped"}.get(scenario.outcome)
        _test(suites[f"scenarios.{scenario.system}"], scenario.name.partition(".")[0], scenario.name,
              _seconds(scenario.info.get("duration_ms")), result,
              str(scenario.info.get("reason") or scenario.outcome), _lines(scenario.findings))


def write(view: View, path: Path) -> None:
    """A warning is a passed test whose output carries the warning: JUnit has no word for it."""
    suites: dict[str, dict] = defaultdict(lambda: {"tests": []})
    _add_cases(view, suites)
    _add_scenarios(view, suites)
    root = ElementTree.Element("testsuites", name="tsih")
    for name in sorted(suites):
        tests = suites[name]["tests"]
        count = {r: str(sum(t[3] == r for t in tests)) for r in ("failure", "error", "skipped")}
        suite = ElementTree.SubElement(
            root, "testsuite", name=_clean(name), tests=str(len(tests)), failures=count["failure"],
            errors=count["error"], skipped=count["skipped"],
            time=f"{sum(float(t[2]) for t in tests):.3f}")
        for classname, test, time, result, message, text in tests:
            element = ElementTree.SubElement(suite, "testcase", classname=_clean(f"{name}.{classname}"),
                                             name=_clean(test), time=time)
            if result:
                child = ElementTree.SubElement(element, result, message=_clean(message))
                child.text = _clean(text)
            elif text:
                ElementTree.SubElement(element, "system-out").text = _clean(text)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
