"""Merging, clause states, counts and what is uncovered."""

import pytest
from sample import finding, make_run, make_scenario, write_json

from tsih_report import catalogue
from tsih_report.errors import ReportError
from tsih_report.merge import merge, worst
from tsih_report.runs import read_run

EARLY, LATE = "2026-03-01T10:15:00Z", "2026-03-02T10:15:00Z"


@pytest.fixture
def view_of(book, tmp_path):
    """view_of([findings of the first run], [of the second], ...): one merged view, runs a day apart."""
    def view(*runs, **more):
        folders = [make_run(tmp_path / f"run{n}", found, started=f"2026-03-0{n + 1}T10:15:00Z", **more)
                   for n, found in enumerate(runs)]
        return merge([read_run(f) for f in folders], catalogue.load(book))
    return view


def states(view, system="alpha"):
    return {k.removeprefix("R3720-10.13.5-"): v for k, v in view.system(system).states.items()}


def test_a_targets_states_are_exactly_the_clauses_that_bind_it(view_of):
    view = view_of([finding(clause="R3720-10.13.5-05")])
    assert states(view) == {"01": "uncovered", "03": "uncoverable", "05": "pass", "06": "uncovered"}
    assert sum(view.system("alpha").counts.values()) == 4


def test_an_initiators_clause_judged_on_a_target_counts_for_it(view_of):
    assert states(view_of([finding(clause="R3720-10.13.5-02")]))["02"] == "pass"


def test_a_case_that_ran_elsewhere_makes_not_run_and_no_case_makes_uncovered(view_of):
    view = view_of([finding(system="beta")], systems=["alpha", "beta"])
    assert states(view)["05"] == "not_run" and states(view)["06"] == "uncovered"
    assert [c.id[-2:] for c in view.uncovered] == ["01", "02", "06"]


def test_a_case_that_was_not_selected_still_covers_its_clauses(book, tmp_path):
    folder = make_run(tmp_path / "run", [])
    write_json(folder / "cases.json", [{"case": "a.b", "title": "t", "clauses": ["R3720-10.13.5-01"]}])
    view = merge([read_run(folder)], catalogue.load(book))
    assert states(view)["01"] == "not_run" and view.cases_of("R3720-10.13.5-01") == ["a.b"]


def test_the_worst_finding_of_a_clause_is_its_verdict(view_of):
    view = view_of([finding("pass", case="a.b"), finding("violation", case="a.c"), finding("unsupported", case="a.d")])
    assert states(view)["05"] == "violation"
    assert worst(["unsupported", "inconclusive", "pass"]) == "pass"


def test_the_later_run_of_a_case_on_a_system_wins_whole(view_of):
    view = view_of([finding("violation"), finding("violation", "R3720-10.13.5-06"), finding("violation", system="beta")],
                   [finding("pass")], systems=["alpha", "beta"])
    # The later run no longer judged 06, so nothing of the earlier one is left on alpha; beta stays.
    assert states(view)["05"] == "pass" and states(view)["06"] == "uncovered"
    assert states(view, "beta")["05"] == "violation"


def test_the_order_of_the_arguments_does_not_matter(book, tmp_path):
    late = make_run(tmp_path / "a", [finding("pass")], started=LATE)
    early = make_run(tmp_path / "b", [finding("violation")], started=EARLY)
    for folders in ((late, early), (early, late)):
        assert states(merge([read_run(f) for f in folders], catalogue.load(book)))["05"] == "pass"


def test_a_judge_run_replaces_no_scenario_run(book, tmp_path):
    about = {"scenario": "s.t", "clause": "R3720-10.13.5-05"}
    first = make_run(tmp_path / "a", [finding("violation", **about)], what="scenarios", started=EARLY)
    second = make_run(tmp_path / "b", [finding("pass", **about)], what="judge", started=LATE)
    assert len(merge([read_run(first), read_run(second)], catalogue.load(book)).findings) == 2


def test_a_later_scenario_without_findings_replaces_the_earlier_ones(book, tmp_path):
    first = make_run(tmp_path / "a", [finding("violation", scenario="s.t")], what="scenarios", started=EARLY)
    second = make_run(tmp_path / "b", [], what="scenarios", started=LATE)
    for folder, outcome in ((first, "failed"), (second, "passed")):
        make_scenario(folder, "s.t", "alpha", outcome, extra_io=0)
    view = merge([read_run(first), read_run(second)], catalogue.load(book))
    assert view.findings == [] and [s.outcome for s in view.scenarios] == ["passed"]


def test_an_initiators_finding_belongs_to_the_scenario_of_its_target(book, tmp_path):
    folder = make_run(tmp_path / "a", [finding(system="open-iscsi", party="initiator", peer="alpha", scenario="s.t")],
                      what="scenarios")
    make_scenario(folder, "s.t", "alpha", extra_io=0)
    view = merge([read_run(folder)], catalogue.load(book))
    assert len(view.scenarios[0].findings) == 1
    assert view.system("open-iscsi").parties == {"initiator"}


