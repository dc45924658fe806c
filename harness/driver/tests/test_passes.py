"""The shell text of Passes, in a shell of the host, with a fio that only says what it was told."""

import os
import subprocess

import pytest

from tsih.passes import SCRIPT

# `rw OFFSET SEED`, where `rw` is w for a pass that is written and r for one that is read back. It ends
# the writing with the pass whose seed is $LAST, and fails at the words in $WRONG.
FIO = """#!/bin/sh
for word; do
    case $word in --offset=*) at=${word#*=};; --randseed=*) seed=${word#*=};; esac
done
case "$*" in *--verify_only*) rw=r;; *) rw=w;; esac
echo $rw $at $seed
[ $rw$seed != w$LAST ] || rm $WRITING
[ "$rw $at $seed" != "$WRONG" ]
"""


@pytest.fixture
def passes(tmp_path):
    """Runs the script until `last` passes were written over two regions; (exit status, what fio did)."""
    (tmp_path / "fio").write_text(FIO)
    (tmp_path / "fio").chmod(0o755)
    writing = tmp_path / "writing"

    def run(last, wrong=""):
        writing.touch()
        done = subprocess.run(
            ["sh", "-c", SCRIPT, "passes", "/dev/x", writing, "2", "8", "--bs=4k"], text=True,
            capture_output=True, check=False, timeout=60,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "WRITING": str(writing),
                 "LAST": str(last), "WRONG": wrong})
        return done.returncode, done.stdout.splitlines()

    return run


def test_what_was_written_is_read_back_once_it_is_told_to_stop(passes):
    assert passes(2) == (0, ["w 0m 1", "w 8m 2", "r 0m 1", "r 8m 2", "verified 2"])


def test_a_region_is_read_back_before_the_next_pass_takes_it(passes):
    assert passes(3) == (0, ["w 0m 1", "w 8m 2", "r 0m 1", "w 0m 3", "r 8m 2", "r 0m 3", "verified 3"])


@pytest.mark.parametrize("wrong", ["w 8m 2", "r 0m 1", "r 8m 2", "r 0m 3"])
def test_the_first_thing_that_is_wrong_ends_it(passes, wrong):
    status, said = passes(3, wrong)
    assert (status, said[-1]) == (1, wrong)


def test_told_to_stop_before_it_began_it_has_nothing_to_read(passes, tmp_path):
    (tmp_path / "writing").unlink(missing_ok=True)
    done = subprocess.run(["sh", "-c", SCRIPT, "passes", "/dev/x", tmp_path / "writing", "2", "8"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "verified 0\n")
