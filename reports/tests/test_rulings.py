"""Expected failures, and the mutation score. Red when a failure that nobody ruled on is called expected, one
that is gone or different goes unseen, or a score counts what was not tried."""

import json
from dataclasses import replace

import pytest
from sample import finding, make_run, write_lines
from tsih_report import catalogue, merge, mutation, rulings, words
from tsih_report.errors import ReportError
from tsih_report.html import Site
from tsih_report.runs import read_run

RULING = """[[ruling]]
case = "nop.sample"
clause = "R3720-10.19-02"
verdict = "violation"
says = "got 4 bytes"
reason = "The ping is not cut."
"""


def known(tmp_path, text=RULING):
    (tmp_path / "rulings").mkdir(exist_ok=True)
    (tmp_path / "rulings" / "alpha.toml").write_text(text, encoding="utf-8")
    return rulings.load(tmp_path / "rulings")


def view_of(tmp_path, rules, **changes):
    raw = finding("violation", "R3720-10.19-02", case="nop.sample") | {"message": "expected 8, got 4 bytes"}
    run = read_run(make_run(tmp_path / "run", [raw | changes]))
    return merge.merge([run], catalogue.load(catalogue.default_folder()), rules)


def test_a_known_failure_is_expected(tmp_path):
    view = view_of(tmp_path, known(tmp_path))
    assert view.findings[0].ruling.reason == "The ping is not cut."
    assert view.surprises == []


@pytest.mark.parametrize("changes", [{"verdict": "pass"}, {"message": "expected 8, got a close"},
                                     {"verdict": "inconclusive"}])
def test_one_that_passes_or_fails_otherwise_is_shown(tmp_path, changes):
    view = view_of(tmp_path, known(tmp_path), **changes)
    assert view.findings[0].ruling is None
    assert len(view.surprises) == 1 and "nop.sample" in view.surprises[0]


def test_what_comes_sometimes_surprises_nobody_by_not_coming(tmp_path):
    view = view_of(tmp_path, known(tmp_path, RULING + "sometimes = true\n"), verdict="pass")
    assert view.findings[0].ruling is None and view.surprises == []
    with pytest.raises(ReportError, match="sometimes is 'no'"):
        known(tmp_path, RULING + 'sometimes = "no"\n')


def test_what_the_judge_saw_in_a_scenario_has_no_case(tmp_path):
    rules = known(tmp_path, RULING.replace("nop.sample", "judge"))
    assert view_of(tmp_path, rules, case=None, scenario="s.one").findings[0].ruling is rules[0]
    assert view_of(tmp_path, rules).findings[0].ruling is None


def test_what_a_scenario_promises_has_its_name(tmp_path):
    rules = known(tmp_path, RULING.replace('clause = "R3720-10.19-02"', 'property = "one_disk"').replace("nop.", "s."))
    about = {"clause": None, "property": "one_disk", "case": None}
    assert view_of(tmp_path, rules, scenario="s.sample", **about).findings[0].ruling is rules[0]
    assert view_of(tmp_path, rules, scenario="s.other", **about).findings[0].ruling is None
    assert view_of(tmp_path, rules, case=None, scenario="s.sample").findings[0].ruling is None


def test_another_system_or_a_case_that_did_not_run_is_no_surprise(tmp_path):
    view = view_of(tmp_path, known(tmp_path), system="beta")
    assert view.findings[0].ruling is None and view.surprises == []


@pytest.mark.parametrize("text", [RULING.replace("reason", "raison"), RULING.replace("violation", "pass"),
                                  RULING + RULING, RULING.replace("clause", "clauses"), RULING.replace('"The ping is not cut."', '" "'), "[[ruling"])
def test_a_broken_file_stops_with_its_name(tmp_path, text):
    with pytest.raises(ReportError, match="alpha.toml"):
        known(tmp_path, text)


