"""The pages as a reader uses them, in a real browser: from the first page two clicks to the packets of a
verdict. Red when a link leads nowhere, or to a place that is folded away."""

import pytest
from browser import Browser, installed
from sample import finding, ladder_lines, make_run, make_scenario, write_lines

from tsih_report import catalogue
from tsih_report.html import Site
from tsih_report.merge import merge
from tsih_report.rulings import Ruling
from tsih_report.runs import read_run

pytestmark = pytest.mark.skipif(not installed(), reason="chromium is not installed (apt install chromium)")
CLAUSE = "R3720-10.19-02"


@pytest.fixture
def report(tmp_path):
    """One case on two systems, broken by both; only beta's failure is known. A scenario that warns."""
    conform = make_run(tmp_path / "conform", [
        finding("violation", CLAUSE, system, case="nop.sample", evidence={"file": "cases/nop.sample.ladder.jsonl", "line": 3})
        for system in ("alpha", "beta")], systems=("alpha", "beta"))
    write_lines(conform / "cases" / "nop.sample.ladder.jsonl", [{k: v for k, v in line.items() if k != "frame"} for line in ladder_lines(2)])
    story = make_run(tmp_path / "story", [
        finding("warning", "R3720-3.2.5-02", "alpha", scenario="s.sample", evidence={"file": "scenarios/s.sample@alpha/capture.pcapng", "frame": 9})],
        what="scenarios")
    make_scenario(story, "s.sample", "alpha", extra_io=3)
    known = [Ruling("beta", "nop.sample", CLAUSE, "violation", "test data", "The ping is not cut.")]
    view = merge([read_run(conform), read_run(story)], catalogue.load(catalogue.default_folder()), known)
    Site(view, tmp_path / "out", None).write()
    return tmp_path / "out"


@pytest.fixture
def browser(tmp_path):
    with Browser(tmp_path / "profile") as browser:
        yield browser


def test_from_a_number_to_its_clause_to_the_packets(report, browser):
    browser.open(report / "index.html")
    browser.click('.tile a[data-system="alpha"][data-verdict="violation"]')
    cell = f'tr[id="{CLAUSE}"] td[data-label="alpha"] a'
    browser.await_seen("#clauses", cell)
    assert browser.ask("document.getElementById('shown').textContent").startswith("1 of ")
    browser.click(cell)
    browser.await_seen("cases/nop.sample.html#alpha-3", "#alpha-3.marked")


def test_a_failure_that_nobody_knows_is_one_click_from_its_packets(report, browser):
    browser.open(report / "index.html")
    assert "alpha" in browser.ask("document.querySelector('#deviations tr.frow').textContent")
    browser.click("#deviations tr.frow a.evidence")
    browser.await_seen("cases/nop.sample.html#alpha-3", "#alpha-3.marked")


def test_known_failures_are_folded_away_and_unfold_when_asked_for(report, browser):
    browser.open(report / "index.html")
    evidence = "#known-beta tr.frow a.evidence"
    assert not browser.is_seen(evidence)
    browser.click(".tile a[href='#known-beta']")
    browser.await_seen("#known-beta", evidence)
    assert "The ping is not cut." in browser.ask("document.querySelector('#known-beta').textContent")
    browser.click(evidence)
    browser.await_seen("cases/nop.sample.html#beta-3", "#beta-3.marked")
