"""Scenarios run by `tsih run NAME`; plain `pytest scenarios` does the same."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness" / "driver"))
pytest_plugins = ["tsih.plugin"]

GIB = 1 << 30
MIB = 1 << 20


@pytest.fixture(scope="session")
def machines():
    """Every scenario here needs these two; disks are sparse files of the host."""
    store = {"name": "store", "size_bytes": 16 * GIB}
    shared = {"name": "shared", "size_bytes": 64 * MIB}
    # Addresses of their own: a guest that is killed and boots again has the one that it had.
    return {"target": {"disks": [store, shared], "memory_mib": 384,
                       "nics": [{"address": "10.77.0.10/24"}],
                       "forward_tcp": [{"guest_port": 3260}]},  # the conformance suite's way in
            "one": {"nics": [{"address": "10.77.0.21/24"}]}}
