"""What is happening, on one line that is written over, with seconds: only where a person looks."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from typing import Iterator, TextIO

REDRAW_S = 0.5


class Progress:
    """A live line on a terminal; silence elsewhere. Kept away from pytest's capture by a copy of
    the file descriptor that was there at the start."""

    def __init__(self, out: TextIO | None = None):
        self._out = out if out is not None else os.fdopen(os.dup(2), "w")
        self._live = self._out.isatty()
        self._stack: list[tuple[str, float]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Shows `what` and its seconds while inside."""
        with self._lock:
            self._stack.append((what, time.monotonic()))
        self._draw()
        try:
            yield
        finally:
            with self._lock:
                self._stack.pop()
            self._draw()

    def tell(self, what: str) -> None:
        """Replaces the line's text (a step of the story) while something is being done."""
        with self._lock:
            if self._stack:
                self._stack[-1] = (what, time.monotonic())
        self._draw()

    def clear(self) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def _draw(self) -> None:
        if not self._live:
            return
        with self._lock:
            top = self._stack[-1] if self._stack else None
            if top and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._tick, daemon=True)
                self._thread.start()
        if not top:
            self.clear()
            return
        width = shutil.get_terminal_size().columns
        seconds = f" {time.monotonic() - top[1]:.0f} s"
        line = ("  … " + top[0])[: max(10, width - len(seconds) - 1)] + seconds
        self._out.write("\r\x1b[K" + line)
        self._out.flush()

    def _tick(self) -> None:
        while not self._stop.wait(REDRAW_S):
            if not self._stack:
                return
            self._draw()


def stderr_is_terminal() -> bool:
    return sys.stderr.isatty()
