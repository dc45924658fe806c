"""Initiators of a kernel, judged in a guest: the scripted target runs beside them, on loopback.

`make check` takes the subjects that say most about an initiator; `tsih run initiators --long 1` takes
every case.
"""

import io
import os
import subprocess
import tarfile

import pytest

from tsih import paths

CEILING_S = 900
DRIVER = "/run/open-iscsi"
JUDGED = "/run/judged"
USUAL = ("login", "chap", "connection", "data_in", "async")


@pytest.mark.systems("open-iscsi")
@pytest.mark.timeout(CEILING_S + 120)
def test_conformance(story, alone, is_long):
    """open-iscsi keeps RFC 3720, but where reports/rulings/open-iscsi.toml says otherwise."""
    driver = paths.ROOT / "harness" / "initiators" / "drivers" / "open-iscsi"
    alone.write_file(DRIVER, driver.read_text(encoding="utf-8"))
    chosen = "" if is_long else "".join(f" --only {subject}" for subject in USUAL)
    story.step("tsih conform-initiator, with a driver that has iscsiadm log in and out")
    # The kernel gives a command the double of its time, and then some, before it aborts it.
    words = alone.run(
        f"chmod +x {DRIVER}; NO_COLOR=1 tsih-conform-initiator --system {story.system} --out {JUDGED}"
        f" --timeout-ms 10000{chosen} -- {DRIVER} '{{action}}' '{{url}}' 2>&1; "
        f"tar czf {JUDGED}.tgz -C {JUDGED} .", timeout_s=CEILING_S,
        as_text="tsih conform-initiator").stdout
    story.observed(words[-2000:])
    run = story.run.path.with_name(f"{story.run.path.name}-conform-{story.system}")
    with tarfile.open(fileobj=io.BytesIO(alone.read_file(f"{JUDGED}.tgz"))) as packed:
        packed.extractall(run, [member for member in packed if member.isfile() or member.isdir()])

    story.step("What it broke is held against the rulings")
    held = subprocess.run(
        [paths.ROOT / "tools" / "conform-initiators", "--found", run, story.system],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "NO_COLOR": "1"})
    story.judge(held.returncode == 0, property="rulings", party="initiator",
                passed=held.stdout.strip().rpartition("\n")[2],
                failed=f"expected what the rulings say, got {held.stdout}{held.stderr}")