def test_a_clause_outside_the_catalogue_is_told_not_lost(view_of):
    view = view_of([finding("violation", "R3720-6.1-99")])
    assert view.unknown_clauses == ["R3720-6.1-99"] and len(view.findings) == 1


def test_hosts_are_told_once_and_with_their_emulation(book, tmp_path):
    with_guests = make_run(tmp_path / "a", [])
    without = make_run(tmp_path / "b", [], host={"os": "Debian GNU/Linux 12", "kernel": "6.1.0", "cpus": 2, "accel": None})
    view = merge([read_run(with_guests), read_run(without)], catalogue.load(book))
    assert view.hosts == ["Debian GNU/Linux 12, Linux 6.1.0, 2 CPUs, guests under TCG"]


def test_a_run_without_anything_is_a_run(view_of):
    view = view_of([])
    assert view.findings == [] and states(view)["05"] == "uncovered"


@pytest.mark.parametrize("name, content, told", [
    ("run.json", None, "it has no run.json"),
    ("run.json", "{", "not JSON"),
    ("run.json", "[]", "does not say what ran"),
    ("run.json", '{"what": "conformance", "schema": 2}', "this program reads schema 1"),
    ("findings.jsonl", "nonsense\n{}\n", "findings.jsonl:1"),
    ("findings.jsonl", '{"verdict": "fine", "system": "a", "message": "m", "case": "c"}\n', "verdict is 'fine'"),
    ("findings.jsonl", '{"verdict": "pass", "system": "a", "message": "m"}\n', "either a case or a scenario"),
    ("findings.jsonl", '{"verdict": "pass", "case": "c", "message": "m"}\n', "needs system"),
    ("cases.json", "{}", "not a list"),
])
def test_a_broken_folder_is_refused_in_one_line(tmp_path, name, content, told):
    folder = make_run(tmp_path / "run", [])
    (folder / name).unlink(missing_ok=True)
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(ReportError) as caught:
        read_run(folder)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_last_line_cut_off_is_noted_and_the_rest_counts(tmp_path):
    folder = make_run(tmp_path / "run", [finding()], started=EARLY)
    with (folder / "findings.jsonl").open("a") as out:
        out.write('{"verdict": "viol')
    run = read_run(folder)
    assert len(run.findings) == 1 and any("cut off" in n for n in run.notes)


# Red when a case for targets makes a clause that binds both covered for initiators.
def test_what_is_checked_of_one_party_is_not_of_the_other(book, tmp_path):
    def run(name, clauses, **info):
        folder = make_run(tmp_path / name, [], **info)
        write_json(folder / "cases.json", [{"case": f"{name}.case", "title": "", "clauses": clauses}])
        return read_run(folder)
    both = merge([run("a", ["R3720-10.13.5-05"]), run("b", ["R3720-10.13.5-06"], systems=["beta"], initiator="x")],
                 catalogue.load(book))
    assert (states(both)["05"], states(both)["06"]) == ("not_run", "uncovered")
    assert (states(both, "beta")["05"], states(both, "beta")["06"]) == ("uncovered", "not_run")
    assert {c.id[-2:] for c in both.uncovered} == {"01", "02"}


# Red when a rule of the judge on one party makes a clause that binds both covered for the other.
def test_a_rule_checks_the_party_that_it_looks_at(book, tmp_path):
    folder = make_run(tmp_path / "a", [finding(party="initiator", system="beta", clause="R3720-10.13.5-02")])
    write_json(folder / "cases.json", [
        {"case": "judge.x", "title": "", "party": "initiator", "clauses": ["R3720-10.13.5-05"]}])
    view = merge([read_run(folder)], catalogue.load(book))
    assert (states(view)["05"], states(view, "beta")["05"]) == ("uncovered", "not_run")


# Red when a run's initiator is counted against the clauses of targets.
def test_who_was_judged_as_what(view_of):
    found = [finding(clause="R3720-10.13.5-02", party="initiator")]
    assert view_of(found, initiator="iscsi-inq").system("alpha").parties == {"initiator"}
    assert view_of(found, what="judge").system("alpha").parties == {"initiator"}
    assert view_of(found).system("alpha").parties == {"initiator", "target"}


# Red when whoever stands in a scenario run as its system is counted as a target.
def test_a_scenario_judges_the_party_that_its_findings_name(book, tmp_path):
    about = {"scenario": "initiators.conformance", "system": "beta", "party": "initiator"}
    folder = make_run(tmp_path / "run", [finding(clause="R3720-10.13.5-02", **about)], what="scenarios",
                      systems=["alpha", "beta"])
    make_scenario(folder, "initiators.conformance", "beta", extra_io=1)
    make_scenario(folder, "login.chap", "alpha", extra_io=1)  # it broke off before it found anything
    view = merge([read_run(folder)], catalogue.load(book))
    assert (view.system("beta").parties, view.system("alpha").parties) == ({"initiator"}, {"target"})
    assert view.system("beta").scenarios["passed"] == 1 and "03" not in states(view, "beta")
