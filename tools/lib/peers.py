"""Targets on loopback, one at a time or side by side: tsihd, and the peers tgt and istgt.

    with loopback_target("tgt", disk, state_directory) as target:
        print(target.url, target.pid)

Each runs in the foreground as our child, on a free port of 127.0.0.1, with all its state in a
directory of ours, and is ended by its id. Nothing of an installed service is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEMS = ("tsihd", "tgt", "istgt")
START_CEILING_S = 60.0
STOP_CEILING_S = 2.0  # tgtd does not heed SIGTERM


class PeerError(Exception):
    """One line: which target did not start, and what it last said."""


@dataclass
class LoopbackTarget:
    system: str
    url: str  # iscsi://127.0.0.1:PORT/IQN/LUN
    pid: int
    log: Path


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def loopback_target(system: str, disk: Path, state: Path, *,
                    options: tuple[str, ...] = ()) -> Iterator[LoopbackTarget]:
    """Serves `disk` (an existing file) with `system` until the block ends.

    `options` go to tsihd's command line and are refused for the others. Raises PeerError when the
    target is not installed or does not accept connections within START_CEILING_S.
    """
    state.mkdir(parents=True, exist_ok=True)
    start = {"tsihd": _start_tsihd, "tgt": _start_tgt, "istgt": _start_istgt}[system]
    if options and system != "tsihd":
        raise PeerError(f"{system} takes no options here: {' '.join(options)}")
    log = state / f"{system}.log"
    with log.open("wb") as output:
        process, target = start(disk, state, output, *options)
    try:
        yield target
    finally:
        _end(process)


def _program(name: str) -> str:
    own = Path(os.environ.get("TSIH_BIN") or ROOT / "build" / "bin") / name
    found = str(own) if own.exists() else shutil.which(name, path="/usr/sbin:/usr/bin")
    if not found:
        raise PeerError(f"{name} is not there; run: make build")
    return found


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_CEILING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen, what: str, log: Path, ready) -> None:
    """Polls `ready` (a function) until it is true, the process ends or the ceiling is reached."""
    deadline = time.monotonic() + START_CEILING_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process)
            said = log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
            raise PeerError(f"{what} did not start; it last said: {said[0]}")
        time.sleep(0.02)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _start_tsihd(disk: Path, state: Path, output, *options: str):
    log, port = state / "tsihd.log", free_port()
    iqn = "iqn.2026-11.org.tsih:loopback"
    process = subprocess.Popen(
        [_program("tsihd"), "--serve", str(disk), "--portal", f"127.0.0.1:{port}", "--iqn", iqn,
         "--control", str(state / "tsihd.sock"), *options],
        stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    _await(process, "tsihd", log, lambda: b"ready iscsi://" in log.read_bytes())
    return process, LoopbackTarget("tsihd", f"iscsi://127.0.0.1:{port}/{iqn}/0", process.pid, log)


def _start_tgt(disk: Path, state: Path, output):
    log, port = state / "tgt.log", free_port()
    control = str(port % 32768)  # tgtd tells its control sockets apart by a 15-bit number
    iqn = "iqn.2026-11.org.tsih:tgt"
    admin_path = state / "tgt"
    process = subprocess.Popen(
        [_program("tgtd"), "-f", "-d0", "-C", control, "--iscsi", f"portal=127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        env={**os.environ, "TGT_IPC_SOCKET": str(admin_path)})

    def admin(*arguments: str) -> bool:
        return subprocess.run(
            [_program("tgtadm"), "-C", control, "--lld", "iscsi", *arguments],
            env={**os.environ, "TGT_IPC_SOCKET": str(admin_path)},
            stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0

    _await(process, "tgt", log, lambda: _accepts(port) and admin(
        "--mode", "target", "--op", "new", "--tid", "1", "-T", iqn))
    if not (admin("--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "1",
                  "-b", str(disk))
            and admin("--mode", "target", "--op", "bind", "--tid", "1", "-I", "ALL")):
        _end(process)
        raise PeerError(f"tgt refused to serve {disk}")
    return process, LoopbackTarget("tgt", f"iscsi://127.0.0.1:{port}/{iqn}/1", process.pid, log)


ISTGT_CONFIGURATION = """\
[Global]
  NodeBase "iqn.2026-11.org.tsih"
  PidFile {state}/istgt.pid
  AuthFile {state}/auth.conf
  MediaDirectory {state}
  LogFacility "local7"
  Timeout 30
  NopInInterval 20
  DiscoveryAuthMethod Auto
  MaxSessions 16
  MaxConnections 4
  MaxR2T 32
  MaxOutstandingR2T 16
  DefaultTime2Wait 2
  DefaultTime2Retain 60
  FirstBurstLength 262144
  MaxBurstLength 1048576
  MaxRecvDataSegmentLength 262144
  InitialR2T Yes
  ImmediateData Yes
  DataPDUInOrder Yes
  DataSequenceInOrder Yes
  ErrorRecoveryLevel 0
[UnitControl]
  AuthMethod Auto
  Portal UC1 127.0.0.1:{control_port}
  Netmask 127.0.0.1
[PortalGroup1]
  Portal DA1 127.0.0.1:{port}
[InitiatorGroup1]
  InitiatorName "ALL"
  Netmask 127.0.0.0/8
[LogicalUnit1]
  TargetName istgt
  Mapping PortalGroup1 InitiatorGroup1
  AuthMethod Auto
  UseDigest Auto
  UnitType Disk
  QueueDepth 64
  LUN0 Storage {disk} Auto
"""


def _start_istgt(disk: Path, state: Path, output):
    log, port = state / "istgt.log", free_port()
    configuration = state / "istgt.conf"
    configuration.write_text(ISTGT_CONFIGURATION.format(
        state=state, disk=disk, port=port, control_port=free_port()))
    (state / "auth.conf").write_text("")
    process = subprocess.Popen([_program("istgt"), "-D", "-c", str(configuration)],
                               stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    _await(process, "istgt", log, lambda: _accepts(port))
    url = f"iscsi://127.0.0.1:{port}/iqn.2026-11.org.tsih:istgt/0"
    return process, LoopbackTarget("istgt", url, process.pid, log)
