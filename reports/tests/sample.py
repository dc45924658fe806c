"""Makes run folders of TEST DATA: invented systems, invented findings, for the units of the reports
and for looking at the pages. Nothing here was measured.

    python3 reports/tests/sample.py DIR     writes DIR/sample-conformance, DIR/sample-scenarios
"""

import json
import random
import sys
from pathlib import Path

HOSTILE = '</td><script>alert("key")</script>&\u0001'


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_lines(path: Path, values) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(v, ensure_ascii=False) + "\n" for v in values), encoding="utf-8")


def run_info(what: str, systems: list[str], started="2026-03-01T10:15:00Z", **more) -> dict:
    return {"schema": 1, "what": what, "title": f"TEST DATA: {what}", "command": f"tsih {what} --example",
            "started": started, "ended": started.replace(":15:", ":19:"), "exit_status": 0,
            "host": {"os": "Debian GNU/Linux 12", "kernel": "6.1.0", "cpus": 2, "accel": "tcg"},
            "versions": {"tsih": "0.0-test", **{s: "0.0-test" for s in systems}}, "systems": systems, **more}


def finding(verdict="pass", clause="R3720-10.13.5-05", system="alpha", **more) -> dict:
    result = {"clause": clause, "verdict": verdict, "party": "target", "system": system,
              "message": f"test data: {verdict}", **more}
    if "case" not in more and "scenario" not in more:
        result["case"] = "login.sample"
    return result


def make_run(folder: Path, findings=(), what="conformance", systems=("alpha",), **more) -> Path:
    """A small run folder with just these findings."""
    write_json(folder / "run.json", run_info(what, list(systems), **more))
    write_lines(folder / "findings.jsonl", findings)
    return folder


def pdu(i, t_s, opcode, name, connection=1, text=None, data_bytes=0, **fields) -> dict:
    """A line as harness/wire/LADDER.md describes it; what has no parameter is a header field."""
    line = {"t_ms": round(t_s * 1000, 3), "from": "target" if opcode & 0x20 else "initiator", "connection": connection,
            "event": "pdu", "frame": i + 3, "opcode": opcode, "name": name, "summary": name,
            "fields": {"ITT": i, **fields}, "data_bytes": data_bytes}
    return line | ({"text": text} if text else {})


def tcp(t_s, event, connection, note, who="initiator", **more) -> dict:
    return {"t_ms": round(t_s * 1000, 3), "from": who, "connection": connection, "event": event, "note": note, **more}


def write_lines_of(i, n, t) -> list[dict]:
    """One WRITE(10): command, R2T, data, response. The second one gets a unit attention."""
    common = {"ITT": n + 16, "StatSN": n + 2, "ExpCmdSN": n + 2, "MaxCmdSN": n + 66}
    response = pdu(i + 3, t + 0.0021, 0x21, "SCSI Response", F=1, Response=0, SCSIStatus=0, **common)
    if n == 1:
        response["fields"]["SCSIStatus"] = 2
        response |= {"data_bytes": 20, "data_hex": "0012700006000000000a000000002a09000000000000"}
    return [
        pdu(i, t, 0x01, "SCSI Command", F=1, W=1, ITT=n + 16, CmdSN=n + 1, ExpStatSN=n + 2, LUN="0x0000000000000000",
            ExpectedDataTransferLength=4096, **{"CDB0-7": "0x2a00000000000000"}),
        pdu(i + 1, t + 0.0006, 0x31, "Ready To Transfer", TTT=n + 1, R2TSN=0, BufferOffset=0,
            DesiredDataTransferLength=4096, **common),
        pdu(i + 2, t + 0.0011, 0x05, "Data-Out", F=1, ITT=n + 16, TTT=n + 1, DataSN=0, BufferOffset=0, data_bytes=4096),
        response]


