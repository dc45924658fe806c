#!/usr/bin/python3
"""tsih-lab with real guests: boots, runs commands, breaks the wire, grows disks, ends.

    guests_test.py --lab build/bin/tsih-lab --image $(images/build --print)

Runs under `make check`; the exit status tells. The times it prints are measured, not judged.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

GONE_S = 60.0
OPTIONS = argparse.Namespace()


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]
        self.error = error


class Lab:
    """The thinnest driver: a process, and replies by id."""

    def __init__(self, *arguments):
        self.run_dir = pathlib.Path(tempfile.mkdtemp(prefix="tsih-lab-test-"))
        self.process = subprocess.Popen(
            [OPTIONS.lab, "--run-dir", str(self.run_dir), "--image", OPTIONS.image, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            bufsize=1)
        self.events, self.replies, self.number = [], {}, 0
        self.news, self.closed = threading.Condition(), False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.news:
                if "event" in message:
                    self.events.append(message)
                else:
                    self.replies[message["id"]] = message
                self.news.notify_all()
        with self.news:
            self.closed = True
            self.news.notify_all()

    def post(self, op, **arguments):
        self.number += 1
        self.process.stdin.write(json.dumps({"id": self.number, "op": op, **arguments}) + "\n")
        return self.number

    def get(self, number):
        with self.news:
            self.news.wait_for(lambda: number in self.replies or self.closed, 300)
            reply = self.replies.pop(number, None)
        if reply is None:
            raise AssertionError("the lab went away")
        if not reply["ok"]:
            raise Refused(reply["error"])
        return reply["result"]

    def __call__(self, op, **arguments):
        return self.get(self.post(op, **arguments))

    def event(self, name, **fields):
        def fits(event):
            return event["event"] == name and all(event.get(k) == v for k, v in fields.items())
        with self.news:
            self.news.wait_for(lambda: any(map(fits, self.events)) or self.closed, 300)
            return next(filter(fits, self.events))

    def sh(self, guest, command, **arguments):
        return self("guest.exec", guest=guest, shell=command, **{"timeout_ms": 240000, **arguments})

    def close(self):
        self.process.stdin.close()
        self.process.wait(GONE_S)
        self.process.stdout.close()
        self.process.stderr.close()
        shutil.rmtree(self.run_dir)


def gone(pid):
    """True once a process has ended (a zombie that its parent has not reaped counts)."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def wait_gone(pid):
    until = time.monotonic() + GONE_S
    while not gone(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return gone(pid)


class Guests(unittest.TestCase):
    """One lab, two guests and a clone; each test leaves them as it found them."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        started = time.monotonic()
        first = cls.lab.post("guest.start", name="one",
                             disks=[{"name": "lun0", "size_bytes": 64 << 20},
                                    {"name": "pv", "size_bytes": 64 << 20}],
                             forward_tcp=[{"guest_port": 3260}], files={"/etc/greeting": "hello\n"})
        second = cls.lab.post("guest.start", name="two")
        cls.one, cls.two = cls.lab.get(first), cls.lab.get(second)
        print(f"two guests at once: {time.monotonic() - started:.1f} s", file=sys.stderr)

    def refused(self, code, op, **arguments):
        with self.assertRaises(Refused) as caught:
            self.lab(op, **arguments)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception

    def test_commands_tell_how_they_ended(self):
        result = self.lab.sh("one", "echo out; echo err >&2; exit 3")
        self.assertEqual((result["exit_code"], result["stdout"], result["stderr"]),
                         (3, "out\n", "err\n"))
        result = self.lab("guest.exec", guest="one", argv=["cat"], stdin="in")
        self.assertEqual(result["stdout"], "in")
        result = self.lab("guest.exec", guest="one", argv=["sh", "-c", "echo $X"], env={"X": "é"})
        self.assertEqual(result["stdout"], "é\n")
        self.assertEqual(self.lab.sh("one", "kill -9 $$")["signal"], 9)

    def test_the_guest_is_what_was_asked_for(self):
        self.assertEqual(self.lab.sh("one", "hostname; cat /etc/greeting")["stdout"], "one\nhello\n")
        self.assertIn(self.two["nics"][0]["ip"], self.lab.sh("two", "ip -br a")["stdout"])
        self.assertEqual(self.lab.sh("one", "blockdev --getsize64 /dev/tsih/pv")["stdout"],
                         f"{64 << 20}\n")
        self.assertEqual(self.lab.sh("one", "ls /opt/tsih/bin/tsih-lab")["exit_code"], 0)

    def test_a_command_that_is_too_slow_is_killed_with_its_children(self):
        error = self.refused("exec_timeout", "guest.exec", guest="one", timeout_ms=300,
                             shell="echo begun; sleep 1000 & wait").error
        self.assertEqual(error["stdout"], "begun\n")
        self.assertEqual(self.lab.sh("one", "pgrep -x sleep")["exit_code"], 1)

    def test_commands_run_side_by_side(self):
        waiter = self.lab("guest.exec", guest="one", background=True,
                          shell="until [ -e /tmp/go ]; do usleep 10000; done; echo went")
        self.refused("exec_timeout", "exec.wait", exec=waiter["exec"], timeout_ms=1)
        self.lab("file.write", guest="one", path="/tmp/go", text="")
        self.assertEqual(self.lab("exec.wait", exec=waiter["exec"])["stdout"], "went\n")
        self.refused("no_such", "exec.wait", exec=waiter["exec"])

    def test_a_background_command_can_be_signalled(self):
        token = self.lab("guest.exec", guest="one", argv=["sleep", "1000"], background=True)["exec"]
        self.lab("exec.kill", exec=token)
        self.assertEqual(self.lab("exec.wait", exec=token)["signal"], 15)

    def test_files_go_there_and_back(self):
        data = "ä" * 300_000
        self.lab("file.write", guest="one", path="/tmp/file", text=data)
        self.lab("file.write", guest="one", path="/tmp/file", text="end", append=True)
        got = self.lab("file.read", guest="one", path="/tmp/file", max_bytes=1 << 20)
        self.assertEqual(got["text"], data + "end")
        self.assertTrue(got["eof"])
        self.refused("agent", "file.read", guest="one", path="/nowhere")

    def test_a_cut_link_loses_frames_in_its_direction_and_heals(self):
        ping = f"ping -c1 -W1 {self.one['nics'][0]['ip']}"
        answered = f"until {ping}; do :; done"
        self.assertEqual(self.lab.sh("two", answered)["exit_code"], 0)
        for direction in ("from_guest", "to_guest", "both"):
            self.lab("link.cut", link="two", direction=direction)
            self.assertEqual(self.lab.sh("two", ping)["exit_code"], 1, direction)
            self.lab("link.heal", link="two")
        self.assertEqual(self.lab.sh("two", answered)["exit_code"], 0)
        self.lab("capture.flush")
        with open(self.lab.run_dir / "wire.pcapng", "rb") as capture:
            written = capture.read()
        for comment in (b"link two is cut, to the guest", b"lost: two is cut", b"link two is healed"):
            self.assertIn(comment, written)

    def test_a_delay_is_felt(self):
        self.lab("link.shape", link="two", delay_ms=150)
        started = time.monotonic()
        self.lab.sh("two", f"ping -c1 -W60 {self.one['nics'][0]['ip']}")
        self.assertGreater(time.monotonic() - started, 0.3)
        self.lab("link.shape", link="two")

    def test_a_paused_guest_stands_still(self):
        self.lab("guest.pause", guest="two")
        self.refused("wrong_state", "guest.exec", guest="two", argv=["true"])
        self.assertEqual(self.lab("guest.info", guest="two")["state"], "paused")
        self.lab("guest.continue", guest="two")
        self.assertEqual(self.lab.sh("two", "true")["exit_code"], 0)

    def test_disks_grow_online_and_come_and_go(self):
        self.lab("disk.grow", guest="one", disk="lun0", size_bytes=128 << 20)
        grown = f"until [ $(blockdev --getsize64 /dev/tsih/%s) = {128 << 20} ]; do usleep 10000; done"
        self.assertEqual(self.lab.sh("one", grown % "lun0")["exit_code"], 0)
        for bus in ("virtio-blk", "virtio-scsi"):
            self.lab("disk.add", guest="one", disk={"name": "more", "size_bytes": 64 << 20, "bus": bus})
            self.lab("disk.grow", guest="one", disk="more", size_bytes=128 << 20)
            self.assertEqual(self.lab.sh("one", grown % "more")["exit_code"], 0, bus)
            self.lab("disk.remove", guest="one", disk="more")
        self.refused("bad_request", "disk.grow", guest="one", disk="lun0", size_bytes=512)

    def test_a_forwarded_port_reaches_the_guest(self):
        server = self.lab("guest.exec", guest="one", background=True,
                          shell="echo served | nc -l -p 3260")["exec"]
        self.lab.sh("one", "until ss -ltn | grep -q :3260; do usleep 10000; done")
        port = self.one["forward_tcp"][0]["host_port"]
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            self.assertEqual(connection.makefile().readline(), "served\n")
        self.lab("exec.wait", exec=server)

    def test_lvm_makes_and_grows_a_volume_without_udev(self):
        script = """set -e
            vgcreate -q vg /dev/tsih/pv; lvcreate -q -n lv -L 16M vg; lvresize -q -L 32M vg/lv
            blockdev --getsize64 /dev/vg/lv; vgremove -q -f vg"""
        result = self.lab.sh("one", script)
        self.assertEqual(result["exit_code"], 0, result)
        self.assertIn(f"{32 << 20}\n", result["stdout"])

    def test_a_clone_has_the_identity_and_its_own_address(self):
        self.lab.sh("two", "echo changed >>/etc/iscsi/iscsid.conf")
        started = time.monotonic()
        clone = self.lab("guest.clone", guest="two", **{"as": "copy"})
        print(f"a clone: {time.monotonic() - started:.1f} s", file=sys.stderr)
        what = "hostname; cat /etc/iscsi/initiatorname.iscsi; tail -n1 /etc/iscsi/iscsid.conf"
        self.assertEqual(self.lab.sh("copy", what)["stdout"], self.lab.sh("two", what)["stdout"])
        self.assertNotEqual(clone["nics"][0]["ip"], self.two["nics"][0]["ip"])
        self.assertNotEqual(clone["nics"][0]["mac"], self.two["nics"][0]["mac"])
        # A command of a guest that is killed does not hang its caller.
        under_way = self.lab.post("guest.exec", guest="copy", argv=["sleep", "1000"])
        self.lab("guest.kill", guest="copy")
        with self.assertRaises(Refused) as caught:
            self.lab.get(under_way)
        self.assertEqual(caught.exception.code, "guest_gone")
        self.assertTrue(self.lab.event("guest.exit", guest="copy")["expected"])
        self.assertTrue(wait_gone(clone["pid"]))

    def test_names_are_taken_once(self):
        self.refused("exists", "guest.start", name="one")
        self.refused("exists", "disk.add", guest="one", disk={"name": "lun0", "size_bytes": 512})

    def test_a_hand_reaches_in(self):
        run_dir = str(self.lab.run_dir)
        answer = subprocess.run([OPTIONS.lab, "call", run_dir, '{"op": "guest.list"}'], text=True,
                                capture_output=True, timeout=30, check=True).stdout
        self.assertIn("two", [guest["name"] for guest in json.loads(answer)["guests"]])


class Ends(unittest.TestCase):
    def test_a_guest_that_never_comes_up_shows_its_console(self):
        lab = Lab("--no-capture")
        with contextlib.closing(lab), self.assertRaises(Refused) as caught:
            lab("guest.start", name="lost", kernel_args="root=none rdinit=/none")
        self.assertEqual(caught.exception.code, "guest_never_up")
        self.assertIn("panic", caught.exception.error["serial_tail"].lower())

    def test_guests_end_with_a_lab_that_is_killed(self):
        lab = Lab("--no-capture")
        with contextlib.closing(lab):
            guest = lab("guest.start", name="orphan", wait=False)
            lab.process.kill()
            lab.process.wait(GONE_S)
            self.assertTrue(wait_gone(guest["pid"]))

    def test_guests_end_with_their_driver(self):
        lab = Lab("--no-capture")
        guests = [lab("guest.start", name=name, wait=False) for name in ("a", "b", "c")]
        started = time.monotonic()
        lab.close()
        print(f"three guests end: {time.monotonic() - started:.3f} s", file=sys.stderr)
        for guest in guests:
            self.assertTrue(gone(guest["pid"]))


def setUpModule():
    """For pytest and unittest alike: what the command line did not say is found beside the build."""
    root = pathlib.Path(__file__).resolve().parents[3]
    OPTIONS.lab = getattr(OPTIONS, "lab", None) or str(root / "build/bin/tsih-lab")
    OPTIONS.image = getattr(OPTIONS, "image", None) or subprocess.run(
        [root / "images/build", "--print"], text=True, stdout=subprocess.PIPE, check=False
    ).stdout.strip()
    for needed in (OPTIONS.lab, f"{OPTIONS.image}/root.erofs"):
        if not os.path.exists(needed):
            raise AssertionError(f"{needed} is missing; `make build image` makes it")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", help="default: build/bin/tsih-lab")
    parser.add_argument("--image", help="default: what images/build --print gives")
    _, rest = parser.parse_known_args(namespace=OPTIONS)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
