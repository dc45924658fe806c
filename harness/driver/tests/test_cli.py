"""The command line: what is asked for, what is refused, and how."""

import os

import pytest

from tsih import cli, names


@pytest.fixture(autouse=True)
def programs(tmp_path, monkeypatch):
    """A directory of programs with one tsih-conform that tells its arguments."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "tsih-conform"
    program.write_text("#!/bin/sh\necho conform \"$@\"\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("TSIH_BIN", str(program.parent))
    return program.parent


def usage(capsys, *arguments):
    assert cli.main(list(arguments)) == cli.USAGE
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error  # one line, always
    return error


def test_help_is_not_an_error_and_nothing_is(capsys):
    assert cli.main(["--help"]) == cli.OK
    assert "tsih run" in capsys.readouterr().out
    assert cli.main([]) == cli.USAGE


def test_a_near_miss_is_suggested(capsys):
    assert "did you mean conform?" in usage(capsys, "confrom", "x")
    assert "did you mean report?" in usage(capsys, "reprot")


def test_a_program_that_is_not_built_says_how(capsys, programs):
    (programs / "tsih-conform").unlink()
    assert "make build" in usage(capsys, "conform", "x")


def test_a_command_beside_gets_the_arguments_and_gives_its_status(programs):
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        cli.main(["conform", "iscsi://x", "--strict"])
        os._exit(99)  # not reached: the program took our place
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def test_run_without_a_name_is_usage(capsys):
    assert "which scenario?" in usage(capsys, "run")
    assert "one of the two" in usage(capsys, "run", "--all", "login")


def test_run_with_an_unknown_system(capsys):
    assert "did you mean tsihd?" in usage(capsys, "run", "login", "--system", "tsih")


def test_run_splits_names_from_what_is_pytests():
    patterns, options, passed_on = cli.parse_run(
        ["login", "resize.*", "--system", "lio", "-k", "chap and not mutual", "-x", "--tb", "short",
         "--junitxml=out.xml", "--keep"])
    assert patterns == ["login", "resize.*"]
    assert options.system == ["lio"] and options.keep
    assert passed_on == ["-x", "--tb", "short", "--junitxml=out.xml", "-k", "chap and not mutual"]


def test_run_never_writes_into_a_folder_that_is_there(capsys, tmp_path, monkeypatch, programs):
    (programs / "tsih-lab").write_text("")
    (programs / "tsih-lab").chmod(0o755)
    monkeypatch.setattr(cli, "check_image", lambda: None)
    assert "is there already" in usage(capsys, "run", "--all", "--out", str(tmp_path))


def test_run_without_the_lab_says_how(capsys):
    assert cli.main(["run", "--all"]) == cli.FAILED
    assert "make build" in capsys.readouterr().err


def test_exec_without_a_lab_says_how(capsys):
    assert cli.main(["exec", "target", "true"]) == cli.FAILED
    assert "--keep" in capsys.readouterr().err


def test_list_knows_every_subject(capsys):
    assert cli.main(["list"]) == cli.OK
    words = capsys.readouterr().out
    for subject in ("login.", "resize.", "split_brain."):
        assert subject in words


def test_list_of_a_word_that_nothing_has(capsys):
    assert "no scenario" in usage(capsys, "list", "resise")


@pytest.mark.parametrize("pattern,chosen", [
    ("split_brain", True), ("split_brain.paused", True), ("split_brain.paused.fence", True),
    ("split", False), ("*.fence", True), ("split_brain.pause", False), ("*paused*", True),
])
def test_a_pattern_is_a_beginning_up_to_a_dot_or_a_glob(pattern, chosen):
    assert names.is_chosen("split_brain.paused.fence", [pattern]) is chosen


def test_a_scenarios_name():
    assert names.scenario_name("split_brain", "test_paused", "fence") == "split_brain.paused.fence"
    assert names.scenario_name("resize", "test_grow", "") == "resize.grow"


def test_near_misses_are_few_and_close():
    known = ["login.chap", "login.digests", "resize.grow"]
    assert names.near_misses("resize.gorw", known) == ["resize.grow"]
    assert names.near_misses("zzz", known) == []
