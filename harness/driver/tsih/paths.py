"""Where things are: the checkout, its programs, its runs."""

from __future__ import annotations

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCENARIOS = ROOT / "scenarios"


def bin_dir() -> pathlib.Path:
    """Where the project's programs are: $TSIH_BIN, which the command tsih sets, else build/bin."""
    return pathlib.Path(os.environ.get("TSIH_BIN") or ROOT / "build" / "bin")


def image() -> pathlib.Path | None:
    """The guest image as its recipe is now: $TSIH_IMAGE, or what `make image` built; None without."""
    if os.environ.get("TSIH_IMAGE"):
        return pathlib.Path(os.environ["TSIH_IMAGE"])
    asked = subprocess.run([str(ROOT / "images" / "build"), "--print"], capture_output=True,
                           text=True, check=False)
    return pathlib.Path(asked.stdout.strip()) if asked.returncode == 0 else None


def runs() -> pathlib.Path:
    """Run folders, beside the programs: build/runs."""
    return bin_dir().parent / "runs"


def labs() -> pathlib.Path:
    """Disks, sockets and consoles of labs: build/lab. Short paths: Unix sockets allow 107 bytes."""
    return bin_dir().parent / "lab"


def kept_labs() -> list[pathlib.Path]:
    """Control sockets of labs that were kept up, the newest first. Some may be dead."""
    found = labs().glob("*/control.sock") if labs().is_dir() else []
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
