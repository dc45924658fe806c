"""Where things are: the checkout, its programs, its runs."""

from __future__ import annotations

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCENARIOS = ROOT / "scenarios"
BUILD = ROOT / "build"
RUNS = BUILD / "runs"
LABS = BUILD / "lab"


def bin_dir() -> pathlib.Path:
    """Where the project's programs are: $TSIH_BIN, which build/bin/tsih sets, else build/bin."""
    return pathlib.Path(os.environ.get("TSIH_BIN") or BUILD / "bin")


def kept_labs() -> list[pathlib.Path]:
    """Control sockets of labs that were kept up, the newest first. Some may be dead."""
    found = LABS.glob("*/control.sock") if LABS.is_dir() else []
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