def ladder_lines(extra_io: int) -> list[dict]:
    """A login, some I/O, a fault in its middle, a refused second initiator, a logout."""
    lines = [
        tcp(0.0, "open", 1, "10.7.0.11:40112 to 10.7.0.1:3260"),
        pdu(2, 0.000412, 0x03, "Login Request", I=1, T=1, CSG=1, NSG=3, ISID="0x00023d000001", TSIH=0, CID=0,
            CmdSN=1, ExpStatSN=0, data_bytes=180, text=[["InitiatorName", "iqn.2026-03.test:clone"],
            ["TargetName", "iqn.2026-03.test:disk"], ["SessionType", "Normal"], ["InitialR2T", "No"],
            ["X-test.hostile", HOSTILE], ["MaxBurstLength", "262144"], ["FirstBurstLength", "65536"]]),
        pdu(3, 0.001732, 0x23, "Login Response", T=1, CSG=1, NSG=3, TSIH=1, StatSN=1, ExpCmdSN=1, MaxCmdSN=64,
            Status=0, data_bytes=44, text=[["TargetPortalGroupTag", "1"], ["InitialR2T", "No"]])]
    t = 0.01
    for n in range(extra_io):
        t += 0.0041
        lines += write_lines_of(len(lines) + 1, n, t)
        if n == extra_io // 2:
            lines.append(tcp(t + 0.003, "note", 1, "fault: initiator-a is paused"))
    i = len(lines) + 1
    lines += [
        tcp(t + 0.49, "open", 2, "", initiator="10.7.0.12:51000", target="10.7.0.1:3260"),
        pdu(i + 1, t + 0.5, 0x03, "Login Request", 2, I=1, T=1, CSG=1, NSG=3, ISID="0x00023d000001", TSIH=0, CmdSN=1,
            text=[["InitiatorName", "iqn.2026-03.test:clone"]]),
        pdu(i + 2, t + 0.51, 0x20, "NOP-In", F=1, ITT=0xffffffff, TTT=9, StatSN=90),
        pdu(i + 3, t + 0.81, 0x23, "Login Response", 2, CSG=1, NSG=0, Status=0x0302),
        tcp(t + 0.82, "close", 2, "Connection reset by peer", "target"),
        tcp(t + 0.9, "note", 1, "initiator-a continues"),
        pdu(i + 6, t + 1.0, 0x32, "Asynchronous Message", F=1, ITT=0xffffffff, StatSN=91, AsyncEvent=3),
        pdu(i + 7, t + 1.1, 0x06, "Logout Request", I=1, F=1, Reason=0, CmdSN=99),
        pdu(i + 8, t + 1.11, 0x26, "Logout Response", F=1, Response=0, StatSN=92)]
    return lines


def make_scenario(run: Path, name: str, system: str, outcome="passed", extra_io=150, **more) -> Path:
    folder = run / "scenarios" / f"{name}@{system}"
    write_json(folder / "scenario.json", {
        "schema": 1, "scenario": name, "variant": "", "system": system,
        "title": "TEST DATA: a paused machine and its clone", "outcome": outcome, "expected_disaster": False,
        "description": "Two machines with one identity. The first is paused while it writes, the second wants in.",
        "reason": None if outcome == "passed" else "expected one writer, got two", "started": "2026-03-01T10:15:04Z",
        "duration_ms": 6400, "guests": [{"name": "initiator-a", "role": "initiator", "address": "10.7.0.11"},
                                        {"name": "target", "role": "target", "address": "10.7.0.1"},
                                        {"name": "initiator-b", "role": "initiator", "address": "10.7.0.12"}],
        "metrics": {"takeover_ms": 412, "capacity_before_bytes": 1 << 30, "capacity_after_bytes": 2 << 30, "reinstatements": 0},
        "test": f"scenarios/sample/test_sample.py::test_{name}", **more})
    write_lines(folder / "steps.jsonl", [
        {"t_ms": 0, "kind": "step", "guest": None, "text": "Both machines come up with one identity", "ok": None, "duration_ms": None},
        {"t_ms": 20, "kind": "command", "guest": "initiator-a", "text": "iscsiadm -m discovery -t st -p 10.7.0.1", "ok": True, "duration_ms": 310, "exit_status": 0, "output": "10.7.0.1:3260,1 iqn.2026-03.test:disk\n"},
        {"t_ms": 340, "kind": "command", "guest": "initiator-a", "text": "iscsiadm -m node --login", "ok": True, "duration_ms": 620, "exit_status": 0, "output": "Login successful.\n"},
        {"t_ms": 1000, "kind": "step", "guest": None, "text": "The first one is paused in the middle of its writes", "ok": None, "duration_ms": None},
        {"t_ms": 1850, "kind": "fault", "guest": "initiator-a", "text": "initiator-a is paused", "ok": True, "duration_ms": 12},
        {"t_ms": 1900, "kind": "command", "guest": "initiator-b", "text": "iscsiadm -m node --login", "ok": False, "duration_ms": 3100, "exit_status": 8, "output": "iscsiadm: initiator reported error (8 - connection timed out)\n"},
        {"t_ms": 5050, "kind": "observation", "guest": None, "text": "takeover after 412 ms", "ok": None, "duration_ms": None},
        {"t_ms": 5300, "kind": "fault", "guest": "initiator-a", "text": "initiator-a continues", "ok": True, "duration_ms": 9},
        {"t_ms": 5900, "kind": "finding", "guest": None, "text": "no write of the loser landed after the winner's first command", "ok": True, "duration_ms": None, "verdict": "pass"}])
    write_lines(folder / "capture.ladder.jsonl", ladder_lines(extra_io))
    (folder / "target.log").write_text("".join(f"10:15:{n % 60:02d} test data line {n}\n" for n in range(700)))
    (folder / "serial-target.log").write_text("test data: console\n<b>not bold</b>\n")
    return folder


