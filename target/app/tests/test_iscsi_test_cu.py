"""libiscsi's test suite (iscsi-test-cu 1.19), whole, against a ramdisk and a file behind two portals.

Every test passes, none is skipped, but for those listed here with the reason. A listed one that does
not do what the list says is an error as well: then the list is out of date.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import CEILING_S, Tsihd

DISK_BYTES = 16 << 20  # soon wiped
SUITE_CEILING_S = 240.0  # half a minute of it are sleeps of the SANITIZE tests

NOT_REMOVABLE = "the medium is not removable (RMB 0, SPC-4 6.6.2): there is nothing to eject"
NO_CRYPTO_ERASE = ("no data is encrypted, so there is no key to forget: CRYPTO ERASE is optional "
                   "(SBC-3 5.29.1)")
NO_ZERO_BLOCKS = ("WSNZ is 1 (SBC-3 6.6.4): WRITE SAME of zero blocks does not mean the rest of the "
                  "disk")
SKIPS = {
    **{f"PreventAllow.{name}": NOT_REMOVABLE
       for name in ("Simple", "Eject", "ITNexusLoss", "Logout", "WarmReset", "ColdReset", "LUNReset",
                    "2ITNexuses")},
    "StartStopUnit.Simple": NOT_REMOVABLE,
    "ReadOnly.ReadOnlySBC": "the disk can be written; the same test runs below on one that cannot",
    "Sanitize.CryptoErase": NO_CRYPTO_ERASE,
    "Sanitize.Readonly": NO_CRYPTO_ERASE,
    "Sanitize.Reservations": NO_CRYPTO_ERASE,
    "WriteSame10.ZeroBlocks": NO_ZERO_BLOCKS,
    "WriteSame16.ZeroBlocks": NO_ZERO_BLOCKS,
}
NOT_ATOMIC = ("a file promises no atomic writes: MAXIMUM ATOMIC TRANSFER LENGTH is 0 and the command "
              "is not there (SBC-4 6.6.4)")
MORE_SKIPS = {"ram": {}, "file": {
    f"WriteAtomic16.{name}": NOT_ATOMIC
    for name in ("Simple", "BeyondEol", "ZeroBlocks", "WriteProtect", "DpoFua", "VPD")}}
FAILURES = {
    "GetLBAStatus.UnmapSingle":
        "asks for LBA i+1 and wants a first descriptor that begins elsewhere; SBC-3 5.6.2: it begins "
        "with the STARTING LOGICAL BLOCK ADDRESS asked for",
}
UNJUDGED = {
    "Sanitize.Reset":
        "wants a wipe that is still going on four seconds after it began: SBC-3 4.11 does not say how "
        "long one takes. A small disk is wiped sooner, unless the machine is busy",
}

pytestmark = pytest.mark.timeout(300)


@dataclass
class Outcome:
    passed: bool
    skipped: bool
    text: str


def read_outcomes(output: str) -> dict[str, Outcome]:
    """By `Suite.Test`. Messages of a test stand between its name and its verdict, or after it."""
    outcomes: dict[str, Outcome] = {}
    for suite, tests in re.findall(r"^Suite: (\S+)\n(.*?)(?=^Suite: |^Run Summary|\Z)", output,
                                   re.M | re.S):
        for name, text in re.findall(r"^  Test: (\S+) \.\.\.(.*?)(?=^  Test: |\Z)", tests,
                                     re.M | re.S):
            verdict = re.search(r"^(passed|FAILED)", text, re.M)
            outcomes[f"{suite}.{name}"] = Outcome(
                verdict is not None and verdict.group(1) == "passed", "[SKIPPED]" in text, text)
    return outcomes


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


def start_suite(started: contextlib.ExitStack, folder: Path, kind: str) -> subprocess.Popen:
    folder = folder / kind
    folder.mkdir()
    storage = {"plugin": "ramdisk"}
    if kind == "file":
        with (folder / "disk").open("wb") as disk:
            disk.truncate(DISK_BYTES)
        storage = {"plugin": "fileio", "dev": str(folder / "disk"), "write_back": True}
    server = Tsihd(folder, "--config", two_portals(folder, storage), portal=None)
    started.callback(server.end)
    urls = [server.url, server.process.stdout.readline().split()[1]]
    suite = subprocess.Popen(["iscsi-test-cu", "--dataloss", "--allow-sanitize", "--test=ALL", *urls],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    started.callback(suite.wait)
    started.callback(suite.kill)
    return suite


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, dict[str, Outcome]]:
    """Both kinds of disk at the same time: most of it is sleep."""
    folder = tmp_path_factory.mktemp("cu")
    with contextlib.ExitStack() as started:
        suites = {kind: start_suite(started, folder, kind) for kind in ("ram", "file")}
        return {kind: read_outcomes(suite.communicate(timeout=SUITE_CEILING_S)[0])
                for kind, suite in suites.items()}


@pytest.fixture(scope="module")
def known_tests() -> set[str]:
    listed = subprocess.run(["iscsi-test-cu", "--list"], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=CEILING_S, check=False).stdout
    return set(re.findall(r"^ALL\.(\S+\.\S+)$", listed, re.M))


@pytest.mark.parametrize("kind", ["ram", "file"])
def test_every_test_of_the_suite_runs(runs, known_tests, kind):
    assert len(known_tests) > 200
    assert set(runs[kind]) == known_tests


@pytest.mark.parametrize("kind", ["ram", "file"])
def test_what_fails_is_listed_and_fails(runs, kind):
    failed = {name: it.text for name, it in runs[kind].items()
              if not it.passed and name not in UNJUDGED}
    print("\n".join(f"{name}: {text}" for name, text in failed.items() if name not in FAILURES))
    assert set(failed) == set(FAILURES)


@pytest.mark.parametrize("kind", ["ram", "file"])
def test_what_is_skipped_is_listed_and_skipped(runs, kind):
    assert {name for name, it in runs[kind].items() if it.skipped} == {
        *SKIPS, *MORE_SKIPS[kind]}


def test_a_disk_that_cannot_be_written(tsihd):
    server = tsihd("--serve", "ram:64M", "--read-only")
    suite = subprocess.run(["iscsi-test-cu", "--dataloss", "--test=SCSI.ReadOnly", server.url],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=CEILING_S, check=False)
    outcome = read_outcomes(suite.stdout)["ReadOnly.ReadOnlySBC"]
    assert outcome.passed and not outcome.skipped, suite.stdout
