"""The lock by which a data directory has one daemon of Dagster.

Two daemons on one directory launch each run twice, and each closes the runs of the other. Every
daemon takes the lock with its first heartbeat (``orchestration.storages.sqlite``), whatever program
started it, and the operating system releases the lock when the daemon's process ends. A file beside
the lock says who holds it.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from filelock import FileLock, Timeout

from quant_assets.core.errors import SettingsError
from quant_assets.core.files import write_atomically

_LOCK, _HOLDER = "daemon.lock", "daemon.json"
_SECONDS = 2.0
"""Longest wait for the lock: others hold it for a moment to see whether it is free."""
_GLANCE = 0.3
"""Wait of a process that only looks whether the lock is free."""
_held: dict[Path, FileLock] = {}
_turn = Lock()


@dataclass(frozen=True)
class Holder:
    """The process that holds the lock.

    Attributes:
        pid: its process id.
        program: its name.
        host: the machine on which it runs; another one if the directory is on a network disk.
        since: when it took the lock, UTC, as ISO text.
    """

    pid: int
    program: str
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.program}) on {self.host}, since {self.since}"


def take_daemon_lock(home: Path) -> None:
    """Take the lock for the rest of this process, unless it has the lock already.

    Args:
        home: Dagster's home.

    Raises:
        SettingsError: another process holds the lock.
    """
    with _turn:
        if home not in _held:
            _held[home] = _acquire(home)


@contextmanager
def hold_daemon_lock(home: Path) -> Iterator[None]:
    """Hold the lock, so that no daemon begins meanwhile.

    Raises:
        SettingsError: another process holds the lock.
    """
    lock = _acquire(home)
    try:
        yield
    finally:
        lock.release()


def require_no_daemon(home: Path) -> None:
    """Refuse a home whose lock a process holds.

    Raises:
        SettingsError: the lock is held.
    """
    if (home / _LOCK).exists():
        with hold_daemon_lock(home):
            pass


def has_daemon(home: Path) -> bool:
    """Return whether a daemon, or a process in its place, works on the data directory now."""
    if not (home / _LOCK).exists():
        return False
    lock = FileLock(home / _LOCK, thread_local=False)
    try:
        with lock.acquire(timeout=_GLANCE):
            return False
    except Timeout:
        return True


def _acquire(home: Path) -> FileLock:
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / _LOCK, thread_local=False)
    try:
        lock.acquire(timeout=_SECONDS)
    except Timeout:
        raise SettingsError(
            "Dagster is open for this data directory already",
            where=str(home.parent),
            expected="one daemon for a data directory",
            found=_read_holder(home),
            hint="use the one that is open, or end it first: two daemons begin each run twice",
        ) from None
    write_atomically(home / _HOLDER, json.dumps(asdict(_this_process())).encode())
    return lock


def _this_process() -> Holder:
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(os.getpid(), name or "python", socket.gethostname(), since)


def _read_holder(home: Path) -> Holder | str:
    try:
        return Holder(**json.loads((home / _HOLDER).read_bytes()))
    except (OSError, ValueError, TypeError):
        # The holder has the lock since a moment ago, and has not written the file yet.
        return "a process that has just begun"
