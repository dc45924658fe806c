"""What a run leaves behind, against RUN_FOLDER.md."""

import json

import pytest

from tsih.runfolder import RunFolder, check_finding
from tsih.story import OUTPUT_TAIL_CHARS, Story


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "runs", what="scenarios", title="t", command="tsih run x")


@pytest.fixture
def story(run):
    times = iter(range(1000))
    return Story(run, run.scenario("resize.grow", "tsihd"), "tsihd", clock=lambda: next(times))


def test_a_run_cut_short_is_a_readable_run(run):
    record = json.loads((run.path / "run.json").read_text())
    assert record["schema"] == 1
    assert (record["ended"], record["exit_status"]) == (None, None)
    assert record["command"] == "tsih run x"


def test_two_runs_of_one_second_have_two_folders(tmp_path):
    made = {RunFolder.create(tmp_path, what="w", title="t", command="c").path for _ in range(3)}
    assert len(made) == 3


def test_the_end_says_when_and_how(run):
    run.set_accel("tcg")
    run.add_versions({"lio": "6.1"})
    run.add_system("lio")
    run.add_system("lio")
    run.end(1)
    record = json.loads((run.path / "run.json").read_text())
    assert record["exit_status"] == 1 and record["ended"].endswith("Z")
    assert record["host"]["accel"] == "tcg"
    assert (record["versions"], record["systems"]) == ({"lio": "6.1"}, ["lio"])


def test_a_finding_names_its_scenario_and_its_evidence_from_the_run(story, run):
    story.finding(verdict="violation", clause="R3720-12.1-01", message="expected a, got b",
                  evidence={"file": "capture.pcapng", "frame": 7})
    (found,) = lines(run.path / "findings.jsonl")
    assert found["scenario"] == "resize.grow" and found["system"] == "tsihd"
    assert found["evidence"] == {"file": "scenarios/resize.grow@tsihd/capture.pcapng", "frame": 7}
    assert story.violated
    assert lines(story.folder.path / "steps.jsonl")[-1]["kind"] == "finding"


def test_a_judgement_of_the_initiator_names_the_target_as_its_peer(story, run):
    story.finding(verdict="pass", message="m", party="initiator", system="open-iscsi")
    (found,) = lines(run.path / "findings.jsonl")
    assert (found["system"], found["peer"]) == ("open-iscsi", "tsihd")


def test_a_finding_takes_a_guests_words_of_several_lines(story, run):
    story.finding(verdict="violation", message="expected data, got dd: 1 record\nverify: bad\n")
    (found,) = lines(run.path / "findings.jsonl")
    assert found["message"] == "expected data, got dd: 1 record verify: bad"


def test_judge_fails_the_scenario_but_not_a_control(story, run):
    with pytest.raises(AssertionError, match="expected a, got b"):
        story.judge(False, passed="a", failed="expected a, got b")
    story.expected_disaster = True
    story.judge(False, passed="a", failed="expected a, got c")
    assert [f["verdict"] for f in lines(run.path / "findings.jsonl")] == ["violation", "violation"]


def test_steps_reach_the_disk_in_order_with_times(story):
    story.step("first")
    story.command("one", "true", started_ms=0, exit_status=0, output="x" * 9999, ok=True)
    with story.fault("one: cut", "one"):
        pass
    steps = lines(story.folder.path / "steps.jsonl")
    assert [s["kind"] for s in steps] == ["step", "command", "fault"]
    assert len(steps[1]["output"]) == OUTPUT_TAIL_CHARS
    assert steps[2]["ok"] is True and steps[2]["duration_ms"] > 0


def test_a_fault_that_could_not_be_done_is_told_so(story):
    with pytest.raises(RuntimeError):
        with story.fault("one: cut"):
            raise RuntimeError
    assert lines(story.folder.path / "steps.jsonl")[-1]["ok"] is False


GOOD = {"clause": None, "verdict": "pass", "party": "target", "system": "lio", "case": "c",
        "message": "m"}


@pytest.mark.parametrize("change", [
    {"verdict": "ok"}, {"party": "both"}, {"system": ""}, {"message": "two\nlines"},
    {"scenario": "also"},
], ids=lambda change: next(iter(change)))
def test_a_finding_outside_the_schema_is_refused(change):
    check_finding(GOOD)
    with pytest.raises(ValueError, match="expected"):
        check_finding({**GOOD, **change})


def test_a_finding_without_a_clause_key_is_refused():
    with pytest.raises(ValueError, match="clause"):
        check_finding({k: v for k, v in GOOD.items() if k != "clause"})
