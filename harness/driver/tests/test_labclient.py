"""The lab client against a scripted lab at the other end of a socket pair."""

import json
import socket
import threading

import pytest

from tsih.errors import LabError
from tsih.guest import Guest, Result
from tsih.errors import CommandFailed, NotInTime
from tsih.labclient import LabClient, LabRefusal


class ScriptedLab:
    """The lab's end: reads requests, answers what the test tells it to."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self._socket = theirs
        self._reader = theirs.makefile("rb")
        self.events = []
        self.client = LabClient(ours.makefile("rb"), ours.makefile("wb"),
                                on_event=self.events.append, why_gone=lambda: "last words")
        self._ours = ours

    def request(self):
        return json.loads(self._reader.readline())

    def send(self, message):
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def answer(self, make):
        """Answers the next request on a thread of its own with what `make` returns for it."""

        def work():
            request = self.request()
            self.send({"id": request["id"], **make(request)})

        threading.Thread(target=work, daemon=True).start()

    def hang_up(self):
        self._reader.close()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def lab():
    return ScriptedLab()


def test_a_request_is_one_line_and_omits_what_is_not_given(lab):
    lab.client.start("guest.start", name="target", cpus=None)
    assert lab.request() == {"id": 1, "op": "guest.start", "name": "target"}


def test_replies_find_their_request_in_any_order(lab):
    first, second = lab.client.start("a"), lab.client.start("b")
    ids = [lab.request()["id"], lab.request()["id"]]
    lab.send({"id": ids[1], "ok": True, "result": {"n": 2}})
    lab.send({"id": ids[0], "ok": True, "result": {"n": 1}})
    assert (first.result()["n"], second.result()["n"]) == (1, 2)


def test_a_refusal_carries_code_and_console(lab):
    lab.answer(lambda _: {"ok": False, "error": {"code": "guest_never_up", "message": "no answer",
                                                 "serial_tail": "panic\n"}})
    with pytest.raises(LabRefusal) as refusal:
        lab.client.call("guest.start", name="x")
    assert refusal.value.code == "guest_never_up"
    assert "panic" in refusal.value.text()


def test_an_event_between_replies_is_an_event(lab):
    def reply(_):
        lab.send({"event": "guest.exit", "guest": "one"})
        return {"ok": True, "result": {}}

    lab.answer(reply)
    lab.client.call("guest.list")
    assert lab.events == [{"event": "guest.exit", "guest": "one"}]


def test_a_lab_that_goes_away_fails_what_is_under_way_and_what_comes(lab):
    pending = lab.client.start("guest.list")
    lab.request()
    lab.hang_up()
    with pytest.raises(LabError, match="went away"):
        pending.result()
    with pytest.raises(LabError) as later:
        lab.client.call("guest.list")
    assert "last words" in later.value.text()


def test_a_lab_that_speaks_nonsense_is_gone(lab):
    pending = lab.client.start("guest.list")
    lab.request()
    lab._socket.sendall(b"not json\n")
    with pytest.raises(LabError, match="went away"):
        pending.result()


def test_silence_is_an_error_not_a_hang(lab):
    with pytest.raises(LabError, match="not answered"):
        lab.client.start("guest.list", reply_s=0.01).result()


def test_another_protocol_is_refused_with_the_way_out(lab):
    lab.send({"event": "lab.ready", "protocol": 99})
    with pytest.raises(LabError) as error:
        lab.client.wait_ready()
    assert error.value.hint == "make build"


def test_a_lab_that_dies_at_its_start_says_why(lab):
    lab.hang_up()
    with pytest.raises(LabError) as error:
        lab.client.wait_ready()
    assert "last words" in error.value.text()


class Recorder:
    """What Guest needs of a Lab."""

    def __init__(self, client):
        self.client = client
        self.records = []

    def now_ms(self):
        return 0.0

    def record(self, guest, text, **what):
        self.records.append((guest, text, what))


@pytest.fixture
def guest(lab):
    return Guest(Recorder(lab.client), {"name": "one", "nics": [{"ip": "10.0.0.1", "link": "one"}],
                                        "initiator_name": "iqn.x"})


def ended(code, stdout="", stderr=""):
    return lambda _: {"ok": True, "result": {"exit_code": code, "signal": None, "stdout": stdout,
                                             "stderr": stderr, "truncated": False,
                                             "duration_ms": 3}}


def test_succeed_returns_stdout_and_tells_the_story(lab, guest):
    lab.answer(ended(0, "hello\n"))
    assert guest.succeed("echo hello") == "hello\n"
    assert guest._lab.records[0][:2] == ("one", "echo hello")
    assert guest._lab.records[0][2]["ok"] is True


def test_succeed_raises_with_the_commands_words(lab, guest):
    lab.answer(ended(5, "", "no such target\n"))
    with pytest.raises(CommandFailed, match="(?s)exit status 5.*no such target"):
        guest.succeed("iscsiadm -l")


def test_fail_raises_when_it_succeeds(lab, guest):
    lab.answer(ended(0))
    with pytest.raises(CommandFailed, match="expected `true` to fail"):
        guest.fail("true")


def test_a_command_that_does_not_end_is_the_scenarios_failure(lab, guest):
    lab.answer(lambda _: {"ok": False, "error": {"code": "exec_timeout", "message": "late",
                                                 "stdout": "so far", "stderr": ""}})
    with pytest.raises(NotInTime, match="(?s)did not.*so far"):
        guest.run("sleep 9", timeout_s=1)


def test_a_guest_that_is_gone_is_the_labs_failure(lab, guest):
    lab.answer(lambda _: {"ok": False, "error": {"code": "guest_gone", "message": "it ended"}})
    with pytest.raises(LabRefusal, match="it ended"):
        guest.run("true")


def test_a_signal_is_an_exit_status_as_in_a_shell():
    assert Result.from_reply({"exit_code": None, "signal": 9}).exit_status == 137