def sample(base: Path) -> list[Path]:
    """Two runs with a bit of everything, from the real catalogue's ids and a fixed seed."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tsih_report import catalogue
    book = catalogue.load(catalogue.default_folder())
    rng = random.Random(3720)
    conform, findings, cases = base / "sample-conformance", [], []
    ids = [c.id for c in book.clauses.values() if c.coverable and c.binds("target")]
    for n, clause in enumerate(rng.sample(ids, 60)):
        case = f"{'login' if n % 2 else 'text'}.sample_{n:02d}"
        cases.append({"case": case, "title": f"TEST DATA case number {n}", "clauses": [clause], "tags": [f"FFP {n}.1"]})
        for system in ("tsihd", "lio", "tgt"):
            verdict = rng.choices(("pass", "violation", "warning", "unsupported", "inconclusive", "error"), (30, 2, 2, 3, 1, 0.4))[0]
            findings.append(finding(verdict, clause, system, case=case, duration_ms=round(rng.uniform(0.4, 9), 1),
                message="expected status 0x0200, got a closed connection" if verdict == "violation" else f"test data: {verdict}",
                evidence={"file": f"cases/{case}.ladder.jsonl", "line": 3}))
        write_lines(conform / "cases" / f"{case}.ladder.jsonl",
                    [{k: v for k, v in line.items() if k not in ("frame", "initiator", "target")} | (
                        {"note": ""} if line["event"] == "open" else {}) for line in ladder_lines(2)[:14]])
    make_run(conform, findings, systems=("tsihd", "lio", "tgt"), target="iscsi://127.0.0.1:13260/iqn.test/0")
    write_json(conform / "cases.json", cases)
    scenarios = base / "sample-scenarios"
    make_run(scenarios, [
        finding("pass", None, "tsihd", scenario="split_brain.paused", property="one_living_machine", evidence={"file": "scenarios/split_brain.paused@tsihd/capture.pcapng", "frame": 300}),
        finding("violation", None, "lio", scenario="split_brain.paused", property="one_living_machine", message="expected one served initiator, got both: 8 reinstatements in 30 s"),
        finding("pass", "R3720-10.12.6-01", "open-iscsi", scenario="split_brain.paused", party="initiator", peer="tsihd"),
    ], what="scenarios", systems=("tsihd", "lio"), started="2026-03-01T10:21:00Z")
    make_scenario(scenarios, "split_brain.paused", "tsihd")
    make_scenario(scenarios, "split_brain.paused", "lio", expected_disaster=True)
    make_scenario(scenarios, "resize.grow", "tsihd", "failed", extra_io=20)
    make_scenario(scenarios, "login.chap_wrong", "tsihd", extra_io=3)
    return [conform, scenarios]


if __name__ == "__main__":
    print(*sample(Path(sys.argv[1])), sep="\n")
