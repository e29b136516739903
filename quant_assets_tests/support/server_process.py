"""The prediction API in a process of its own, as ``quant-assets serve`` runs it."""

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any, TypeVar

import httpx

from quant_assets_tests.support.installation import Installation

SECONDS = 120.0
"""Longest wait, on a machine that does much else; none takes a tenth of it on an idle one."""
_ADDRESS = re.compile(r"prediction API on (https?://\S+);")
T = TypeVar("T")


@dataclass
class ApiServer:
    """A running server."""

    process: "subprocess.Popen[str]"
    url: str
    lines: list[str]
    reader: threading.Thread

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def close(self) -> None:
        """Kill the process if it is alive, and close its output."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        if self.process.stderr:
            self.process.stderr.close()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def start_server(installation: Installation, *arguments: str, **variables: str) -> ApiServer:
    """Start a server, and wait until it says where it listens."""
    process = installation.start("serve", *arguments, variables=variables, stdout=None)
    lines: list[str] = []
    listening = threading.Event()

    def read() -> None:
        assert process.stderr
        for line in process.stderr:
            lines.append(line)
            if _ADDRESS.search(line):
                listening.set()
        listening.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert listening.wait(SECONDS)
    address = _ADDRESS.search("".join(lines))
    assert address, "".join(lines)
    return ApiServer(process, address[1], lines, reader)


@contextmanager
def running_server(
    installation: Installation, *arguments: str, **variables: str
) -> Iterator[ApiServer]:
    """Run a server on a free port while the context lasts."""
    server = start_server(installation, "--port", "0", *arguments, **variables)
    try:
        yield server
    finally:
        server.close()


def wait_for(what: Callable[[], T | None], seconds: float = SECONDS) -> T:
    """Ask again and again until there is an answer."""
    given_up = time.monotonic() + seconds
    while (answer := what()) is None:
        assert time.monotonic() < given_up, "it did not come"
        time.sleep(0.05)
    return answer


class Listener:
    """Reads an event stream in a thread, as a browser's EventSource does.

    Attributes:
        blocks: the blocks that came, each as a dictionary of its fields.
        error: why the stream broke off; None if it did not.
    """

    def __init__(self, url: str, after: str | None = None, **headers: str) -> None:
        if after is not None:
            headers["Last-Event-ID"] = after
        self.blocks: list[dict[str, str]] = []
        self.error: Exception | None = None
        self._arrived: Queue[dict[str, str] | None] = Queue()
        self._thread = threading.Thread(target=self._read, args=(url, headers), daemon=True)
        self._thread.start()

    def next(self, *events: str) -> dict[str, Any]:
        """Return the data of the next block with one of some names; others are passed over."""
        while True:
            try:
                block = self._arrived.get(timeout=SECONDS)
            except Empty:
                raise AssertionError(self.blocks) from None
            assert block is not None, ("the stream has ended", self.error, self.blocks)
            if not events or block.get("event") in events:
                data: dict[str, Any] = json.loads(block["data"])
                return data

    def ends(self) -> None:
        """Wait until the server has ended the stream."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def _read(self, url: str, headers: dict[str, str]) -> None:
        try:
            with httpx.stream("GET", f"{url}/stream", headers=headers, timeout=SECONDS) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise AssertionError(answer.text)
                self._take(answer.iter_lines())
        except Exception as error:  # noqa: BLE001 - the test's own thread says it
            self.error = error
        finally:
            self._arrived.put(None)

    def _take(self, lines: Iterator[str]) -> None:
        block: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            if name and value:
                block[name] = value
            elif block:
                self.blocks.append(block)
                if "data" in block:
                    self._arrived.put(block)
                block = {}


class Load:
    """Asks a server without a pause from several threads, and keeps what went wrong.

    Args:
        url: address of the answer.
        kept: number of threads that keep their connection.
        new: number of threads that open a connection for every request.
    """

    def __init__(self, url: str, kept: int, new: int) -> None:
        self._url = url
        self._ended = threading.Event()
        self.answers = 0
        self.failures: list[str] = []
        self._threads: Sequence[threading.Thread] = [
            threading.Thread(target=self._ask, args=(n < kept,)) for n in range(kept + new)
        ]

    def await_more(self, answers: int = 200) -> None:
        """Wait until further requests were answered."""
        wanted = self.answers + answers
        wait_for(lambda: self.answers >= wanted or None)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keeps: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if keeps else 0)
        with httpx.Client(limits=limits, timeout=SECONDS) as client:
            while not self._ended.is_set():
                try:
                    answer = client.get(self._url)
                    answer.raise_for_status()
                    self.answers += 1
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
