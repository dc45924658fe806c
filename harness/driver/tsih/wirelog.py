"""Reads iSCSI from a capture while it grows: what was on the wire, when, and in which frame.

A witness for scenarios, with as much of the protocol as they ask about: basic header segments,
logins, SCSI commands and their responses. Judging every PDU is the judge's business. Sessions with
digests are not understood (a scenario that reads the wire does not switch them on).
"""

from __future__ import annotations

import dataclasses
import pathlib
import struct
from typing import Iterator

NOP_OUT, SCSI_COMMAND, TASK_REQUEST, LOGIN, TEXT, DATA_OUT, LOGOUT = range(7)
NOP_IN, SCSI_RESPONSE, TASK_RESPONSE, LOGIN_RESPONSE, TEXT_RESPONSE, DATA_IN, LOGOUT_RESPONSE = range(
    0x20, 0x27)
R2T, ASYNC, REJECT = 0x31, 0x32, 0x3F
ISCSI_PORT = 3260
BHS_BYTES = 48
NO_TAG = b"\xff\xff\xff\xff"
# A stream whose next byte never came to the capture is given up after this much beyond the hole.
REORDER_MAX_BYTES = 16 << 20
WRITE_10, WRITE_16 = 0x2A, 0x8A


@dataclasses.dataclass(frozen=True)
class Frame:
    """One captured frame. `number` is the capture's (1-based, as in Wireshark)."""

    number: int
    t_ns: int
    octets: bytes
    comments: tuple[str, ...]

    @property
    def dropped(self) -> bool:
        """It entered the switch and did not leave it (a cut, a loss, a full queue)."""
        return any("dropped" in comment or "lost" in comment for comment in self.comments)


@dataclasses.dataclass(frozen=True)
class Pdu:
    """One PDU: where it was seen, who sent it, its header and the first bytes of its data."""

    frame: int
    t_ns: int
    source: str
    destination: str
    initiator_port: int
    bhs: bytes
    data: bytes

    @property
    def opcode(self) -> int:
        return self.bhs[0] & 0x3F

    @property
    def initiator_task_tag(self) -> int:
        return int.from_bytes(self.bhs[16:20], "big")

    @property
    def final(self) -> bool:
        return bool(self.bhs[1] & 0x80)

    @property
    def data_segment_bytes(self) -> int:
        return int.from_bytes(self.bhs[5:8], "big")

    # -- SCSI

    @property
    def is_immediate_data(self) -> bool:
        """A WRITE that brings data along."""
        return self.is_write and self.data_segment_bytes > 0

    @property
    def is_unsolicited_data(self) -> bool:
        """A Data-Out that no R2T has asked for."""
        return self.opcode == DATA_OUT and self.bhs[20:24] == NO_TAG

    @property
    def cdb(self) -> bytes:
        return self.bhs[32:48]

    @property
    def is_write(self) -> bool:
        return self.opcode == SCSI_COMMAND and self.cdb[0] in (WRITE_10, WRITE_16)

    @property
    def lba(self) -> int:
        """Of WRITE(10) and WRITE(16)."""
        return int.from_bytes(self.cdb[2:6] if self.cdb[0] == WRITE_10 else self.cdb[2:10], "big")

    @property
    def is_good(self) -> bool:
        """A SCSI Response: completed at target, status GOOD."""
        return self.opcode == SCSI_RESPONSE and self.bhs[2] == 0 and self.bhs[3] == 0

    # -- login

    @property
    def isid(self) -> bytes:
        return self.bhs[8:14]

    @property
    def login_status(self) -> int:
        """Class in the high byte, detail in the low one."""
        return int.from_bytes(self.bhs[36:38], "big")

    @property
    def enters_full_feature_phase(self) -> bool:
        """A Login Response that ends the login with success: T, next stage 3, status 0."""
        return (self.opcode == LOGIN_RESPONSE and self.login_status == 0
                and bool(self.bhs[1] & 0x80) and self.bhs[1] & 3 == 3)

    @property
    def is_first_login(self) -> bool:
        return self.opcode == LOGIN and b"InitiatorName=" in self.data

    @property
    def is_discovery(self) -> bool:
        return b"SessionType=Discovery" in self.data


class _Stream:
    """One direction of one TCP connection, in order, cut into PDUs."""

    def __init__(self, start: int):
        self.next = start
        self.held: dict[int, tuple[Frame, bytes]] = {}
        self.buffer = bytearray()

    def take(self, sequence: int, frame: Frame, payload: bytes) -> Iterator[tuple[Frame, bytes]]:
        """Yields (frame that completed it, whole PDU)."""
        self.held[sequence] = (frame, payload)
        while self.held:
            ready = [s for s in self.held if (self.next - s) & 0xFFFFFFFF < 0x80000000]
            if not ready:
                if sum(len(p) for _, p in self.held.values()) > REORDER_MAX_BYTES:
                    self.held.clear()
                return
            sequence = ready[0]
            at, chunk = self.held.pop(sequence)
            old = (self.next - sequence) & 0xFFFFFFFF
            if old >= len(chunk):
                continue  # a retransmission of what is known
            self.buffer += chunk[old:]
            self.next = (sequence + len(chunk)) & 0xFFFFFFFF
            yield from self._pdus(at)

    def _pdus(self, frame: Frame) -> Iterator[tuple[Frame, bytes]]:
        while len(self.buffer) >= BHS_BYTES:
            additional = self.buffer[4] * 4
            data = int.from_bytes(self.buffer[5:8], "big")
            total = BHS_BYTES + additional + (data + 3) // 4 * 4
            if len(self.buffer) < total:
                return
            yield frame, bytes(self.buffer[:total])
            del self.buffer[:total]


