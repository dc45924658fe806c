"""The lab as scenarios see it: guests by name, faults that tell the story, captures."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import threading
import time
from typing import Iterator

from tsih.errors import LabError
from tsih.guest import Guest
from tsih.labclient import PATIENT_BOOT, LabClient, LabProcess
from tsih.progress import Progress
from tsih.story import Story


class Capture:
    """Every frame on every link, in a file that grows."""

    NAME = "scenario"

    def __init__(self, client: LabClient):
        self._client = client
        self._begin()

    def _begin(self) -> None:
        self._live = pathlib.Path(self._client.call("capture.start", name=self.NAME)["path"])

    def so_far(self) -> pathlib.Path:
        """Brings all frames so far to disk; returns the file for reading."""
        self._client.call("capture.flush")
        return self._live

    def end(self, path: pathlib.Path) -> None:
        """Captures no more; what there is goes to `path`."""
        self._client.call("capture.stop", name=self.NAME)
        shutil.move(self._live, path)

    def take_off(self, path: pathlib.Path) -> None:
        """What there is goes to `path`, and a new file begins."""
        self.end(path)
        self._begin()


class Lab:
    """Owns a tsih-lab process and knows its guests.

    Guests are started when they are first asked for and stay for the next scenario. What happens
    in them is told to the story that is set; without one it is merely done.
    """

    def __init__(self, program: pathlib.Path, run_dir: pathlib.Path, progress: Progress,
                 image: pathlib.Path | None = None):
        self.run_dir = run_dir
        self._progress = progress
        self._guests: dict[str, Guest] = {}
        self._everyone: dict[str, Guest] = {}
        self._start_s = time.monotonic()
        self._exits = threading.Lock()
        self._ended: list[dict] = []
        self.story: Story | None = None
        with progress.doing("starting the lab"):
            self._process = LabProcess(program, run_dir, image=image,
                                       on_event=self._on_event)
            self.client = self._process.client
            self.info = self.client.wait_ready()
        self.kept: pathlib.Path | None = None

    # -- guests ---------------------------------------------------------------------------------

    @property
    def guests(self) -> list[Guest]:
        return list(self._guests.values())

    @property
    def everyone(self) -> list[Guest]:
        """Those that were killed, too."""
        return list(self._everyone.values())

    def guest(self, name: str, **options: object) -> Guest:
        """The guest of that name, booted now when it is not there.

        `options` are guest.start's; they matter only at the boot.
        """
        self._drop_ended()
        if name not in self._guests:
            with self._progress.doing(f"booting guest {name}"):
                self.adopt(self.client.call("guest.start", name=name, **{**PATIENT_BOOT, **options}))
        return self._guests[name]

    def guest_cloned(self, name: str, *, of: str) -> Guest:
        """A guest with the identity of another; made once, then used again."""
        self._drop_ended()
        if name not in self._guests:
            with self._progress.doing(f"cloning guest {of} as {name}"):
                self.guest(of).clone(name)
        return self._guests[name]

    def is_up(self, name: str) -> bool:
        self._drop_ended()
        return name in self._guests

    def boot(self, wanted: dict[str, dict]) -> list[Guest]:
        """Several guests at once, side by side; returns them in that order."""
        self._drop_ended()
        missing = [name for name in wanted if name not in self._guests]
        if missing:
            with self._progress.doing("booting " + ", ".join(missing)):
                pending = [self.client.start("guest.start", name=n, **{**PATIENT_BOOT, **wanted[n]}) for n in missing]
                for one in pending:
                    self.adopt(one.result())
        return [self._guests[name] for name in wanted]

    def adopt(self, info: dict) -> Guest:
        guest = Guest(self, info)
        self._guests[guest.name] = self._everyone[guest.name] = guest
        return guest

    def forget(self, name: str) -> None:
        """A guest that was killed: its name may be booted again."""
        self._guests.pop(name, None)

    def end_guest(self, name: str) -> None:
        """Quietly, between scenarios: not a fault of the story."""
        if name in self._guests:
            self.client.call("guest.kill", guest=name)
            self.forget(name)

    # -- the story ------------------------------------------------------------------------------

    def now_ms(self) -> float:
        if self.story:
            return self.story.now_ms()
        return (time.monotonic() - self._start_s) * 1000

    def record(self, guest: str, text: str, **what: object) -> None:
        if self.story:
            self.story.command(guest, text, **what)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def fault(self, text: str, guest: str | None = None) -> Iterator[None]:
        if not self.story:
            yield
            return
        with self.story.fault(text, guest):
            yield

    @contextlib.contextmanager
    def capture(self, path: pathlib.Path) -> Iterator[Capture]:
        """Captures every link to `path` (.pcapng) while inside, but for what was taken off before."""
        capture = Capture(self.client)
        try:
            yield capture
        finally:
            capture.end(path)

    # -- the end --------------------------------------------------------------------------------

    def keep(self) -> pathlib.Path:
        """Tells the lab to outlive us; returns the socket for whoever comes next."""
        self.kept = pathlib.Path(self.client.call("lab.keep", keep=True)["control"])
        return self.kept

    def end(self) -> None:
        if self.kept:
            self.client.close()
            return
        self._process.end()

    def _on_event(self, event: dict) -> None:
        if event["event"] == "guest.exit" and not event.get("expected"):
            with self._exits:
                self._ended.append(event)

    def _drop_ended(self) -> None:
        with self._exits:
            ended, self._ended = self._ended, []
        for event in ended:
            self.forget(event["guest"])

    def check_alive(self) -> None:
        """Raises LabError when a guest ended that nobody killed."""
        with self._exits:
            ended = list(self._ended)
        for event in ended:
            raise LabError(f"guest {event['guest']} ended by itself: {event.get('status')}",
                           detail=str(event.get("serial_tail", ""))[-2000:])
