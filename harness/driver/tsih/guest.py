"""A guest by its name: commands in it, and what may befall it."""

from __future__ import annotations

import base64
import dataclasses
from typing import TYPE_CHECKING

from tsih.errors import CommandFailed, NotInTime
from tsih.labclient import PATIENT_BOOT, REPLY_GRACE_S, LabRefusal

if TYPE_CHECKING:
    from tsih.lab import Lab

# Only a hang comes near it: what takes seconds here may take minutes on a busy host without KVM.
COMMAND_CEILING_S = 300.0
# Between two looks at a condition: inside the guest, so that no round trip is paid for each.
LOOK_EVERY_S = 0.1


@dataclasses.dataclass(frozen=True)
class Result:
    """How a command ended. `exit_status` is 128 + the signal when a signal ended it."""

    exit_status: int
    stdout: str
    stderr: str
    duration_ms: float

    @property
    def ok(self) -> bool:
        return self.exit_status == 0

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    @staticmethod
    def from_reply(reply: dict) -> "Result":
        code = reply.get("exit_code")
        if code is None:
            code = 128 + (reply.get("signal") or 0)
        return Result(code, reply.get("stdout", ""), reply.get("stderr", ""),
                      reply.get("duration_ms", 0))


class Guest:
    """One machine of the lab. Commands are shell text; every one becomes a step of the story."""

    def __init__(self, lab: "Lab", info: dict):
        self._lab = lab
        self.info = info
        self.name: str = info["name"]

    def __repr__(self) -> str:
        return f"<guest {self.name}>"

    @property
    def ip(self) -> str:
        """Its address on the switch."""
        return self.info["nics"][0]["ip"]

    @property
    def link(self) -> str:
        return self.info["nics"][0]["link"]

    @property
    def initiator_name(self) -> str:
        return self.info["initiator_name"]

    @property
    def is_up(self) -> bool:
        """False once it was killed or ended by itself."""
        return self._lab.is_up(self.name)

    # -- commands -------------------------------------------------------------------------------

    def run(self, command: str, *, timeout_s: float = COMMAND_CEILING_S, stdin: str | None = None,
            expect: bool | None = None, as_text: str | None = None) -> Result:
        """Runs and returns however it ends. Raises NotInTime when it does not end.

        `expect` says which end the story calls good (None: either); `as_text` is what the story
        shows instead of a long command.
        """
        text = as_text or command
        started_ms = self._lab.now_ms()
        try:
            reply = self._lab.client.call(
                "guest.exec", reply_s=timeout_s + REPLY_GRACE_S, guest=self.name, shell=command,
                stdin=stdin, timeout_ms=int(timeout_s * 1000))
        except LabRefusal as refusal:
            if refusal.code != "exec_timeout":
                raise
            output = refusal.details.get("stdout", "") + refusal.details.get("stderr", "")
            self._record(text, started_ms, None, output, False)
            raise NotInTime(f"{self.name}: expected `{text}` to end in {timeout_s:g} s, "
                            f"it did not{_tail(output)}") from None
        result = Result.from_reply(reply)
        ok = None if expect is None else result.ok == expect
        self._record(text, started_ms, result.exit_status, result.output, ok)
        return result

    def succeed(self, command: str, *, timeout_s: float = COMMAND_CEILING_S,
                stdin: str | None = None, as_text: str | None = None) -> str:
        """Runs, demands exit status 0, returns stdout."""
        result = self.run(command, timeout_s=timeout_s, stdin=stdin, expect=True, as_text=as_text)
        if not result.ok:
            raise CommandFailed(f"{self.name}: expected `{as_text or command}` to succeed, "
                                f"got exit status {result.exit_status}{_tail(result.output)}")
        return result.stdout

    def fail(self, command: str, *, timeout_s: float = COMMAND_CEILING_S) -> str:
        """Runs, demands another exit status than 0, returns stdout and stderr."""
        result = self.run(command, timeout_s=timeout_s, expect=False)
        if result.ok:
            raise CommandFailed(
                f"{self.name}: expected `{command}` to fail, it succeeded{_tail(result.output)}")
        return result.output

    def wait_until(self, condition: str, *, timeout_s: float = COMMAND_CEILING_S) -> str:
        """Waits until the condition succeeds; returns what it then wrote.

        One command in the guest that looks again and again: no sleep is longer than needed, and
        the story shows one step.
        """
        started_ms = self._lab.now_ms()
        loop = _until(condition, timeout_s)
        reply = self._lab.client.call(
            "guest.exec", reply_s=2 * timeout_s + REPLY_GRACE_S, guest=self.name, shell=loop,
            timeout_ms=int(2 * timeout_s * 1000))
        result = Result.from_reply(reply)
        self._record(f"until {condition}", started_ms, result.exit_status, result.output, result.ok)
        if not result.ok:
            raise NotInTime(f"{self.name}: expected `{condition}` within {timeout_s:g} s, it did not "
                            f"come true{_tail(result.output)}")
        return result.stdout

    def background(self, command: str) -> "Background":
        """Starts and returns at once; see Background."""
        started_ms = self._lab.now_ms()
        reply = self._lab.client.call("guest.exec", guest=self.name, shell=command, background=True)
        self._record(command + " &", started_ms, None, "", None)
        return Background(self, command, reply["exec"])

    # -- files ----------------------------------------------------------------------------------

    def write_file(self, path: str, content: str) -> None:
        started_ms = self._lab.now_ms()
        self._lab.client.call("file.write", guest=self.name, path=path, text=content)
        self._record(f"write {path}", started_ms, None, content, None)

    def read_file(self, path: str, max_bytes: int = 4 << 20) -> bytes:
        reply = self._lab.client.call("file.read", guest=self.name, path=path, max_bytes=max_bytes)
        return base64.b64decode(reply["base64"])

    # -- fate -----------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stops its processors; nobody is told, its TCP peers see silence."""
        self._fault("guest.pause", "paused")

    def resume(self) -> None:
        self._fault("guest.continue", "continued")

    def kill(self) -> None:
        """As a power cut."""
        self._fault("guest.kill", "killed")
        self._lab.forget(self.name)

    def cut(self, direction: str = "both") -> None:
        """Loses every frame of its link, silently."""
        with self._lab.fault(f"{self.name}: link cut ({direction})", self.name):
            self._lab.client.call("link.cut", link=self.link, direction=direction)

    def heal(self) -> None:
        with self._lab.fault(f"{self.name}: link healed", self.name):
            self._lab.client.call("link.heal", link=self.link)

    def clone(self, name: str, **options: object) -> "Guest":
        """A second machine with this one's identity (initiator name, host name, records)."""
        with self._lab.fault(f"{self.name}: cloned as {name}", self.name):
            return self._lab.adopt(
                self._lab.client.call("guest.clone", guest=self.name, **{"as": name}, **PATIENT_BOOT, **options))

    def serial_tail(self) -> str:
        return self._lab.client.call("guest.serial_tail", guest=self.name)["text"]

    def _fault(self, op: str, word: str) -> None:
        with self._lab.fault(f"{self.name}: {word}", self.name):
            self._lab.client.call(op, guest=self.name)

    def _record(self, text: str, started_ms: float, exit_status: int | None, output: str,
                ok: bool | None) -> None:
        self._lab.record(self.name, text, started_ms=started_ms, exit_status=exit_status,
                         output=output, ok=ok)


