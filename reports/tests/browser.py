"""Chromium for the tests: it loads a page, clicks as a reader would, and tells what is to be seen.

Driven over its debugging pipe (file descriptors 3 and 4, messages of JSON that end with a zero byte), so
that no port is opened and no package but the browser is needed.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

CEILING_S = 30.0  # of anything that is waited for
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
          "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe")


class BrowserError(Exception):
    """One line."""


class OnTheWay(BrowserError):
    """The page that was asked is being left for another one."""


def installed() -> bool:
    return shutil.which("chromium") is not None


class Browser:
    """One window. Use it as a context manager."""

    def __init__(self, profile: Path, width: int = 1300, height: int = 1150):
        to_it, from_it = os.pipe(), os.pipe()
        self._out, self._in, self._rest, self._last = to_it[1], from_it[0], b"", 0

        def place_pipes() -> None:  # in the child: 3 and 4 may be among the pipes' own numbers
            read, write = os.dup(to_it[0]), os.dup(from_it[1])
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            ["chromium", *_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=place_pipes)
        os.close(to_it[0])
        os.close(from_it[1])
        self._session = None
        page = next(t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        # Without it pages scroll softly, and a click would meet what is still on its way.
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        try:
            self._process.wait(CEILING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def open(self, page: Path) -> None:
        address = page.resolve().as_uri()
        self._call("Page.navigate", url=address)
        self._until(lambda: self.ask("location.href + document.readyState") == f"{address}complete", f"{page} to load")

    def ask(self, script: str):
        """The value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{script}: {answer['exceptionDetails'].get('text')}")
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Clicks where the middle of an element is to be seen."""
        place = json.dumps(selector)
        self.ask(f"document.querySelector({place}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
        at = self.ask(f"(() => {{ const r = document.querySelector({place}).getClientRects()[0];"
                      " return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        self._call("Runtime.evaluate", awaitPromise=True,  # what was scrolled to is drawn
                   expression="new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1)

    def is_seen(self, selector: str) -> bool:
        """Whether an element is within the window, with nothing of the page over its first line."""
        return bool(self.ask(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " if (!e || !e.getClientRects().length) return false;"
            " const r = e.getClientRects()[0], x = r.x + r.width / 2, y = r.y + Math.min(r.height, 24) / 2;"
            " return y > 0 && y < innerHeight && e.contains(document.elementFromPoint(x, y)); })()"))

    def await_seen(self, address: str, selector: str) -> None:
        """Waits for a page whose address ends so to show an element. Raises BrowserError when it does not."""
        self._until(lambda: self.ask("location.href").endswith(address) and self.is_seen(selector),
                    f"{selector} to be seen at {address}")

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _call(self, method: str, **params) -> dict:
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(method)
            if answer.get("id") == self._last:
                if "error" in answer:
                    told = f"{method}: {answer['error'].get('message')}"
                    raise OnTheWay(told) if "navigated" in told or "context" in told else BrowserError(told)
                return answer["result"]

    def _receive(self, waiting_for: str) -> dict:
        deadline = time.monotonic() + CEILING_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(self._in, 1 << 20) if ready else b""
            if not more:
                raise BrowserError(f"{waiting_for}: no answer within {CEILING_S:.0f} s")
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _until(self, condition, what: str) -> None:
        deadline = time.monotonic() + CEILING_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OnTheWay):
                if condition():
                    return
            time.sleep(0.02)
        raise BrowserError(f"expected {what} within {CEILING_S:.0f} s")
