"""The counting behind the last line of `make check`: nothing passes by not running."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from lib.stages import Counts, Stage, result_of, run_stage  # noqa: E402

CASES = """<testsuite><testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure/></testcase>
<testcase classname="a" name="broken"><error/></testcase>
<testcase classname="a" name="left"><skipped/></testcase></testsuite>"""


@pytest.fixture
def junit(tmp_path):
    path = tmp_path / "junit.xml"
    path.write_text(CASES)
    return path


def test_every_kind_of_case_is_counted(junit):
    counts, failures = result_of(Stage("s", [], [junit]), 1)
    assert (counts.passed, counts.failed, counts.skipped) == (1, 2, 1)
    assert failures == ["a.bad", "a.broken"]


def test_a_command_that_fails_without_a_failed_case_counts_as_a_failure(junit):
    junit.write_text("<testsuite><testcase name='good'/></testsuite>")
    counts, _ = result_of(Stage("s", [], [junit]), 2)
    assert counts == Counts(passed=1, failed=1)


def test_a_stage_that_ran_nothing_failed(tmp_path):
    counts, failures = result_of(Stage("s", [], [tmp_path / "missing.xml"]), 0)
    assert counts == Counts(failed=1) and "no test ran" in failures[0]


def test_a_stage_of_skipped_cases_only_failed(junit):
    junit.write_text("<testsuite><testcase name='x'><skipped/></testcase></testsuite>")
    counts, _ = result_of(Stage("s", [], [junit]), 0)
    assert counts.failed == 1


def test_results_of_an_earlier_run_are_not_counted(junit, tmp_path, capsys):
    counts = run_stage(Stage("stale", ["true"], [junit]), tmp_path)
    assert counts == Counts(failed=1)
    assert "no test ran" in capsys.readouterr().out


def test_a_stage_that_hangs_ends_at_its_ceiling(tmp_path, capsys):
    counts = run_stage(Stage("hang", ["sleep", "60"], single=True, ceiling_s=1), tmp_path)
    assert counts == Counts(failed=1)
    assert "no end after 1 s" in capsys.readouterr().out