class WireLog:
    """A capture, read as far as it goes; call update() for more. Keeps every PDU.

    Args:
        path: a .pcapng file, perhaps still written to.
    """

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._offset = 0
        self._order = "<"
        self._tick_ns: list[int] = []
        self._frames = 0
        self._streams: dict[tuple, _Stream] = {}
        self.pdus: list[Pdu] = []

    def update(self) -> "WireLog":
        """Reads what has come since."""
        with open(self._path, "rb") as capture:
            capture.seek(self._offset)
            fresh = capture.read()
        position = 0
        while position + 12 <= len(fresh):
            kind = struct.unpack_from("<I", fresh, position)[0]
            if kind == 0x0A0D0D0A:
                magic = fresh[position + 8:position + 12]
                self._order = "<" if magic == b"\x4d\x3c\x2b\x1a" else ">"
                self._tick_ns = []
            kind, length = struct.unpack_from(self._order + "II", fresh, position)
            if length < 12 or position + length > len(fresh):
                break  # the writer is in the middle of it
            self._block(kind, fresh[position + 8:position + length - 4])
            position += length
        self._offset += position
        return self

    def _block(self, kind: int, body: bytes) -> None:
        if kind == 1:
            resolution = next((v for c, v in self._options(body, 8) if c == 9), b"\x06")[0]
            self._tick_ns.append(10 ** (9 - resolution) if resolution <= 9 else 1)
        elif kind == 6:
            self._frames += 1
            interface, high, low, captured, _ = struct.unpack_from(self._order + "IIIII", body)
            comments = tuple(v.decode(errors="replace") for c, v in
                             self._options(body, 20 + (captured + 3) // 4 * 4) if c == 1)
            t_ns = (high << 32 | low) * self._tick_ns[interface]
            self._frame(Frame(self._frames, t_ns, body[20:20 + captured], comments))

    def _options(self, body: bytes, position: int) -> Iterator[tuple[int, bytes]]:
        while position + 4 <= len(body):
            code, length = struct.unpack_from(self._order + "HH", body, position)
            if code == 0:
                return
            yield code, body[position + 4:position + 4 + length]
            position += 4 + (length + 3) // 4 * 4

    def _frame(self, frame: Frame) -> None:
        octets = frame.octets
        if frame.dropped or octets[12:14] != b"\x08\x00" or octets[23] != 6:
            return
        ip = 14
        tcp = ip + (octets[ip] & 15) * 4
        end = ip + int.from_bytes(octets[ip + 2:ip + 4], "big")
        source, destination = (".".join(map(str, octets[ip + a:ip + a + 4])) for a in (12, 16))
        from_port, to_port, sequence = struct.unpack_from(">HHI", octets, tcp)
        if ISCSI_PORT not in (from_port, to_port):
            return
        payload = octets[tcp + (octets[tcp + 12] >> 4) * 4:end]
        key = (source, from_port, destination, to_port)
        if octets[tcp + 13] & 2:  # SYN: a new connection, also where its ports were used before
            self._streams[key] = _Stream((sequence + 1) & 0xFFFFFFFF)
        stream = self._streams.get(key)
        if stream is None or not payload:
            return
        port = from_port if to_port == ISCSI_PORT else to_port
        for at, octets in stream.take(sequence, frame, payload):
            data = BHS_BYTES + octets[4] * 4
            self.pdus.append(Pdu(at.number, at.t_ns, source, destination, port,
                                 octets[:BHS_BYTES], octets[data:data + 1024]))

    # -- questions ------------------------------------------------------------------------------

    def logins(self, address: str) -> list[Pdu]:
        """Final Login Responses (success) of normal sessions that this initiator got, in order."""
        normal, answers = set(), []
        for pdu in self.pdus:
            if pdu.source == address and pdu.opcode == LOGIN and b"InitiatorName=" in pdu.data:
                connection = (pdu.initiator_port, pdu.source)
                (normal.discard if pdu.is_discovery else normal.add)(connection)
            elif pdu.enters_full_feature_phase and (pdu.initiator_port, address) in normal \
                    and pdu.destination == address:
                answers.append(pdu)
        return answers

    def refusals(self, address: str) -> list[Pdu]:
        """Login Responses with another status than success."""
        return [p for p in self.pdus if p.destination == address and p.opcode == LOGIN_RESPONSE
                and p.login_status != 0]

    def first_command(self, address: str, after_ns: int = 0) -> Pdu | None:
        return next((p for p in self.pdus if p.source == address and p.t_ns > after_ns
                     and p.opcode == SCSI_COMMAND), None)

    def writes(self, address: str) -> list[tuple[Pdu, Pdu | None]]:
        """Each WRITE of this initiator with its SCSI Response, if one came with status GOOD."""
        waiting: dict[tuple[int, int], int] = {}
        pairs: list[tuple[Pdu, Pdu | None]] = []
        for pdu in self.pdus:
            key = (pdu.initiator_port, pdu.initiator_task_tag)
            if pdu.source == address and pdu.opcode == SCSI_COMMAND:
                waiting.pop(key, None)
                if pdu.is_write:
                    waiting[key] = len(pairs)
                    pairs.append((pdu, None))
            elif pdu.destination == address and pdu.is_good and key in waiting:
                index = waiting.pop(key)
                pairs[index] = (pairs[index][0], pdu)
        return pairs
