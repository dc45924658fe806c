"""What iscsi-test-cu prints becomes outcomes, and the table says which of them are in order."""

import pytest

from tsih.iscsitestcu import Outcome, Table, parse

OUTPUT = """
     CUnit - A unit testing framework for C - Version 2.1-3

Suite: Sanitize
  Test: BlockErase ...    This is a HDD device
FAILED
    1. test_sanitize_block_erase.c:166  - CU_FAIL("[FAILED] LBA status descriptor is MAPPED.")
  Test: CryptoErase ...    [SKIPPED] SANITIZE CRYPTO_ERASE is not implemented.
passed
Suite: ProutReserve
  Test: Simple ...passed    [FAILED] PRIN command: failed with sense, which the test wanted
Suite: StartStopUnit
  Test: Simple ...    [SKIPPED] Media is not removable.
    [SKIPPED] Media is not removable.
passed
Run Summary:    Type  Total    Ran Passed Failed Inactive
"""
TABLE = """
[[row]]
test = ["Sanitize.BlockErase"]
on = ["block*"]
does = "fails"
why = "one"
[[row]]
test = ["Sanitize.Reset"]
does = "fails"
always = false
why = "two"
[[row]]
test = ["*"]
does = "skips"
says = "*not removable*"
always = false
why = "three"
"""


@pytest.fixture
def table(tmp_path):
    (tmp_path / "table.toml").write_text(TABLE)
    return Table(tmp_path / "table.toml")


def test_every_test_has_an_outcome():
    assert [(o.test, o.verdict) for o in parse(OUTPUT)] == [
        ("Sanitize.BlockErase", "failed"), ("Sanitize.CryptoErase", "skipped"),
        ("ProutReserve.Simple", "passed"), ("StartStopUnit.Simple", "skipped")]
    assert parse(OUTPUT)[3].words == "Media is not removable."


def test_a_run_that_broke_off_failed_in_its_last_test():
    last = parse("Suite: Read6\n  Test: Simple ...passed\n  Test: BeyondEol ...")[-1]
    assert (last.test, last.verdict) == ("Read6.BeyondEol", "failed")


@pytest.mark.parametrize("test, verdict, disk, expected", [
    ("Read6.Simple", "passed", "block", "pass"),
    ("Read6.Simple", "failed", "block", "violation"),
    ("Sanitize.BlockErase", "failed", "block", "pass"),
    ("Sanitize.BlockErase", "failed", "ramdisk", "violation"),
    ("Sanitize.BlockErase", "passed", "block", "violation"),  # the row is stale
    ("Sanitize.BlockErase", "passed", "ramdisk", "pass"),
    ("Sanitize.Reset", "failed", "block", "pass"),
    ("Sanitize.Reset", "passed", "block", "pass"),  # it may
])
def test_outcomes_against_the_table(table, test, verdict, disk, expected):
    assert table.judge(Outcome(test, verdict, "words"), disk).verdict == expected


def test_a_skip_needs_a_row_that_knows_its_words(table):
    known = Outcome("A.B", "skipped", "Media is not removable.")
    unknown = Outcome("A.B", "skipped", "READ6 is not implemented.")
    assert table.judge(known, "block").verdict == "unsupported"
    assert table.judge(unknown, "block").verdict == "violation"
