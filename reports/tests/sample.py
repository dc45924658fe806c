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


def pdu(i, t_s, opcode, name, **more) -> dict:
    ends = ("10.7.0.1:3260", "10.7.0.11:40112") if opcode & 0x20 else ("10.7.0.11:40112", "10.7.0.1:3260")
    return {"i": i, "t_s": t_s, "frame": i + 3, "kind": "pdu", "from": ends[0], "to": ends[1], "conn": 1,
            "opcode": opcode, "name": name, "flags": [], "itt": i, **more}


def ladder_lines(extra_io: int) -> list[dict]:
    """A login, some I/O, a fault in its middle, a refused second initiator, a logout."""
    lines = [
        {"i": 1, "t_s": 0.0, "kind": "tcp", "event": "open", "from": "10.7.0.11:40112", "to": "10.7.0.1:3260", "conn": 1},
        pdu(2, 0.000412, 0x03, "Login Request", flags=["I", "T"], csg=1, nsg=3, isid="00023d000001", tsih=0, cid=0,
            cmdsn=1, expstatsn=0, data_bytes=180, keys=[["InitiatorName", "iqn.2026-03.test:clone"],
            ["TargetName", "iqn.2026-03.test:disk"], ["SessionType", "Normal"], ["InitialR2T", "No"],
            ["X-test.hostile", HOSTILE], ["MaxBurstLength", "262144"], ["FirstBurstLength", "65536"]]),
        pdu(3, 0.001732, 0x23, "Login Response", flags=["T"], csg=1, nsg=3, tsih=1, statsn=1, expcmdsn=1,
            maxcmdsn=64, data_bytes=44, status="0x0000 Success", keys=[["TargetPortalGroupTag", "1"], ["InitialR2T", "No"]])]
    t = 0.01
    for n in range(extra_io):
        t += 0.0041
        i = len(lines) + 1
        lines.append(pdu(i, round(t, 6), 0x01, "SCSI Command", flags=["F", "W"], itt=n + 16, cmdsn=n + 1,
                         expstatsn=n + 2, lun=0, edtl_bytes=4096, cdb="2a" + "00" * 15, cdb_name="WRITE(10)", data_bytes=0))
        lines.append(pdu(i + 1, round(t + 0.0006, 6), 0x31, "R2T", itt=n + 16, ttt=n + 1, statsn=n + 2,
                         expcmdsn=n + 2, maxcmdsn=n + 66, datasn=0, offset=0, edtl_bytes=4096))
        lines.append(pdu(i + 2, round(t + 0.0011, 6), 0x05, "Data-Out", flags=["F"], itt=n + 16, ttt=n + 1,
                         datasn=0, offset=0, data_bytes=4096))
        lines.append(pdu(i + 3, round(t + 0.0021, 6), 0x21, "SCSI Response", flags=["F"], itt=n + 16, statsn=n + 2,
                         expcmdsn=n + 2, maxcmdsn=n + 66, status="GOOD"))
        if n == extra_io // 2:
            lines.append({"i": len(lines) + 1, "t_s": round(t + 0.003, 6), "kind": "note", "text": "fault: initiator-a is paused"})
    i = len(lines) + 1
    second = {"from": "10.7.0.12:51000", "to": "10.7.0.1:3260", "conn": 2}
    back = {"from": "10.7.0.1:3260", "to": "10.7.0.12:51000", "conn": 2}
    lines += [
        pdu(i, t + 0.5, 0x03, "Login Request", flags=["I", "T"], csg=1, nsg=3, isid="00023d000001", tsih=0, cid=0,
            cmdsn=1, keys=[["InitiatorName", "iqn.2026-03.test:clone"]]) | second,
        pdu(i + 1, t + 0.51, 0x20, "NOP-In", flags=["F"], itt=0xffffffff, ttt=9, statsn=90),
        pdu(i + 2, t + 0.81, 0x23, "Login Response", csg=1, status="0x0302 Out of resources") | back,
        {"i": i + 3, "t_s": t + 0.82, "kind": "tcp", "event": "reset", **back},
        {"i": i + 4, "t_s": t + 0.9, "kind": "note", "text": "initiator-a continues"},
        pdu(i + 5, t + 1.0, 0x32, "Async Message", flags=["F"], itt=0xffffffff, statsn=91, function="session is ended"),
        pdu(i + 6, t + 1.1, 0x06, "Logout Request", flags=["I", "F"], function="close the session", cmdsn=99),
        pdu(i + 7, t + 1.11, 0x26, "Logout Response", flags=["F"], status="0 closed", statsn=92)]
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
        cases.append({"case": case, "title": f"TEST DATA case number {n}", "clauses": [clause]})
        for system in ("tsihd", "lio", "tgt"):
            verdict = rng.choices(("pass", "violation", "warning", "unsupported", "inconclusive", "error"), (30, 2, 2, 3, 1, 0.4))[0]
            findings.append(finding(verdict, clause, system, case=case, duration_ms=round(rng.uniform(0.4, 9), 1),
                message="expected status 0x0200, got a closed connection" if verdict == "violation" else f"test data: {verdict}",
                evidence={"file": f"cases/{case}.ladder.jsonl", "line": 3}))
        write_lines(conform / "cases" / f"{case}.ladder.jsonl",
                    [{**line, **{k: "initiator" if "0.11" in line[k] else "target" for k in ("from", "to") if k in line}}
                     for line in ladder_lines(2)[:14]])
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
