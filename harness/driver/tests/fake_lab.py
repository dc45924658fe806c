#!/usr/bin/python3
"""A tsih-lab without guests: says yes to everything and writes down what it was asked for.

`guest.exec` of `die` ends it, `refuse` is refused, `exit N` ends with that status.
"""
import json
import pathlib
import sys

run_dir = pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1])
asked = open(run_dir.parent / "asked.jsonl", "a", encoding="utf-8")
guests = {}


def say(message):
    print(json.dumps(message), flush=True)


def command(shell):
    if shell == "die":
        print("tsih-lab: out of memory", file=sys.stderr, flush=True)
        sys.exit(1)
    words = shell.split()
    code = int(words[1]) if words[:1] == ["exit"] else 0
    return {"exit_code": code, "signal": None, "stdout": "1 2\n", "stderr": "", "truncated": False,
            "duration_ms": 1}


def started(name):
    (run_dir / name).mkdir(exist_ok=True)
    (run_dir / name / "serial.log").write_text("hello from the console\n")
    guests[name] = {"name": name, "nics": [{"ip": f"10.0.0.{len(guests) + 1}", "link": name}],
                    "initiator_name": f"iqn.x:{name}", "console": "/nowhere"}
    return guests[name]


def answer(request):
    op = request["op"]
    if op == "guest.start":
        return started(request["name"])
    if op == "guest.exec":
        return command(request["shell"]) if not request.get("background") else {"exec": "x/1"}
    if op == "capture.start":
        path = run_dir / "scenario.pcapng"
        path.write_bytes(b"frames")
        return {"path": str(path)}
    if op == "lab.keep":
        return {"control": str(run_dir / "control.sock")}
    return {}


say({"event": "lab.ready", "protocol": 1, "accel": "tcg"})
for line in sys.stdin:
    request = json.loads(line)
    asked.write(line)
    asked.flush()
    if request.get("shell") == "refuse":
        say({"id": request["id"], "ok": False,
             "error": {"code": "guest_gone", "message": "it ended", "serial_tail": "panic"}})
        continue
    say({"id": request["id"], "ok": True, "result": answer(request)})
