"""libiscsi's test suite (iscsi-test-cu 1.19), whole, against a ramdisk and a file behind two portals.

Every test passes, none is skipped, but for what harness/driver/tsih/iscsi_test_cu.toml lists with the
reason. A listed one that does not do what the list says is an error as well: then it is out of date.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import CEILING_S, ROOT, Tsihd

sys.path.insert(0, str(ROOT / "harness" / "driver"))
from tsih.iscsitestcu import TABLE, Outcome, parse  # noqa: E402  (found by the path above)

DISK_BYTES = 16 << 20  # soon wiped
SUITE_CEILING_S = 800.0  # half a minute of it are sleeps of the SANITIZE tests

pytestmark = pytest.mark.timeout(1000)


def two_portals(folder: Path, storage: dict) -> Path:
    """A configuration with one disk for everybody behind two addresses."""
    group = {"tag": 1, "enable": True, "node_acls": [],
             # The suite sleeps for a minute where it waits for a wipe: it answers no ping meanwhile.
             "attributes": {"generate_node_acls": 1, "demo_mode_write_protect": 0,
                            "nopin_timeout": 0},
             "portals": [{"ip_address": f"127.0.0.{n}", "port": 0} for n in (1, 2)],
             "luns": [{"index": 0, "storage_object": f"/backstores/{storage['plugin']}/disk"}]}
    path = folder / "saveconfig.json"
    path.write_text(json.dumps({
        "storage_objects": [{"name": "disk", "size": DISK_BYTES, "wwn": "cu-1", **storage}],
        "targets": [{"fabric": "iscsi", "wwn": "iqn.2026-11.org.tsih:cu", "tpgs": [group]}]}))
    return path


def start_suite(started: contextlib.ExitStack, folder: Path, plugin: str) -> subprocess.Popen:
    folder = folder / plugin
    folder.mkdir()
    storage = {"plugin": plugin}
    if plugin == "fileio":
        with (folder / "disk").open("wb") as disk:
            disk.truncate(DISK_BYTES)
        storage |= {"dev": str(folder / "disk"), "write_back": True}
    (folder / "state").mkdir()
    server = Tsihd(folder, "--config", two_portals(folder, storage), "--state", folder / "state",
                   portal=None)
    started.callback(server.end)
    urls = [server.url, server.process.stdout.readline().split()[1]]
    suite = subprocess.Popen(["iscsi-test-cu", "-v", "--dataloss", "--allow-sanitize", "--test=ALL",
                              *urls],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    started.callback(suite.wait)
    started.callback(suite.kill)
    return suite


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, list[Outcome]]:
    """Both kinds of disk at the same time: most of it is sleep."""
    folder = tmp_path_factory.mktemp("cu")
    with contextlib.ExitStack() as started:
        suites = {plugin: start_suite(started, folder, plugin) for plugin in ("ramdisk", "fileio")}
        return {plugin: parse(suite.communicate(timeout=SUITE_CEILING_S)[0])
                for plugin, suite in suites.items()}


@pytest.fixture(scope="module")
def known_tests() -> set[str]:
    listed = subprocess.run(["iscsi-test-cu", "--list"], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=CEILING_S, check=False).stdout
    return set(re.findall(r"^ALL\.(\S+\.\S+)$", listed, re.M))


@pytest.mark.parametrize("disk", ["ramdisk", "fileio"])
def test_every_test_of_the_suite_runs(runs, known_tests, disk):
    assert len(known_tests) > 200
    assert {outcome.test for outcome in runs[disk]} == known_tests


@pytest.mark.parametrize("disk", ["ramdisk", "fileio"])
def test_every_test_does_what_is_expected(runs, disk):
    judgements = [TABLE.judge(outcome, disk) for outcome in runs[disk]]
    assert [it.message for it in judgements if it.verdict == "violation"] == []


def test_a_disk_that_cannot_be_written(tsihd):
    server = tsihd("--serve", "ram:64M", "--read-only")
    suite = subprocess.run(["iscsi-test-cu", "-v", "--dataloss", "--test=SCSI.ReadOnly", server.url],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=CEILING_S, check=False)
    outcome = next(it for it in parse(suite.stdout) if it.test == "ReadOnly.ReadOnlySBC")
    assert outcome.verdict == "passed", suite.stdout
