"""A real browser without a window, driven over its debugging protocol."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60.0


class Browser:
    """One page of a running browser.

    Attributes:
        complaints: what the page wrote to its console, and what its policy refused.
    """

    def __init__(self, line: ClientConnection) -> None:
        self._line = line
        self._count = 0
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, and return its result."""
        self._count += 1
        self._line.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._line.recv(timeout=_SECONDS))
            self._note(message)
            if message.get("id") == self._count:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def _note(self, message: dict[str, Any]) -> None:
        kind, given = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.complaints.append(str(given["exceptionDetails"]))
        elif kind == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.complaints.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")

    def show(self, url: str, width: int, height: int, scheme: str = "light") -> None:
        """Open an address in a window of a size, light or dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", features=[feature])
        self.ask("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript in the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Wait until an expression is true in the page, and return its value."""
        given_up = time.monotonic() + _SECONDS
        while not (value := self.value(expression)):
            assert time.monotonic() < given_up, (expression, self.value("document.body.innerText"))
            time.sleep(0.05)
        return value

    def picture(self, file: Path | None = None) -> bytes:
        """Take a picture of the window as PNG."""
        png = base64.b64decode(self.ask("Page.captureScreenshot")["data"])
        if file:
            file.write_bytes(png)
        return png


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Open a browser while the context lasts; skip the test where none is installed."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser: {', '.join(PROGRAMS)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        process = subprocess.Popen(
            [
                *(program, *arguments, "--no-first-run", "--disable-dev-shm-usage"),
                *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield from _connect(process, Path(profile))
        finally:
            process.terminate()
            process.communicate(timeout=_SECONDS)


def _connect(process: "subprocess.Popen[str]", profile: Path) -> Iterator[Browser]:
    file, given_up = profile / "DevToolsActivePort", time.monotonic() + _SECONDS
    while not (file.exists() and len(file.read_text().splitlines()) == 2):
        assert process.poll() is None
        assert time.monotonic() < given_up
        time.sleep(0.05)
    port, path = file.read_text().splitlines()
    with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as line:
        pages = Browser.__new__(Browser)
        pages._line, pages._count, pages.complaints = line, 0, []
        target = pages.ask("Target.createTarget", url="about:blank")["targetId"]
        with connect(f"ws://127.0.0.1:{port}/devtools/page/{target}", max_size=None) as page:
            yield Browser(page)
