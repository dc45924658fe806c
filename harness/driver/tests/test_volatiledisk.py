"""A disk whose power can be cut: what must be there afterwards, and what need not."""

import socket
import struct

import pytest

from tsih.volatiledisk import SECTOR_BYTES, VolatileDisk

SIZE = 64 * 1024
READ, WRITE, DISCONNECT, FLUSH, TRIM = range(5)
FUA = 1


class Client:
    """As much of NBD as QEMU speaks with it."""

    def __init__(self, disk):
        self.wire = socket.socket(socket.AF_UNIX)
        self.wire.connect(str(disk.socket))
        assert self.take(18)[:16] == b"NBDMAGICIHAVEOPT"
        self.wire.sendall(struct.pack(">I", 3))
        self.option(8)  # structured replies, which QEMU asks for first
        assert self.reply()[0] == 0x80000001
        self.option(7, struct.pack(">IH", 0, 0))
        kind, data = self.reply()
        _, self.size, self.flags = struct.unpack(">HQH", data)
        assert kind == 3 and self.reply()[0] == 1

    def option(self, number, data=b""):
        self.wire.sendall(b"IHAVEOPT" + struct.pack(">II", number, len(data)) + data)

    def reply(self):
        _, _, kind, length = struct.unpack(">QIII", self.take(20))
        return kind, self.take(length)

    def take(self, length):
        data = b""
        while len(data) < length:
            data += self.wire.recv(length - len(data))
        return data

    def call(self, kind, offset=0, length=0, data=b"", flags=0):
        self.wire.sendall(struct.pack(">IHH8sQI", 0x25609513, flags, kind, b"a-handle", offset,
                                      length or len(data)) + data)
        magic, error, handle = struct.unpack(">II8s", self.take(16))
        assert magic == 0x67446698 and handle == b"a-handle"
        return error

    def read(self, offset, length):
        assert self.call(READ, offset, length) == 0
        return self.take(length)


@pytest.fixture
def make(tmp_path):
    disks = []

    def one(**options):
        disks.append(VolatileDisk(tmp_path / "disks", "cache", SIZE, **options))
        return disks[-1], Client(disks[-1])

    yield one
    for disk in disks:
        disk.close()


def block(letter, count=1):
    return letter.encode() * SECTOR_BYTES * count


def content(disk, seed, tmp_path):
    disk.after_power_cut(seed, tmp_path / "image")
    return (tmp_path / "image").read_bytes()


def test_it_introduces_itself(make):
    _, client = make()
    assert client.size == SIZE
    assert client.flags == 1 | 4 | 8  # flags, flush, FUA
    assert client.call(TRIM, 0, 512) != 0


def test_a_write_is_seen_and_lost_without_a_flush(make, tmp_path):
    disk, client = make()
    client.call(WRITE, 512, data=block("a"))
    assert client.read(512, 512) == block("a")
    assert content(disk, 0, tmp_path) == bytes(SIZE)


def test_a_flushed_write_is_there_on_every_seed(make, tmp_path):
    disk, client = make()
    client.call(WRITE, 0, data=block("a", 8))
    client.call(FLUSH)
    client.call(WRITE, 4096, data=block("b", 8))
    for seed in range(20):
        assert content(disk, seed, tmp_path)[:4096] == block("a", 8)


def test_fua_saves_one_write_and_no_other(make, tmp_path):
    disk, client = make()
    client.call(WRITE, 0, data=block("a"))
    client.call(WRITE, 512, data=block("b"), flags=FUA)
    assert content(disk, 0, tmp_path)[:1024] == bytes(512) + block("b")


def test_an_old_write_in_the_cache_does_not_come_back_over_fua(make, tmp_path):
    disk, client = make()
    client.call(WRITE, 0, data=block("a", 4))
    client.call(WRITE, 512, data=block("b"), flags=FUA)
    client.call(FLUSH)
    for seed in range(5):
        assert content(disk, seed, tmp_path)[:2048] == block("a") + block("b") + block("a", 2)


def test_seeds_lose_different_parts_of_what_was_not_flushed(make, tmp_path):
    disk, client = make()
    client.call(WRITE, 0, data=block("a", 64))
    kept = {content(disk, seed, tmp_path).count(b"a") // SECTOR_BYTES for seed in range(30)}
    assert min(kept) < 10 and max(kept) > 54 and len(kept) > 10


def test_the_same_seed_loses_the_same(make, tmp_path):
    disk, client = make()
    client.call(WRITE, 0, data=block("a", 64))
    assert content(disk, 7, tmp_path) == content(disk, 7, tmp_path)


def test_after_the_cut_the_next_guest_finds_what_was_kept(make, tmp_path):
    disk, client = make()
    client.call(WRITE, 0, data=block("a", 64))
    expected = content(disk, 3, tmp_path)
    client.wire.close()
    disk.wait_unplugged()
    disk.cut_power(3)
    assert Client(disk).read(0, SIZE) == expected
    assert disk.unflushed_writes == 0


def test_a_disk_that_lies_loses_what_was_flushed(make, tmp_path):
    disk, client = make(lies=True)
    client.call(WRITE, 0, data=block("a"))
    client.call(WRITE, 512, data=block("b"), flags=FUA)
    client.call(FLUSH)
    assert client.read(0, 1024) == block("a") + block("b")
    assert content(disk, 0, tmp_path) == bytes(SIZE)
