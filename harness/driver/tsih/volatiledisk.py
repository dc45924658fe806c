"""A disk with a volatile cache that can lose its power: an NBD server, served to one guest.

What QEMU alone cannot show: a guest that is killed leaves everything that it wrote in the page cache
of the host, so nothing is ever lost. This disk keeps two contents instead:

- the *seen* one, which reads return: every write that was acknowledged;
- the *medium*: what a power cut cannot take. A write gets there by a later flush, or at once with FUA.

A power cut gives back the medium together with any part of what was not flushed: disks write their
caches back in whatever order they like, a block at a time. `after_power_cut(seed)` makes one such
content, by the seed; every one of them is a disk that a machine may find after its power came back.

`lies=True` makes a disk that acknowledges flushes and FUA without doing anything: what judges a target
by this disk must turn red on it.

NBD: newstyle negotiation with NBD_OPT_GO, simple replies, no TRIM and no WRITE_ZEROES (QEMU then
writes the zeroes). https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
"""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import socket
import struct
import threading

from tsih.errors import LabError

SECTOR_BYTES = 512
MAX_REQUEST_BYTES = 32 << 20

_MAGIC, _OPTION_MAGIC, _REPLY_MAGIC = b"NBDMAGIC", b"IHAVEOPT", 0x3E889045565A9
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_EXPORT_NAME, _ABORT, _INFO, _GO = 1, 2, 6, 7
_REPLY_ACK, _REPLY_INFO, _REPLY_UNSUPPORTED = 1, 3, 0x80000001
_INFO_EXPORT = 0
_HAS_FLAGS, _SEND_FLUSH, _SEND_FUA = 1, 4, 8
_REQUEST, _SIMPLE_REPLY = 0x25609513, 0x67446698
_READ, _WRITE, _DISCONNECT, _FLUSH = range(4)
_FUA = 1
_EINVAL = 22


