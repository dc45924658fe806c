"""The parts of `make report`. Red when a part that failed passes for done, when its words are lost, when a long
one is silent, or when one that still runs outlives the report."""

import importlib.machinery
import importlib.util
import os
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[1] / "report"


@pytest.fixture
def report(tmp_path, monkeypatch):
    loader = importlib.machinery.SourceFileLoader("report_tool", str(FILE))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("report_tool", loader))
    loader.exec_module(module)
    monkeypatch.setattr(module, "RUNS", tmp_path)
    return module


def shell(report, script, accepted=(0,)):
    return report.Part("part", "a part", ["sh", "-c", script], accepted)


def test_a_part_that_is_done_says_its_last_words(report, capsys):
    assert shell(report, "echo 331 cases; echo findings: /there; exit 1", (0, 1)).wait()
    told = capsys.readouterr().out
    assert "== a part" in told and "done: 331 cases" in told


def test_a_part_that_failed_says_why_and_how_to_run_it_again(report, capsys):
    assert not shell(report, "echo no such disk >&2; exit 3").wait()
    told = capsys.readouterr().out
    assert "exit status 3" in told and "no such disk" in told and "again: sh -c" in told


def test_a_long_part_is_not_silent(report, monkeypatch):
    monkeypatch.setattr(report, "PROGRESS_S", 0.05)
    gate, told = report.RUNS / "gate", []
    os.mkfifo(gate)
    part = shell(report, f"echo half of it; read -r word < {gate}")

    def say(words):
        told.append(words)
        if len(told) == 1:  # it was not silent: now it may end
            gate.write_text("go\n")

    monkeypatch.setattr(part, "say", say)
    assert part.wait()
    assert told[0] in ("half of it", "...") and told[-1] == "done: half of it"


@pytest.mark.parametrize("script", ["sleep 600", "trap '' INT; sleep 600"])
def test_a_part_that_still_runs_is_ended(report, monkeypatch, script):
    monkeypatch.setattr(report, "STOP_CEILING_S", 0.5)
    part = shell(report, script)
    part.stop()
    assert part.process.returncode is not None
    part.stop()  # once more does nothing
