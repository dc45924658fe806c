"""The witness of the wire, on captures made here byte by byte."""

import struct

import pytest

from tsih import wirelog
from tsih.wirelog import WireLog

ONE, TWO, TARGET = "10.77.0.1", "10.77.0.2", "10.77.0.9"


class Capture:
    """Writes a pcapng as the lab does: one interface, nanoseconds, comments."""

    def __init__(self, path):
        self.path = path
        self.t_ns = 10**18
        self.sequences = {}
        path.write_bytes(
            self.block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
            + self.block(1, struct.pack("<HHI", 1, 0, 0) + self.option(9, b"\x09") + bytes(4)))

    @staticmethod
    def option(code, value):
        return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)

    @staticmethod
    def block(kind, body):
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    def frame(self, octets, comment=""):
        self.t_ns += 1000
        options = self.option(1, comment.encode()) + bytes(4) if comment else b""
        block = self.block(6, struct.pack("<IIIII", 0, self.t_ns >> 32, self.t_ns & 0xFFFFFFFF,
                                          len(octets), len(octets))
                           + octets + bytes(-len(octets) % 4) + options)
        with open(self.path, "ab") as out:
            out.write(block)

    def segment(self, source, destination, ports, sequence, payload, flags=0x10, comment=""):
        tcp = struct.pack(">HHIIBBHHH", *ports, sequence, 0, 0x50, flags, 0, 0, 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0,
                         bytes(map(int, source.split("."))), bytes(map(int, destination.split("."))))
        # Ethernet pads short frames: what is beyond the IP length is no payload.
        self.frame(bytes(12) + b"\x08\x00" + ip + tcp + b"\x00" * 4, comment)


class Wire:
    """One TCP connection in a capture."""

    def __init__(self, capture, initiator=ONE, port=40000):
        self.capture, self.initiator, self.port = capture, initiator, port
        self.next = {True: 1000, False: 0xFFFFFFF0}  # the target's numbers wrap soon
        for ours in (True, False):
            self.send(b"", ours, flags=2)
            self.next[ours] = (self.next[ours] + 1) & 0xFFFFFFFF

    def send(self, payload, from_initiator=True, *, flags=0x10, comment="", advance=True):
        ends = (self.initiator, TARGET) if from_initiator else (TARGET, self.initiator)
        ports = (self.port, 3260) if from_initiator else (3260, self.port)
        self.capture.segment(*ends, ports, self.next[from_initiator], payload, flags, comment)
        if advance:
            self.next[from_initiator] = (self.next[from_initiator] + len(payload)) & 0xFFFFFFFF


def bhs(opcode, *, data=b"", tag=1, flags=0x80, **at):
    header = bytearray(48)
    header[0:2] = bytes([opcode, flags])
    header[5:8] = len(data).to_bytes(3, "big")
    header[16:20] = tag.to_bytes(4, "big")
    for offset, value in at.items():
        header[int(offset[1:]):int(offset[1:]) + len(value)] = value
    return bytes(header) + data + bytes(-len(data) % 4)


def write_10(lba, tag=1, data=b""):
    return bhs(wirelog.SCSI_COMMAND, tag=tag, data=data,
               _32=bytes([0x2A, 0]) + lba.to_bytes(4, "big"))


def login(discovery=False):
    kind = b"SessionType=Discovery" if discovery else b"SessionType=Normal"
    return bhs(wirelog.LOGIN, data=b"InitiatorName=iqn.x\0" + kind + b"\0", _8=b"\x00\x02\x3d")


def login_answer(status=0):
    return bhs(wirelog.LOGIN_RESPONSE, flags=0x87, _36=status.to_bytes(2, "big"))


@pytest.fixture
def capture(tmp_path):
    return Capture(tmp_path / "capture.pcapng")


@pytest.fixture
def wire(capture):
    return Wire(capture)


def test_a_pdu_is_whole_however_it_is_cut(capture, wire):
    pdu = write_10(7, data=b"12345")
    for start in range(0, len(pdu), 11):
        wire.send(pdu[start:start + 11])
    (seen,) = WireLog(capture.path).update().pdus
    assert seen.is_write and seen.lba == 7 and seen.data == b"12345\0\0\0"
    assert (seen.source, seen.destination, seen.initiator_port) == (ONE, TARGET, 40000)