class VolatileDisk:
    """The disk and its server. One client at a time; a new one may come when the old is gone.

    Args:
        folder: where its two contents are kept (sparse files); made when it is missing.
        name: of its files and its socket.
        size_bytes: of the disk, a multiple of 512.
        lies: acknowledge flushes and FUA, do nothing.
        bus: as in disk.add.
    """

    def __init__(self, folder: pathlib.Path, name: str, size_bytes: int, *, lies: bool = False,
                 bus: str = "virtio-blk"):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.size_bytes = size_bytes
        self.lies = lies
        self.bus = bus
        self.flushes = 0
        self._medium = folder / f"{name}.medium"
        self._seen = folder / f"{name}.seen"
        for path in (self._medium, self._seen):
            with open(path, "wb") as file:
                file.truncate(size_bytes)
        self._seen_file = open(self._seen, "r+b", buffering=0)
        self._unflushed: list[tuple[int, bytes]] = []
        self._lock = threading.Lock()
        self.socket = folder / f"{name}.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen(1)
        self._client: socket.socket | None = None
        self._unplugged = threading.Event()
        self._unplugged.set()
        threading.Thread(target=self._serve, name=f"disk {name}", daemon=True).start()

    def as_disk(self) -> dict:
        """What guest.start and disk.add take."""
        return {"name": self.name, "nbd": str(self.socket), "size_bytes": self.size_bytes,
                "bus": self.bus}

    def close(self) -> None:
        """Ends the server and takes the files away."""
        self._listener.close()
        if self._client:
            self._client.close()
        self._seen_file.close()
        for path in (self._medium, self._seen, self.socket):
            path.unlink(missing_ok=True)

    # -- the power ------------------------------------------------------------------------------

    @property
    def unflushed_writes(self) -> int:
        with self._lock:
            return len(self._unflushed)

    def wait_unplugged(self, timeout_s: float = 60.0) -> None:
        """Until a killed guest's last request has been taken in."""
        if not self._unplugged.wait(timeout_s):
            raise LabError(f"disk {self.name}: its guest was killed and is still connected")

    def after_power_cut(self, seed: int, path: pathlib.Path) -> None:
        """Writes one content that the disk may have after a power cut now.

        Seed 0 loses all that was not flushed. Others keep each block of it with a probability of
        the seed's own, so that some lose nearly all and some nearly nothing.
        """
        with self._lock:
            shutil.copyfile(self._medium, path)
            with open(path, "r+b") as file:
                _write_back(file, self._unflushed, seed)

    def cut_power(self, seed: int) -> None:
        """The content of after_power_cut(seed) is what the next guest finds; the cache is empty."""
        with self._lock:
            lost, self._unflushed = self._unflushed, []
            with open(self._medium, "r+b") as medium:
                _write_back(medium, lost, seed)
                for offset, data in lost:
                    medium.seek(offset)
                    os.pwrite(self._seen_file.fileno(), medium.read(len(data)), offset)

    # -- requests -------------------------------------------------------------------------------

    def _write(self, offset: int, data: bytes, durable: bool) -> None:
        with self._lock:
            os.pwrite(self._seen_file.fileno(), data, offset)
            if durable and not self.lies:
                # Only this write: making more durable than FUA asks for would hide a missing flush.
                self._forget(offset, len(data))
                self._make_durable([(offset, data)])
            else:
                self._unflushed.append((offset, data))

    def _forget(self, offset: int, length: int) -> None:
        """What lies in the cache there is older than what the medium is about to get."""
        end, kept = offset + length, []
        for at, data in self._unflushed:
            before, after = max(0, offset - at), max(0, end - at)
            if before >= len(data) or end <= at:
                kept.append((at, data))
                continue
            kept += [(at, data[:before])] * (before > 0)
            kept += [(at + after, data[after:])] * (after < len(data))
        self._unflushed = kept

    def _flush(self) -> None:
        with self._lock:
            self.flushes += 1
            if self.lies:
                return
            done, self._unflushed = self._unflushed, []
            self._make_durable(done)

    def _make_durable(self, writes: list[tuple[int, bytes]]) -> None:
        with open(self._medium, "r+b") as medium:
            for offset, data in writes:
                medium.seek(offset)
                medium.write(data)

    # -- NBD ------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._client = client
            self._unplugged.clear()
            with client:
                try:
                    if self._negotiate(client):
                        self._transmit(client)
                except (OSError, EOFError, ValueError):
                    pass  # QEMU was killed, or the disk was closed
            self._unplugged.set()

    def _negotiate(self, client: socket.socket) -> bool:
        """True when the client has chosen the export, False when it went."""
        client.sendall(_MAGIC + _OPTION_MAGIC + struct.pack(">H", _FIXED_NEWSTYLE | _NO_ZEROES))
        _receive(client, 4)
        flags = _HAS_FLAGS | _SEND_FLUSH | _SEND_FUA
        while True:
            magic, option, length = struct.unpack(">8sII", _receive(client, 16))
            if magic != _OPTION_MAGIC or length > 4096:
                raise ValueError("not an NBD option")
            _receive(client, length)

            def reply(kind: int, data: bytes = b"") -> None:
                client.sendall(struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(data)) + data)

            if option == _EXPORT_NAME:
                client.sendall(struct.pack(">QH", self.size_bytes, flags))
                return True
            if option in (_INFO, _GO):
                reply(_REPLY_INFO, struct.pack(">HQH", _INFO_EXPORT, self.size_bytes, flags))
            reply(_REPLY_ACK if option in (_INFO, _GO, _ABORT) else _REPLY_UNSUPPORTED)
            if option in (_GO, _ABORT):
                return option == _GO

    def _transmit(self, client: socket.socket) -> None:
        while True:
            magic, flags, kind, handle, offset, length = struct.unpack(
                ">IHH8sQI", _receive(client, 28))
            if magic != _REQUEST or length > MAX_REQUEST_BYTES or kind == _DISCONNECT:
                return
            error, answer = 0, b""
            if kind == _READ:
                answer = os.pread(self._seen_file.fileno(), length, offset)
            elif kind == _WRITE:
                self._write(offset, _receive(client, length), bool(flags & _FUA))
            elif kind == _FLUSH:
                self._flush()
            else:
                error = _EINVAL
            client.sendall(struct.pack(">II8s", _SIMPLE_REPLY, error, handle) + answer)


def _write_back(file, unflushed: list[tuple[int, bytes]], seed: int) -> None:
    """Lets each block of the unflushed writes reach the file or not, in the order of the writes."""
    if seed == 0:
        return
    dice = random.Random(seed)
    kept = dice.random()
    for offset, data in unflushed:
        for at in range(0, len(data), SECTOR_BYTES):
            if dice.random() < kept:
                file.seek(offset + at)
                file.write(data[at:at + SECTOR_BYTES])


def _receive(client: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = client.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
