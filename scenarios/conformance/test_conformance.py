"""The conformance suite, from the host, against a target that lives in a guest.

tsihd is judged on loopback by `tsih conform`; LIO is a kernel's, so it needs a guest.
"""

import json
import os
import pathlib
import subprocess

import pytest

from tsih import paths
from tsih.targetconfig import Disk

MIB = 1 << 20
CEILING_S = 1100
ANSWER_CEILING_MS = 10000  # LIO itself ends a login after 15 s


def findings_of(run: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in (run / "findings.jsonl").read_text().splitlines()]


@pytest.mark.systems("lio")
def test_suite(story, target, initiator, system):
    """Every active case of `tsih conform` is judged; what it found is a run of its own."""
    story.step("The target serves a disk to anyone, and the host reaches it by a forwarded port")
    target.serve(Disk("judged", "/var/tmp/judged", size_bytes=64 * MIB))
    port = target.guest.info["forward_tcp"][0]["host_port"]
    url = f"iscsi://127.0.0.1:{port}/{target.iqn}/0"

    run = story.run.path.with_name(f"{story.run.path.name}-conform-{system}")
    story.step(f"tsih conform {url}")
    ended = subprocess.run(
        [paths.bin_dir() / "tsih-conform", url, "--system", system, "--out", str(run),
         "--timeout-ms", str(ANSWER_CEILING_MS)],
        capture_output=True, text=True, timeout=CEILING_S, check=False,
        env={**os.environ, "NO_COLOR": "1"})
    story.observed(ended.stdout[-2000:] + ended.stderr[-2000:], ok=ended.returncode in (0, 1))
    assert ended.returncode in (0, 1), f"expected exit 0 or 1, got {ended.returncode}"

    verdicts = [finding["verdict"] for finding in findings_of(run)]
    for verdict in sorted(set(verdicts)):
        story.metric(f"findings_{verdict}", verdicts.count(verdict))
    assert verdicts.count("pass") > len(verdicts) / 4, "hardly a case passed: is this the target?"
    broken = [finding for finding in findings_of(run) if finding["verdict"] == "error"]
    assert not broken, f"the suite itself failed: {broken[0]['case']}: {broken[0]['message']}"
