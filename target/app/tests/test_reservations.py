"""Persistent reservations over the death of tsihd (APTPL)."""

import pytest
from conftest import run
from initiator import GOOD, RESERVATION_CONFLICT

KEY = 0xfeedface
REGISTER, RESERVE = 0, 1
WRITE_EXCLUSIVE = 1
APTPL = 1


@pytest.fixture
def serve(tsihd, tmp_path):
    (tmp_path / "pr").mkdir()
    return lambda: tsihd("--serve", tmp_path / "disk", "--size", "16M", "--state", tmp_path / "pr")


def test_a_reservation_survives_kill_9(serve, login):
    """Red when the status of a PERSISTENT RESERVE OUT comes before its registration is stored."""
    first = serve()
    holder = login(first, "holder")
    assert holder.reserve_out(REGISTER, 0, KEY, flags=APTPL) == GOOD
    assert holder.reserve_out(RESERVE, KEY, type=WRITE_EXCLUSIVE) == GOOD
    first.process.kill()
    first.process.wait()
    second = serve()
    other = login(second, "other")
    assert other.keys() == [KEY]
    assert other.write() == RESERVATION_CONFLICT
    assert login(second, "holder", port=2).write() == RESERVATION_CONFLICT
    assert login(second, "holder").write() == GOOD
    assert "scsi.reservations_restored" in second.log.read_text()


def test_without_aptpl_it_ends_with_the_process(serve, login):
    first = serve()
    holder = login(first, "holder")
    assert holder.reserve_out(REGISTER, 0, KEY, flags=APTPL) == GOOD
    assert holder.reserve_out(REGISTER, KEY, KEY) == GOOD
    first.process.kill()
    first.process.wait()
    assert login(serve(), "other").keys() == []


def test_a_damaged_file_is_named_and_stays(serve, login, tmp_path):
    first = serve()
    assert login(first, "holder").reserve_out(REGISTER, 0, KEY, flags=APTPL) == GOOD
    first.process.kill()
    first.process.wait()
    kept, = (p for p in (tmp_path / "pr").glob("aptpl_*") if p.suffix != ".lock")
    damaged = kept.read_bytes().replace(b"feedface", b"feedfacf")
    kept.write_bytes(damaged)
    done = run("tsihd", "--serve", tmp_path / "disk", "--portal", "127.0.0.1:0", "--state",
               tmp_path / "pr")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"{kept}: damaged" in done.stderr and "move the file away" in done.stderr
    assert kept.read_bytes() == damaged


def test_a_state_folder_has_one_user_a_disk(serve, tmp_path):
    serve()
    done = run("tsihd", "--serve", tmp_path / "disk", "--portal", "127.0.0.1:0", "--state",
               tmp_path / "pr")
    assert done.returncode == 2 and "in use by another process" in done.stderr


def test_a_missing_folder_is_said_and_aptpl_not_offered(tsihd, login, tmp_path):
    server = tsihd("--serve", "ram:16M", "--state", tmp_path / "missing")
    lines = [line for line in server.log.read_text().splitlines() if "APTPL" in line]
    assert len(lines) == 1 and str(tmp_path / "missing") in lines[0]
    holder = login(server, "holder")
    _, data = holder.command(bytes([0x5e, 2, 0, 0, 0, 0, 0, 0, 8, 0]), data_in_bytes=8)
    assert data[2] & 1 == 0
    assert holder.reserve_out(REGISTER, 0, KEY, flags=APTPL) != GOOD