class Background:
    """A command that runs beside the story."""

    def __init__(self, guest: Guest, command: str, token: str):
        self._guest = guest
        self._command = command
        self._exec = token

    def wait(self, timeout_s: float = COMMAND_CEILING_S) -> Result:
        """Waits for its end. Raises NotInTime; the command then still runs."""
        started_ms = self._guest._lab.now_ms()
        try:
            reply = self._guest._lab.client.call(
                "exec.wait", reply_s=timeout_s + REPLY_GRACE_S, exec=self._exec,
                timeout_ms=int(timeout_s * 1000))
        except LabRefusal as refusal:
            if refusal.code != "exec_timeout":
                raise
            raise NotInTime(f"{self._guest.name}: expected `{self._command}` to end in "
                            f"{timeout_s:g} s, it did not") from None
        result = Result.from_reply(reply)
        self._guest._record(f"{self._command} (ended)", started_ms, result.exit_status,
                            result.output, None)
        return result

    def kill(self, signal_number: int = 15) -> None:
        self._guest._lab.client.call("exec.kill", exec=self._exec, signal=signal_number)

    def stop(self, timeout_s: float = COMMAND_CEILING_S) -> Result:
        """Asks it to end and waits for it."""
        self.kill()
        return self.wait(timeout_s)


def _until(condition: str, timeout_s: float) -> str:
    """Shell text that looks at the condition until it holds, or for `timeout_s` of the guest."""
    return (
        f"read up rest < /proc/uptime; end=$(( ${{up%.*}} + {max(1, round(timeout_s))} ))\n"
        f"until out=$({condition}); do\n"
        "  read up rest < /proc/uptime\n"
        "  [ ${up%.*} -ge $end ] && { printf '%s' \"$out\"; exit 97; }\n"
        f"  sleep {LOOK_EVERY_S}\n"
        "done\n"
        "printf '%s' \"$out\"\n")


def _tail(output: str, lines: int = 6) -> str:
    kept = output.strip().splitlines()[-lines:]
    return "".join("\n    " + line for line in kept)