def test_rulings_of_the_checkout_name_clauses_that_exist():
    book = catalogue.load(catalogue.default_folder())
    for ruling in rulings.load(rulings.default_folder()):
        assert ruling.subject in book.clauses or not ruling.subject.startswith("R3720-"), ruling
        assert ruling.system != "tsihd", "tsihd has no expected failures"


def test_mutation_score(tmp_path):
    folder = make_run(tmp_path / "run", [], what="mutants", systems=())
    write_lines(folder / "mutants.jsonl", [
        {"mutant": "a/late", "case": "a", "fate": "killed", "clauses": ["R3720-10-01"], "message": ""},
        {"mutant": "a/twice", "case": "a", "fate": "survived", "clauses": [], "message": ""},
        {"mutant": "a/never", "case": "a", "fate": "not_applicable", "clauses": [], "message": ""},
        {"clause": "R3720-10-01", "broken": True}, {"clause": "R3720-10-02", "broken": False, "excuse": "none"},
        {"judge_clause": "R3720-10.1-01", "rules": ["form.padding_zero"]}])
    score = mutation.latest([read_run(folder)])
    assert (score.killed, score.tried, score.not_applicable) == (1, 2, 1)
    assert (score.broken, score.clauses) == (1, 2)
    assert json.dumps(score.unbroken).count("R3720-10-02") == 1
    assert [c["rules"] for c in score.by_rules] == [["form.padding_zero"]]
    assert mutation.latest([]) is None


@pytest.mark.parametrize("fate, told", [("same", "violated, R7143-10-02"), ("dropped", "the clause is gone"),
                                        ("changed", "asks for something else")])
def test_what_a_finding_is_by_the_later_rfc(fate, told):
    book = catalogue.load(catalogue.default_folder())
    clause = replace(book.clauses["R3720-10-02"], rfc7143_fate=fate, rfc7143_id="R7143-10-02")
    assert told in words.by_rfc7143(clause, "violation")
    assert words.by_rfc7143(None, "violation") == "—"


@pytest.mark.parametrize("asks, verdict, later", [("more", "violation", "violation"), ("more", "pass", "changed"),
                                                  ("less", "pass", "pass"), ("less", "warning", "changed"),
                                                  (None, "pass", "changed")])
def test_a_clause_that_asks_for_more_is_broken_all_the_more(asks, verdict, later):
    clause = replace(catalogue.load(catalogue.default_folder()).clauses["R3720-10-02"],
                     rfc7143_fate="changed", rfc7143_asks=asks)
    assert words.later_verdict(clause, verdict) == later


def test_the_first_page_tells_whether_all_is_ruled_on(tmp_path):
    for known_failure, told in ((True, "Nothing new: each of the 1 violations and warnings is known"),
                                (False, "<b>1 of 1</b> findings of violations and warnings have no ruling")):
        view = view_of(tmp_path / str(known_failure), known(tmp_path) if known_failure else [])
        Site(view, tmp_path / "out", None).write()
        assert told in (tmp_path / "out" / "index.html").read_text()
        shown = "<b>Expected.</b> The ping is not cut." in (tmp_path / "out" / "cases" / "nop.sample.html").read_text()
        assert shown is known_failure


def test_what_the_judge_tells_of_the_later_rfc_goes_first(tmp_path):
    clause = catalogue.load(catalogue.default_folder()).clauses["R3720-10.19-02"]
    view = view_of(tmp_path, [], rfc7143={"fate": "dropped", "verdict": "not_required"})
    assert view.systems[0].later == {"dropped": 1}
    Site(view, tmp_path / "out", None).write()
    told = "<b>By RFC 7143:</b> nothing: the clause is gone"
    assert told in (tmp_path / "out" / "cases" / "nop.sample.html").read_text()
    assert words.by_rfc7143(clause, "violation", view.findings[0].told_later) == "nothing: the clause is gone"
    with pytest.raises(ReportError, match="rfc7143.verdict is 'maybe'"):
        view_of(tmp_path, [], rfc7143={"fate": "changed", "verdict": "maybe"})
