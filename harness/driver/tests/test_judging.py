"""Red when: what the judge says is lost or lands on the wrong party, or a judge that fails takes the
scenario with it."""

import json

import pytest

from tsih import judging, paths
from tsih.runfolder import RunFolder
from tsih.story import Story


@pytest.fixture
def story(tmp_path):
    run = RunFolder(tmp_path / "run", what="scenarios", title="t", command="c")
    return Story(run, run.scenario("login.x", "tsihd"), "tsihd")


def judge_with(monkeypatch, tmp_path, story, script):
    program = tmp_path / "bin" / "tsih-judge"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + script, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(paths, "bin_dir", lambda: program.parent)
    capture = story.folder.path / "capture.pcapng"
    capture.write_bytes(b"x")
    judging.judge_capture(story, capture)
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
    assert found[0]["evidence"] == {"file": "scenarios/login.x@tsihd/capture.pcapng", "frame": 7}


def test_a_judge_that_fails_is_told_and_raises_nothing(monkeypatch, tmp_path, story):
    assert judge_with(monkeypatch, tmp_path, story, "echo no json; exit 9\n") == []
    assert "not judged" in (story.folder.path / "steps.jsonl").read_text()
