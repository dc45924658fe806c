"""WRITE ATOMIC on a file: offered with a state folder, settled by the start after it was cut short.

The journals here are written by a codec of their own, after target/backstore/atomic_entry.h.
"""

import hashlib
import itertools
import threading

import pytest
from conftest import run
from initiator import GOOD

SECTOR, DATA_AT = 512, 68 << 10
BLOCKS, LBA = 4, 8
OLD, NEW = (bytes([n]) * (BLOCKS * SECTOR) for n in (0x11, 0x22))
WRITE_ATOMIC = bytes([0x9c, 0]) + LBA.to_bytes(8, "big") + BLOCKS.to_bytes(4, "big") + bytes(2)


def sectors(data: bytes) -> list[bytes]:
    return [data[at:at + SECTOR] for at in range(0, len(data), SECTOR)]


def entry(serial: str) -> bytes:
    """The journal of a write of NEW over OLD."""
    head = (b"tsihd atomic w1\n" + (LBA * SECTOR).to_bytes(8, "little")
            + len(NEW).to_bytes(8, "little") + hashlib.sha256(serial.encode()).digest())
    digests = b"".join(hashlib.sha256(one).digest()[:16] for one in [*sectors(OLD), *sectors(NEW)])
    index = (head + hashlib.sha256(head + digests).digest()).ljust(SECTOR, b"\0") + digests
    return index.ljust(DATA_AT, b"\0") + NEW


@pytest.fixture
def serve(tsihd, tmp_path):
    (tmp_path / "state").mkdir()
    return lambda: tsihd("--serve", tmp_path / "disk", "--size", "16M", "--state", tmp_path / "state")


@pytest.fixture
def cut_short(serve, login, tmp_path):
    """A function: tsihd is killed with a whole journal, and the range is this."""
    def end_with(range_: bytes) -> str:
        first = serve()
        _, page = login(first, "one").command(bytes([0x12, 1, 0x80, 0, 255, 0]), data_in_bytes=255)
        first.process.kill()
        first.process.wait()
        serial = page[4:4 + page[3]].decode()
        with open(tmp_path / "disk", "r+b") as disk:
            disk.seek(LBA * SECTOR)
            disk.write(range_)
        (tmp_path / "state" / f"atomic_{serial}").write_bytes(entry(serial))
        return serial
    return end_with


def read_range(tmp_path) -> bytes:
    return (tmp_path / "disk").read_bytes()[LBA * SECTOR:(LBA + BLOCKS) * SECTOR]


def max_atomic_blocks(initiator) -> int:
    _, page = initiator.command(bytes([0x12, 1, 0xb0, 0, 64, 0]), data_in_bytes=64)
    return int.from_bytes(page[44:48], "big")


def test_a_file_has_it_with_a_state_folder(serve, login, tmp_path):
    initiator = login(serve(), "one")
    assert max_atomic_blocks(initiator) == (1 << 20) // SECTOR
    assert initiator.command(WRITE_ATOMIC, NEW)[0] == GOOD
    assert read_range(tmp_path) == NEW


def test_without_one_it_is_refused_and_the_log_says_why(tsihd, login, tmp_path):
    server = tsihd("--serve", tmp_path / "disk", "--size", "16M", "--state", tmp_path / "missing")
    initiator = login(server, "one")
    assert max_atomic_blocks(initiator) == 0
    assert initiator.command(WRITE_ATOMIC, NEW)[0] != GOOD
    lines = [line for line in server.log.read_text().splitlines() if "WRITE ATOMIC" in line]
    assert len(lines) == 1 and str(tmp_path / "missing") in lines[0]


def test_a_read_only_disk_keeps_its_journal(cut_short, tsihd, tmp_path):
    serial = cut_short(NEW[:SECTOR] + OLD[SECTOR:])
    tsihd("--serve", tmp_path / "disk", "--read-only", "--state", tmp_path / "state")
    assert (tmp_path / "state" / f"atomic_{serial}").read_bytes() == entry(serial)
    assert read_range(tmp_path) == NEW[:SECTOR] + OLD[SECTOR:]


@pytest.mark.parametrize("before, after, says", [
    (OLD, OLD, "it had not begun"),
    (NEW[:SECTOR] + OLD[SECTOR:], NEW, "finished"),
    (OLD[:3 * SECTOR] + NEW[3 * SECTOR:], NEW, "finished"),
    (NEW, NEW, "it was done"),
    (NEW[:SECTOR] + bytes(SECTOR) + OLD[2 * SECTOR:], None, "written elsewhere"),
], ids=["old", "first", "last", "new", "foreign"])
def test_the_start_settles_it(cut_short, serve, tmp_path, before, after, says):
    serial = cut_short(before)
    server = serve()
    assert read_range(tmp_path) == (after or before)
    lines = [line for line in server.log.read_text().splitlines() if "atomic." in line]
    assert len(lines) == 1 and says in lines[0]
    assert (tmp_path / "state" / f"atomic_{serial}").read_bytes()[:SECTOR] == bytes(SECTOR)


def test_a_journal_of_another_disk_stops_the_start(cut_short, tmp_path):
    journal = tmp_path / "state" / f"atomic_{cut_short(NEW[:SECTOR] + OLD[SECTOR:])}"
    journal.write_bytes(entry("another"))
    done = run("tsihd", "--serve", tmp_path / "disk", "--portal", "127.0.0.1:0", "--state",
               tmp_path / "state")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"{journal}: holds a write to another disk; move the file away" in done.stderr
    assert read_range(tmp_path) == NEW[:SECTOR] + OLD[SECTOR:]


PLACES, PLACE_BLOCKS = 4, 256


def write_until_it_dies(initiator, first: int, enough: int, kill) -> dict[int, int]:
    """Writes numbers over and over the places, calls `kill` after `enough`; those that ended GOOD."""
    ended: dict[int, int] = {}
    for number in itertools.count(first):
        lba = number % PLACES * PLACE_BLOCKS
        cdb = bytes([0x9c, 0]) + lba.to_bytes(8, "big") + PLACE_BLOCKS.to_bytes(4, "big") + bytes(2)
        data = number.to_bytes(4, "big") * (PLACE_BLOCKS * SECTOR // 4)
        if number - first == enough:
            threading.Thread(target=kill).start()
        if initiator.try_command(cdb, data) != GOOD:
            return ended
        ended[number % PLACES] = number


def test_kill_9_in_the_middle_leaves_it_whole(serve, login, tmp_path):
    """Red when a place is not wholly one write's after the next start, or is older than what ended."""
    ended: dict[int, int] = {}
    for life in range(1, 6):
        server = serve()
        ended |= write_until_it_dies(login(server, "one", port=life), life * 1_000_000, life * 3,
                                     server.process.kill)
        server.process.wait()
        serve().end()
        content = (tmp_path / "disk").read_bytes()
        for place in range(PLACES):
            begin = place * PLACE_BLOCKS * SECTOR
            found = {content[at:at + 4] for at in range(begin, begin + PLACE_BLOCKS * SECTOR, 4)}
            assert len(found) == 1
            assert int.from_bytes(found.pop(), "big") >= ended.get(place, 0)
