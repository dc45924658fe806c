"""The pytest plugin, with a lab that has no guests: outcomes, run folders, what --keep leaves."""

import json
import os
import pathlib
import shutil

import pytest

pytest_plugins = ["pytester"]
HERE = pathlib.Path(__file__).resolve().parent

SCENARIO = """
import pytest

@pytest.mark.systems("lio")
def test_grow(story, target, initiator):
    '''A disk grows.

    More of it.
    '''
    story.step("first")
    target.guest.succeed({command!r})
    story.metric("takeover_ms", 12.345)
    story.judge({good}, passed="it grew", failed="expected 2, got 1", property="resize")
"""


class Bench:
    """Runs one scenario in a folder of its own."""

    def __init__(self, pytester, tmp_path):
        self._pytester = pytester
        self._tmp = tmp_path
        self.out = tmp_path / "run"
        (tmp_path / "bin").mkdir()
        shutil.copy(HERE / "fake_lab.py", tmp_path / "bin" / "tsih-lab")
        pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")

    def run(self, *options, command="true", good=True, source=SCENARIO):
        folder = self._pytester.mkdir("resize")
        (folder / "test_resize.py").write_text(source.format(command=command, good=good))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TSIH_BIN", str(self._tmp / "bin"))
            patch.setenv("PYTHONPATH", str(HERE.parent))
            return self._pytester.runpytest_subprocess(
                "-p", "tsih.plugin", "--out", str(self.out), "--tsih-command", "tsih run resize",
                *options)

    def json(self, name):
        return json.loads((self.out / name).read_text())

    def lines(self, name):
        path = self.out / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def asked(self):
        return [json.loads(line)["op"] for line in
                (self._tmp / "lab" / "asked.jsonl").read_text().splitlines()]


@pytest.fixture
def bench(pytester, tmp_path):
    return Bench(pytester, tmp_path)


FOLDER = "scenarios/resize.grow@lio/"


def test_a_scenario_that_passes_leaves_a_whole_folder(bench):
    result = bench.run()
    result.assert_outcomes(passed=1)
    record = bench.json(FOLDER + "scenario.json")
    assert (record["outcome"], record["reason"]) == ("passed", None)
    assert (record["title"], record["description"]) == ("A disk grows.", "More of it.")
    assert record["metrics"] == {"takeover_ms": 12.3}
    assert {g["name"]: g["role"] for g in record["guests"]} == {
        "target": "target", "one": "initiator"}
    assert (bench.out / FOLDER / "capture.pcapng").read_bytes() == b"frames"
    assert (bench.out / FOLDER / "target.log").exists()
    assert (bench.out / FOLDER / "serial-one.log").exists()
    run = bench.json("run.json")
    assert (run["exit_status"], run["command"], run["systems"]) == (0, "tsih run resize", ["lio"])
    assert run["host"]["accel"] == "tcg"
    (finding,) = bench.lines("findings.jsonl")
    assert (finding["verdict"], finding["scenario"]) == ("pass", "resize.grow")
    result.stdout.fnmatch_lines(["next: *tsih report *"])


def test_a_judgement_that_fails_is_one_violation(bench):
    bench.run(good=False).assert_outcomes(failed=1)
    record = bench.json(FOLDER + "scenario.json")
    assert (record["outcome"], record["reason"]) == ("failed", "expected 2, got 1")
    assert [f["verdict"] for f in bench.lines("findings.jsonl")] == ["violation"]
    assert bench.json("run.json")["exit_status"] == 1


def test_a_command_that_fails_becomes_a_violation(bench):
    bench.run(command="exit 5").assert_outcomes(failed=1)
    (finding,) = bench.lines("findings.jsonl")
    assert (finding["verdict"], finding["property"]) == ("violation", "scenario")
    assert "exit status 5" in finding["message"]


def test_a_guest_that_is_gone_is_our_error_not_a_violation(bench):
    result = bench.run(command="refuse")
    result.assert_outcomes(failed=1)
    assert bench.json(FOLDER + "scenario.json")["outcome"] == "error"
    assert [f["verdict"] for f in bench.lines("findings.jsonl")] == ["error"]
    result.stdout.fnmatch_lines(["*it ended*", "*panic*"])


def test_a_lab_that_dies_says_its_last_words(bench):
    result = bench.run(command="die")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*went away*", "*out of memory*"])
    assert bench.json("run.json")["ended"]


def test_the_lab_and_its_disks_are_gone_afterwards(bench, tmp_path):
    bench.run()
    assert [p.name for p in (tmp_path / "lab").iterdir()] == ["asked.jsonl"]


def test_keep_leaves_the_lab_and_says_how_to_get_in(bench, tmp_path):
    result = bench.run("--keep", good=False)
    result.stdout.fnmatch_lines(["the lab is up *", "  tsih shell target*", "  tsih stop*"])
    asked = bench.asked()
    assert asked.count("lab.keep") == 1
    assert (tmp_path / "lab" / "run").is_dir()


def test_keep_without_a_failure_keeps_nothing(bench):
    bench.run("--keep").assert_outcomes(passed=1)
    assert "lab.keep" not in bench.asked()


CONTROL = SCENARIO.replace('@pytest.mark.systems("lio")',
                           '@pytest.mark.systems("lio")\n@pytest.mark.control')


def test_a_control_passes_with_its_violation(bench):
    bench.run(good=False, source=CONTROL).assert_outcomes(passed=1)
    assert [f["verdict"] for f in bench.lines("findings.jsonl")] == ["violation"]
    assert bench.json(FOLDER + "scenario.json")["expected_disaster"] is True


def test_an_unknown_scenario_is_usage_and_starts_nothing(bench, tmp_path):
    result = bench.run("--scenario", "resize.gorw")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*did you mean resize.grow?*"])
    assert not (tmp_path / "lab").exists()


def test_a_system_that_the_scenario_does_not_run_on_deselects_it(bench, tmp_path):
    result = bench.run("--system", "tsihd")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not (tmp_path / "lab").exists()


def test_no_lab_program_says_how(bench, tmp_path):
    os.remove(tmp_path / "bin" / "tsih-lab")
    bench.run().stdout.fnmatch_lines(["*no program*tsih-lab*", "*make build*"])


ROUNDS = SCENARIO.replace("(story, target, initiator)", "(story, target, initiator, seeds)").replace(
    "    story.step(", """    for seed in seeds(2):
        story.step(str(seed))
        if seed == {last}:
            break
    story.step(""", 1)


@pytest.mark.parametrize("options, last, seeds, captures", [
    ([], 9, "12", 1), (["--long", "60"], 5, "12345", 4), (["--seed", "6"], 9, "67", 1)])
def test_seeds_beyond_the_usual_come_in_the_long_tier_with_a_capture_each(
        bench, options, last, seeds, captures):
    bench.run(*options, source=ROUNDS.replace("{last}", str(last))).assert_outcomes(passed=1)
    steps = [step["text"] for step in bench.lines(FOLDER + "steps.jsonl") if step["kind"] == "step"]
    assert steps == [*seeds, "first"]
    assert bench.asked().count("capture.start") == bench.asked().count("capture.stop") == captures
