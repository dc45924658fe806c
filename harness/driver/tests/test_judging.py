"""Red when: what the judge says is lost or lands on the wrong party, or a judge that fails takes the
scenario with it."""

import contextlib
import json
from types import SimpleNamespace

import pytest

from tsih import judging, paths
from tsih.recording import ScenarioRecorder
from tsih.runfolder import RunFolder
from tsih.story import Story


@pytest.fixture
def story(tmp_path):
    run = RunFolder(tmp_path / "run", what="scenarios", title="t", command="c")
    return Story(run, run.scenario("login.x", "tsihd"), "tsihd")


def install_judge(monkeypatch, tmp_path, script):
    """This shell script takes the place of the judge."""
    program = tmp_path / "bin" / "tsih-judge"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + script, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(paths, "bin_dir", lambda: program.parent)


def judge_with(monkeypatch, tmp_path, story, script):
    install_judge(monkeypatch, tmp_path, script)
    capture = story.folder.path / "capture.pcapng"
    capture.write_bytes(b"x")
    judge_with.broken = judging.judge_capture(story, capture)
    file = story.run.path / "findings.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_findings_of_both_parties(monkeypatch, tmp_path, story):
    lines = [
        {"clause": "R3720-10-01", "verdict": "violation", "party": "initiator",
         "system": "open-iscsi", "peer": "tsihd", "message": "m",
         "evidence": {"file": "/elsewhere/capture.pcapng", "frame": 7}},
        {"clause": "R3720-10.8.5-01", "verdict": "pass", "party": "target", "system": "tsihd",
         "peer": "open-iscsi", "message": "kept 3 times"},
    ]
    script = "".join(f"echo '{json.dumps(line)}'\n" for line in lines) + "exit 1\n"
    found = judge_with(monkeypatch, tmp_path, story, script)
    assert [(f["verdict"], f["party"], f["system"], f["scenario"]) for f in found] == [
        ("violation", "initiator", "open-iscsi", "login.x"), ("pass", "target", "tsihd", "login.x")]
    assert judge_with.broken == []  # a peer may be as it is
    assert found[0]["evidence"] == {"file": "scenarios/login.x@tsihd/capture.pcapng", "frame": 7}


def test_a_judge_that_fails_is_told_and_raises_nothing(monkeypatch, tmp_path, story):
    assert judge_with(monkeypatch, tmp_path, story, "echo no json; exit 9\n") == []
    assert "not judged" in (story.folder.path / "steps.jsonl").read_text()


VIOLATION = {"clause": "R3720-10-01", "verdict": "violation", "party": "target", "system": "tsihd",
             "peer": "open-iscsi", "message": "expected 0, got 1"}


def script_of(finding):
    return f"echo '{json.dumps(finding)}'\nexit 1\n"


def test_only_violations_of_our_target_are_returned(monkeypatch, tmp_path, story):
    judge_with(monkeypatch, tmp_path, story, script_of(VIOLATION))
    assert judge_with.broken == ["R3720-10-01: expected 0, got 1"]


@pytest.mark.parametrize("other", [{"system": "lio"}, {"verdict": "warning"}, {"party": "initiator"}])
def test_what_others_break_is_a_finding_only(monkeypatch, tmp_path, story, other):
    judge_with(monkeypatch, tmp_path, story, script_of({**VIOLATION, **other}))
    assert judge_with.broken == []


class CapturingLab:
    """As much of a lab as a recorder needs."""

    guests = everyone = ()
    story = None

    @contextlib.contextmanager
    def capture(self, path):
        path.write_bytes(b"frames")
        yield SimpleNamespace(so_far=lambda: path, take_off=lambda to: to.write_bytes(b"a round"))


def recorder_with(monkeypatch, tmp_path, script):
    """A recorder of a scenario whose captures are judged by this script; the scenario's folder."""
    install_judge(monkeypatch, tmp_path, script)
    run = RunFolder(tmp_path / "run", what="scenarios", title="t", command="c")
    return ScenarioRecorder(run, CapturingLab(), "login.x", "tsihd", doc="A title", variant="",
                            test="t", tell=lambda line: None,
                            expected_disaster=False), run.path / "scenarios" / "login.x@tsihd"


PASSED = SimpleNamespace(failed=False, skipped=False, outcome="passed")


@pytest.mark.parametrize("script, outcome", [(script_of(VIOLATION), "failed"), ("exit 0\n", "passed")])
def test_a_scenario_fails_when_our_target_breaks_a_clause(monkeypatch, tmp_path, script, outcome):
    recorder, folder = recorder_with(monkeypatch, tmp_path, script)
    expected = pytest.raises(judging.BrokeTheRfc) if outcome == "failed" else contextlib.nullcontext()
    with expected, recorder.recording():
        recorder.outcome_of(PASSED)
    assert json.loads((folder / "scenario.json").read_text())["outcome"] == outcome


def only_of_rounds(finding):
    """A judge that finds this in a round's capture, and nothing in the last one's."""
    return f"case $1 in */round.pcapng) {script_of(finding)} ;; esac\n"


def test_a_round_in_which_our_target_broke_nothing_leaves_nothing(monkeypatch, tmp_path):
    recorder, folder = recorder_with(monkeypatch, tmp_path,
                                     only_of_rounds({**VIOLATION, "system": "lio"}))
    with recorder.recording():
        recorder.story.end_round()
        assert not (folder / "round.pcapng").exists()
        recorder.outcome_of(PASSED)
    assert json.loads((folder / "scenario.json").read_text())["outcome"] == "passed"
    assert not (tmp_path / "run" / "findings.jsonl").exists()


def test_a_round_in_which_our_target_broke_something_ends_the_scenario(monkeypatch, tmp_path):
    recorder, folder = recorder_with(monkeypatch, tmp_path, only_of_rounds(VIOLATION))
    with pytest.raises(judging.BrokeTheRfc), recorder.recording():
        recorder.story.end_round()
    assert (folder / "round.pcapng").read_bytes() == b"a round"
    (found,) = [json.loads(line)
                for line in (tmp_path / "run" / "findings.jsonl").read_text().splitlines()]
    assert found["verdict"] == "violation"
