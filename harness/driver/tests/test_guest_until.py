"""The shell text of wait_until, in a shell of the host."""

import subprocess

from tsih.guest import _until


def run(condition, timeout_s):
    return subprocess.run(["sh", "-c", _until(condition, timeout_s)], capture_output=True,
                          text=True, check=False)


def test_it_ends_as_soon_as_the_condition_holds_with_its_words(tmp_path):
    counter = tmp_path / "n"
    done = run(f"echo x >> {counter}; echo seen; [ $(wc -l < {counter}) -ge 2 ]", 60)
    assert (done.returncode, done.stdout) == (0, "seen")
    assert counter.read_text() == "x\nx\n"


def test_it_gives_up_with_the_last_words():
    done = run("echo not yet; false", 1)
    assert (done.returncode, done.stdout) == (97, "not yet")
