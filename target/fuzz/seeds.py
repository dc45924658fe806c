#!/usr/bin/python3
"""Writes the hand-made part of the corpora: target/fuzz/corpus/<fuzzer>/seed-<subject>.

Each fuzzer's input format stands at the head of its source; a seed is the shortest script that
takes one way through it. What fuzzing finds besides is kept under names of its own (tools/fuzz).
"""

import hashlib
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"

# -- reader: choices, longest segment, piece size, stream


def bhs(opcode: int, data_bytes: int = 0, ahs_words: int = 0) -> bytes:
    return bytes([opcode, 0x80, 0, 0, ahs_words]) + data_bytes.to_bytes(3, "big") + bytes(40)


def pdu(opcode: int, data: bytes = b"", ahs: bytes = b"", header_digest=False,
        data_digest=False) -> bytes:
    """Digests are left zero: the fuzzer puts the right ones in when bit 2 of the choices says so."""
    whole = bhs(opcode, len(data), len(ahs) // 4) + ahs + bytes(4 * header_digest)
    return whole + data + bytes(-len(data) % 4) + bytes(4 * (data_digest and len(data) > 0))


def reader_seeds() -> dict[str, bytes]:
    def stream(header_digest: bool, data_digest: bool) -> bytes:
        digests = {"header_digest": header_digest, "data_digest": data_digest}
        return (pdu(0x00, b"ping", **digests) + pdu(0x01, ahs=bytes([0, 5, 2, 0]) + bytes(4), **digests)
                + pdu(0x05, bytes(97), **digests) + pdu(0x02, **digests))
    return {
        "plain": bytes([0, 4, 200]) + stream(False, False),
        "plain-bytewise": bytes([0, 4, 0]) + stream(False, False),
        "header-digest": bytes([5, 4, 10]) + stream(True, False),
        "data-digest": bytes([6, 4, 46]) + stream(False, True),
        "both-digests": bytes([7, 4, 50]) + stream(True, True),
        "wrong-digests": bytes([3, 4, 50]) + stream(True, True),
        "too-long": bytes([0, 0, 50]) + pdu(0x05, bytes(200)),
        "cut": bytes([4, 4, 7]) + stream(False, False)[:-5],
    }


# -- text: limits, text


def text(*pairs: str) -> bytes:
    return b"".join(pair.encode() + b"\0" for pair in pairs)


OPERATIONAL = ["HeaderDigest=CRC32C,None", "DataDigest=None", "MaxConnections=4", "InitialR2T=No",
               "ImmediateData=Yes", "MaxRecvDataSegmentLength=8192", "MaxBurstLength=65536",
               "FirstBurstLength=4096", "DefaultTime2Wait=1", "DefaultTime2Retain=0x10",
               "MaxOutstandingR2T=8", "DataPDUInOrder=No", "DataSequenceInOrder=No",
               "ErrorRecoveryLevel=2", "IFMarker=Yes", "OFMarker=No", "IFMarkInt=1~2"]
NAMES = ["InitiatorName=iqn.2026-11.org.example:machine", "SessionType=Normal",
         "TargetName=iqn.2026-11.org.example:disk"]


def text_seeds() -> dict[str, bytes]:
    limits = bytes([63, 63])
    return {
        "operational": limits + text(*OPERATIONAL),
        "names": limits + text(*NAMES, "InitiatorAlias=", "SendTargets=All"),
        "name-forms": limits + text("A=eui.02004567A425678D", "B=naa.52004567BA64678D"),
        "unknown": limits + text("X-org.example.key=1", "X#key=0xff", "Y-z=Reject", "Q=NotUnderstood"),
        "unterminated": limits + b"InitialR2T=No",
        "no-equals": limits + b"InitialR2T\0",
        "bad-key": limits + b"initial=No\0",
        "long-value": bytes([63, 1]) + text("InitialR2T=Irrelevant"),
        "many-pairs": bytes([0, 63]) + text("A=1", "B=2"),
        "twice": limits + text("A=1", "A=1"),
    }


# -- login: choices, then requests of flags, odd fields, length, text

SECURITY, OPERATION, FULL = 0, 1, 3
CONTINUE = 0x40


def request(csg: int, nsg: int | None, data: bytes, odd: bytes = b"\0", flags: int = 0) -> bytes:
    byte = csg << 2 | flags | (0 if nsg is None else 0x80 | nsg)
    return bytes([byte]) + odd + len(data).to_bytes(2, "big") + data


def chap_response(algorithm: str, secret: bytes) -> str:
    """The fuzzer's random bytes are all 5Ah."""
    challenge = b"\x5a" * hashlib.new(algorithm).digest_size
    return "0x" + hashlib.new(algorithm, b"\x5a" + secret + challenge).hexdigest()


def chap(number: int, algorithm: str, *mutual: str) -> bytes:
    return (request(SECURITY, None, text(*NAMES, "AuthMethod=CHAP,None"))
            + request(SECURITY, None, text(f"CHAP_A={number}"))
            + request(SECURITY, OPERATION,
                      text("CHAP_N=user", "CHAP_R=" + chap_response(algorithm, b"secret-of-12"), *mutual))
            + request(OPERATION, FULL, text("InitialR2T=No")))


def login_seeds() -> dict[str, bytes]:
    split = text(*NAMES, *OPERATIONAL)
    return {
        "at-once": b"\0" + request(OPERATION, FULL, text(*NAMES, *OPERATIONAL)),
        "refused": b"\x80" + request(OPERATION, FULL, text(*NAMES)),
        "both-stages": b"\0" + request(SECURITY, OPERATION, text(*NAMES, "AuthMethod=None"))
                       + request(OPERATION, None, text(*OPERATIONAL)) + request(OPERATION, FULL, b""),
        "split": b"\0" + request(OPERATION, None, split[:100], flags=CONTINUE)
                 + request(OPERATION, FULL, split[100:]),
        "chap-md5": b"\x01" + chap(5, "md5"),
        "chap-sha256": b"\x01" + chap(7, "sha256"),
        "chap-mutual": b"\x02" + chap(5, "md5", "CHAP_I=7", "CHAP_C=0b" + "QUJDREVGR0g="),
        "chap-reflected": b"\x02" + chap(5, "md5", "CHAP_I=90", "CHAP_C=0x" + "5a" * 16),
        "chap-wrong": b"\x01" + chap(6, "md5"),
        "no-auth": b"\x01" + request(OPERATION, FULL, text(*NAMES)),
        "discovery": b"\0" + request(OPERATION, FULL, text(NAMES[0], "SessionType=Discovery")),
        "join": b"\0" + request(OPERATION, FULL, text(*NAMES), odd=b"\x01"),
        "version": b"\0" + request(OPERATION, FULL, text(*NAMES), odd=b"\x08\x05"),
        "not-a-login": b"\0" + request(OPERATION, FULL, text(*NAMES), odd=b"\x10\x01"),
        "unknown-keys": b"\0" + request(OPERATION, FULL, text(*NAMES, "X-a.b=1", "Q=2")),
    }


# -- session: guard, max_sessions, then acts; the low four bits of an act say which, the next two on
#    which connection. GOOD keeps the PDU as it was made.

GOOD = b"\0"
LOGIN, COMMAND, ANSWER, DATA_OUT, PING, TEXT, MANAGE, LOGOUT, SNACK, RAW, PASS, COMPLETE, FAIL, READING, VANISH = (
    0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
READ, WRITE, INQUIRY, READY, SYNCHRONISE, COMPARE_AND_WRITE = 0, 1, 2, 3, 4, 5
ALL_KEYS = 0x0fff


def on(line: int, act: int) -> int:
    return line << 4 | act


def login(line: int = 0, who: int = 0, keys: int = 0x008) -> bytes:
    return bytes([on(line, LOGIN), 1, who]) + keys.to_bytes(2, "big") + GOOD


def command(operation: int, blocks: int, style: int = 0, immediate: int = 0, line: int = 0) -> bytes:
    act = bytes([on(line, COMMAND), style | (0x40 if immediate else 0), blocks, operation, 0])
    return act + (bytes([immediate // 16]) if immediate else b"") + GOOD


def answer(pdus: int, line: int = 0) -> bytes:
    return bytes([on(line, ANSWER)]) + GOOD * pdus


def complete(which: int = 0) -> bytes:
    return bytes([COMPLETE, which])


def session_seeds() -> dict[str, bytes]:
    free = b"\0\0"  # no guard, no max_sessions
    ready = command(READY, 0)
    start = free + login() + ready
    slow = bytes([PASS, 3])
    logout = bytes([LOGOUT, 0x04]) + GOOD
    return {
        "login-logout": start + logout,
        "read": start + command(READ, 9) + complete(),
        "read-reordered": start + command(READ, 1) * 3 + complete(2) + complete(1) + complete(),
        "read-digests": free + login(keys=ALL_KEYS) + ready + command(READ, 9) + complete(),
        "read-error": start + command(READ, 1) + bytes([FAIL, 0]),
        "write-r2t": start + command(WRITE, 4) + answer(2) + complete(),
        "write-immediate": start + command(WRITE, 4, immediate=2048) + complete(),
        "write-unsolicited": start + command(WRITE, 4, style=0x04)
                             + bytes([DATA_OUT, 0x02, 0, 128]) + GOOD + complete(),
        "write-bursts": free + login(keys=0x0ff8) + ready + command(WRITE, 4) + answer(1) * 4 + complete(),
        "gap": start + command(READ, 1) + bytes([COMMAND, 0, 1, READ, 0, 0xe0, 27, 9]) + complete(),
        "abort-task": start + command(WRITE, 8) + bytes([MANAGE, 0x11]) + GOOD,
        "abort-task-set": start + command(READ, 8) * 2 + bytes([MANAGE, 0x02]) + GOOD + complete() * 2,
        "lun-reset": start + command(WRITE, 8) + bytes([MANAGE, 0x05]) + GOOD + answer(4) + complete(),
        "cold-reset": start + command(READ, 8) + bytes([MANAGE, 0x07]) + GOOD + complete(),
        "reassign": start + command(READ, 8) + bytes([MANAGE, 0x18]) + GOOD + complete(),
        "ping": start + bytes([PING, 0x40]) + GOOD + bytes([PING, 0x03]) + GOOD,
        "send-targets": start + bytes([TEXT, 0x01, 0]) + GOOD,
        "text-length": start + bytes([TEXT, 0x21, 0]) + GOOD + command(READ, 8) + complete(),
        "snack": start + command(READ, 8) + complete() + bytes([SNACK, 0x40]) + GOOD,
        "keepalive": start + slow * 4,
        "lost-connection": start + command(WRITE, 8) + bytes([VANISH]) + slow,
        "reinstatement": start + login(1) + command(READ, 1, line=1) + complete(),
        "two-sessions": start + login(1, who=1) + command(READ, 1, line=1) + command(READ, 1)
                        + complete(1) + complete(),
        "two-connections": free + login(keys=ALL_KEYS) + ready + login(1, who=0x48, keys=ALL_KEYS)
                           + command(READ, 1, line=1) + complete(),
        "connection-recovery": free + login(keys=ALL_KEYS) + ready + command(READ, 8) + bytes([VANISH])
                               + login(1, who=0x08, keys=ALL_KEYS) + bytes([on(1, MANAGE), 0x18]) + GOOD
                               + complete(),
        "logout-of-one": free + login(keys=ALL_KEYS) + login(1, who=0x48, keys=ALL_KEYS) + ready
                         + bytes([on(1, LOGOUT), 0x05]) + GOOD + bytes([LOGOUT, 0x46]) + GOOD,
        "guard-reject": b"\1\1" + login() + ready + login(1, who=1) + bytes([PASS, 2]),
        "guard-fence": b"\2\1" + login() + ready + login(1, who=1) + bytes([PASS, 4]) + login(0),
        "discovery": free + login(who=2) + bytes([TEXT, 0x01, 0]) + GOOD + logout,
        "no-reading": start + bytes([READING, 0, 255]) + command(READ, 64) * 3 + complete() * 3
                      + bytes([PING, 0x41]) * 3 + bytes([PASS, 4]) * 2,
        "small-pieces": free + bytes([READING, 1, 0]) + login() + command(WRITE, 2, immediate=1024) + complete(),
        "immediate": start + command(READ, 1, style=0x08) * 4 + complete(),
        "tag-in-use": start + command(READ, 8) + command(READ, 8, style=0x20) + complete(),
        "no-lun": start + command(READ, 8, style=0x10) + command(INQUIRY, 1, style=0x10),
        "asked-to-log-out": start + bytes([0xcf, 3]) + slow * 2,
        "shutdown": start + command(READ, 1) + bytes([0xcf, 0xff]) + complete() + logout,
        "many-writes": start + command(WRITE, 60) * 3 + answer(30) * 3 + complete() * 3,
        "compare-and-write": start + command(COMPARE_AND_WRITE | 0x80, 1) + answer(1) + complete() * 2,
    }


def main() -> None:
    for fuzzer, seeds in {"reader": reader_seeds(), "text": text_seeds(), "login": login_seeds(),
                          "session": session_seeds()}.items():
        (CORPUS / fuzzer).mkdir(parents=True, exist_ok=True)
        for stale in (CORPUS / fuzzer).glob("seed-*"):
            stale.unlink()
        for subject, content in seeds.items():
            (CORPUS / fuzzer / f"seed-{subject}").write_bytes(content)


if __name__ == "__main__":
    main()
