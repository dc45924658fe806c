"""A client of tsih-lab: JSON lines over its stdin and stdout, or over the socket of a kept lab.

Many requests may be under way at once; replies find their request by `id`. The protocol is
described in harness/lab/PROTOCOL.md.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import threading
from typing import IO, Any, Callable

from tsih.errors import LabError

PROTOCOL = 1
# On top of what the lab itself allows an operation: a lab that says nothing for this long is dead.
REPLY_GRACE_S = 60.0
BOOT_CEILING_S = 240.0  # a guest is up in 4 s under TCG on an idle host
PATIENT_BOOT = {"boot_timeout_ms": int(BOOT_CEILING_S * 1000)}
DEFAULT_REPLY_S = BOOT_CEILING_S + REPLY_GRACE_S

Event = dict[str, Any]


class LabRefusal(LabError):
    """The lab answered `ok: false`. `code` is one of the protocol's, `details` what came along."""

    def __init__(self, op: str, error: dict):
        self.code = str(error.get("code", "unknown"))
        self.details = {k: v for k, v in error.items() if k not in ("code", "message")}
        tail = self.details.get("serial_tail", "")
        super().__init__(
            f"{op}: {error.get('message', 'no reason given')}",
            detail="\n".join(str(tail).splitlines()[-20:]),
        )


class Pending:
    """A request under way."""

    def __init__(self, op: str, timeout_s: float):
        self._op = op
        self._timeout_s = timeout_s
        self._reply: "queue.SimpleQueue[dict | LabError]" = queue.SimpleQueue()

    def _settle(self, reply: "dict | LabError") -> None:
        self._reply.put(reply)

    def result(self) -> dict:
        """The reply's result. Raises LabRefusal when refused, LabError when the lab is gone."""
        try:
            reply = self._reply.get(timeout=self._timeout_s)
        except queue.Empty:
            raise LabError(
                f"{self._op}: the lab has not answered for {self._timeout_s:.0f} s"
            ) from None
        if isinstance(reply, LabError):
            raise reply
        if reply.get("ok"):
            return reply.get("result") or {}
        raise LabRefusal(self._op, reply.get("error") or {})


class LabClient:
    """Speaks the protocol over two streams of bytes.

    Args:
        reader, writer: the lab's end, binary.
        on_event: called for each event, on the reader's thread.
        why_gone: asked for a line when the lab went away (its own last words).
    """

    def __init__(
        self,
        reader: IO[bytes],
        writer: IO[bytes],
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        why_gone: Callable[[], str] = lambda: "",
    ):
        self._reader = reader
        self._writer = writer
        self._on_event = on_event
        self._why_gone = why_gone
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._pending: dict[int, Pending] = {}
        self._gone: LabError | None = None
        self._ready: "queue.SimpleQueue[Event]" = queue.SimpleQueue()
        threading.Thread(target=self._read, name="tsih-lab", daemon=True).start()

    def wait_ready(self, timeout_s: float = 120.0) -> Event:
        """The `lab.ready` event: the lab's first line. Raises LabError when it does not come."""
        try:
            event = self._ready.get(timeout=timeout_s)
        except queue.Empty:
            raise LabError(f"tsih-lab was not ready after {timeout_s:.0f} s") from None
        if "event" not in event:
            raise self._gone or LabError("tsih-lab went away before it was ready")
        if event.get("protocol") != PROTOCOL:
            raise LabError(
                f"expected lab protocol {PROTOCOL}, got {event.get('protocol')}",
                hint="make build",
            )
        return event

    def start(self, op: str, *, reply_s: float = DEFAULT_REPLY_S, **arguments: Any) -> Pending:
        """Sends a request and returns at once. Arguments that are None are left out."""
        pending = Pending(op, reply_s)
        number = next(self._ids)
        sent = {k: v for k, v in arguments.items() if v is not None}
        line = json.dumps({"id": number, "op": op, **sent}).encode() + b"\n"
        with self._lock:
            if self._gone:
                raise self._gone
            self._pending[number] = pending
            try:
                self._writer.write(line)
                self._writer.flush()
            except (OSError, ValueError):
                pass  # the reader sees the end of the stream and settles all that is pending
        return pending

    def call(self, op: str, *, reply_s: float = DEFAULT_REPLY_S, **arguments: Any) -> dict:
        return self.start(op, reply_s=reply_s, **arguments).result()

    def close(self) -> None:
        """Hangs up: the lab ends its guests, unless it was told to keep them."""
        with self._lock:
            try:
                self._writer.close()
            except OSError:
                pass

    def _read(self) -> None:
        why = ""
        try:
            for line in self._reader:
                self._take(json.loads(line))
        except (OSError, ValueError) as error:
            why = f" ({error})"
        words = self._why_gone()
        gone = LabError(f"tsih-lab went away{why}", detail=words)
        with self._lock:
            self._gone = gone
            waiting, self._pending = list(self._pending.values()), {}
        for pending in waiting:
            pending._settle(gone)
        self._ready.put({})

    def _take(self, message: dict) -> None:
        if "event" in message:
            if message["event"] == "lab.ready":
                self._ready.put(message)
            self._on_event(message)
            return
        with self._lock:
            pending = self._pending.pop(message.get("id"), None)
        if pending:
            pending._settle(message)


class LabProcess:
    """A tsih-lab of our own: it ends when we end, however that happens."""

    def __init__(
        self,
        program: pathlib.Path,
        run_dir: pathlib.Path,
        *,
        image: pathlib.Path | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
    ):
        if not os.access(program, os.X_OK):
            raise LabError(f"no program {program}", hint="make build")
        run_dir.mkdir(parents=True, exist_ok=True)
        self._log = run_dir / "lab.log"
        # Scenarios capture for themselves: what lies between them would be written twice.
        argv = [str(program), "--run-dir", str(run_dir), "--control", "stdio", "--no-capture"]
        if image:
            argv += ["--image", str(image)]
        with open(self._log, "wb") as log:
            # A session of its own: Ctrl-C is for the driver, which then ends the lab in order.
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self.process.stdin and self.process.stdout
        self.client = LabClient(
            self.process.stdout, self.process.stdin, on_event=on_event, why_gone=self.last_words
        )

    def last_words(self) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-8:])

    def end(self, timeout_s: float = 10.0) -> None:
        """Hangs up and waits for the lab to end its guests; a lab that does not is killed."""
        self.client.close()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def connect(path: pathlib.Path) -> LabClient:
    """To a lab that was kept up."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise LabError(f"no lab listens at {path}: {error.strerror}") from None
    return LabClient(connection.makefile("rb"), connection.makefile("wb"))
