"""Fixtures: tsihd as a process on loopback, on a free port, with its state in a folder of ours."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from initiator import Initiator

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("TSIH_BIN") or ROOT / "build" / "bin")
CEILING_S = 120.0  # for what takes milliseconds: a machine may be busy, a test must not hang


def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(BIN / program), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=CEILING_S, check=False)


def eventually(what, ceiling_s: float = CEILING_S):
    """The first true value of what(); fails the test when there is none within the ceiling."""
    deadline = time.monotonic() + ceiling_s
    while not (value := what()):
        assert time.monotonic() < deadline, f"not within {ceiling_s} s"
        time.sleep(0.01)
    return value


class Tsihd:
    """A tsihd that has said that it is ready."""

    def __init__(self, folder: Path, *arguments: str, portal: str | None = "127.0.0.1:0"):
        self.socket = str(folder / "control.sock")
        where = ["--portal", portal] if portal else []
        with (folder / "tsihd.log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(BIN / "tsihd"), *map(str, arguments), *where, "--control", self.socket],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self.log = folder / "tsihd.log"
        self.first_line = self.process.stdout.readline()
        assert self.first_line.startswith("ready iscsi://"), self.log.read_text()
        self.url = self.first_line.split()[1]
        self.portal = self.url.split("/")[2]

    def control(self, *arguments: str) -> subprocess.CompletedProcess:
        return run("tsihctl", "--control", self.socket, *arguments)

    def ask(self, *arguments: str) -> dict:
        return json.loads(self.control("--json", *arguments).stdout)

    def inquire(self, url: str | None = None, initiator: str = "iqn.2026-11.org.tsih:test",
                **environment: str) -> subprocess.CompletedProcess:
        """iscsi-inq: logs in, asks, logs out. Status 0 when it was let in."""
        return subprocess.run(["iscsi-inq", "-i", initiator, url or self.url],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=CEILING_S, check=False, env={**os.environ, **environment})

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(CEILING_S)
        self.process.stdout.close()
        return status


@pytest.fixture
def tsihd(tmp_path):
    """A function that starts a tsihd; all of them are ended with the test."""
    started: list[Tsihd] = []

    def start(*arguments: str, folder: Path = tmp_path, **options) -> Tsihd:
        started.append(Tsihd(folder, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.process.stdout.close()


@pytest.fixture
def login():
    """A function that opens a session of initiator `name` and takes its first unit attention."""
    opened: list[Initiator] = []

    def open_session(server, name: str, port: int = 1) -> Initiator:
        target = server.url.split("/")[3]
        one = Initiator(server.portal, target, f"iqn.2026-11.org.tsih:{name}", port)
        opened.append(one)
        one.command(bytes(6))
        return one

    yield open_session
    for one in opened:
        one.close()