def test_several_pdus_of_one_segment_are_several(capture, wire):
    wire.send(write_10(1, tag=1) + write_10(2, tag=2) + write_10(3, tag=3)[:20])
    assert [p.lba for p in WireLog(capture.path).update().pdus] == [1, 2]


def test_retransmissions_and_wrong_order_change_nothing(capture, wire):
    first, second = write_10(1), write_10(2)
    wire.next[True] += len(first)
    wire.send(second, advance=False)
    wire.next[True] -= len(first)
    wire.send(first, advance=False)
    wire.send(first + second[:10])
    wire.send(b"", advance=False)
    assert [p.lba for p in WireLog(capture.path).update().pdus] == [1, 2]


def test_sequence_numbers_wrap(capture, wire):
    for _ in range(3):
        wire.send(login_answer(), from_initiator=False)
    assert len(WireLog(capture.path).update().pdus) == 3


def test_a_frame_that_was_lost_was_not_said(capture, wire):
    wire.send(write_10(1), comment="lost: one is cut", advance=False)
    wire.send(write_10(2))
    assert [p.lba for p in WireLog(capture.path).update().pdus] == [2]


def test_a_capture_is_read_while_it_grows(capture, wire):
    log = WireLog(capture.path)
    wire.send(write_10(1))
    assert len(log.update().pdus) == 1
    whole = capture.path.read_bytes()
    wire.send(write_10(2))
    grown = capture.path.read_bytes()
    for end in range(len(whole), len(grown)):
        capture.path.write_bytes(grown[:end])
        assert len(log.update().pdus) == 1
    capture.path.write_bytes(grown)
    assert len(log.update().pdus) == 2


def test_frames_are_numbered_as_wireshark_does(capture, wire):
    capture.frame(b"\xff" * 12 + b"\x08\x06" + bytes(40))
    wire.send(write_10(1))
    assert WireLog(capture.path).update().pdus[0].frame == 4  # two SYNs, an ARP


def test_a_port_that_is_used_again_is_a_new_connection(capture, wire):
    wire.send(write_10(1)[:20])
    again = Wire(capture)
    again.send(write_10(2))
    assert [p.lba for p in WireLog(capture.path).update().pdus] == [2]


def test_logins_are_those_of_normal_sessions_that_were_let_in(capture, wire):
    wire.send(login())
    wire.send(login_answer(0x0302), from_initiator=False)
    discovery = Wire(capture, port=40001)
    discovery.send(login(discovery=True))
    discovery.send(login_answer(), from_initiator=False)
    other = Wire(capture, initiator=TWO)
    other.send(login())
    other.send(login_answer(), from_initiator=False)
    log = WireLog(capture.path).update()
    assert log.logins(ONE) == []
    assert [p.login_status for p in log.refusals(ONE)] == [0x0302]
    assert len(log.logins(TWO)) == 1


def test_writes_have_their_answers(capture, wire):
    wire.send(write_10(5, tag=1) + write_10(6, tag=2) + write_10(7, tag=3))
    wire.send(bhs(wirelog.SCSI_RESPONSE, tag=2), from_initiator=False)
    wire.send(bhs(wirelog.SCSI_RESPONSE, tag=3, _3=b"\x02"), from_initiator=False)
    log = WireLog(capture.path).update()
    assert [(w.lba, a is not None) for w, a in log.writes(ONE)] == [
        (5, False), (6, True), (7, False)]
    assert log.first_command(ONE).lba == 5
    assert log.first_command(TWO) is None


def test_data_is_immediate_unsolicited_or_asked_for(capture, wire):
    wire.send(write_10(5, data=b"data") + write_10(6))
    wire.send(bhs(wirelog.DATA_OUT, data=b"data", _20=b"\xff" * 4))
    wire.send(bhs(wirelog.DATA_OUT, data=b"data", _20=b"\x00\x00\x00\x07"))
    pdus = WireLog(capture.path).update().pdus
    assert [p.is_immediate_data for p in pdus] == [True, False, False, False]
    assert [p.is_unsolicited_data for p in pdus] == [False, False, True, False]
