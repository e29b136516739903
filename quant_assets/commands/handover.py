"""Passing a listening socket from a running server to its successor, over a Unix socket.

Both accept connections on the one socket for a moment, so no connection waits in a queue that
nobody empties. Starting and ending servers belongs in ``commands.serving``.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from quant_assets.core.errors import SettingsError

_FOLDER = "serving"
_SERVING = b"serving"
_SECONDS = 300.0
"""Longest start of a successor: it opens the lake and loads models."""
_GREETING = b"socket"


class Predecessor:
    """A running server that has handed over its listening socket, and goes on until told.

    Attributes:
        listener: the listening socket.
    """

    def __init__(self, listener: socket.socket, line: socket.socket) -> None:
        self.listener = listener
        self._line = line

    def close(self) -> None:
        """Let the server go on alone, unless it was told to leave."""
        self._line.close()

    def replace(self) -> None:
        """Tell the server that its successor accepts connections now."""
        with self._line, suppress(OSError):
            self._line.sendall(_SERVING)


def ask_for_socket(data_dir: Path, port: int) -> Predecessor:
    """Ask the server that listens on a port for its socket.

    Args:
        data_dir: the data directory of the server.
        port: the port on which it listens.

    Raises:
        SettingsError: no server of this data directory listens there.
    """
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(_SECONDS)
    try:
        with _short_path(data_dir / _FOLDER) as folder:
            line.connect(f"{folder}/{port}.sock")
        _, (descriptor, *_), _, _ = socket.recv_fds(line, len(_GREETING), 1)
    except (OSError, ValueError) as error:
        line.close()
        raise SettingsError(
            "there is no server to take over from",
            where=f"port {port}",
            expected="a server that `quant-assets serve` runs for the same data directory",
            found=str(error),
            hint="start without --takeover",
        ) from error
    return Predecessor(socket.socket(fileno=descriptor), line)


@contextmanager
def offer_socket(
    data_dir: Path, listener: socket.socket, leave: Callable[[], object]
) -> Iterator[None]:
    """Hand the listening socket to a successor that asks for it, while the context lasts.

    Args:
        data_dir: the data directory, below which the Unix socket lies, for this user alone.
        listener: the socket.
        leave: called in another thread once a successor accepts connections.
    """
    port = listener.getsockname()[1]
    own = data_dir / _FOLDER / f"{port}.sock"
    own.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    offered = socket.socket(socket.AF_UNIX)
    draft = own.with_name(f"{port}.{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    with _short_path(own.parent) as folder:
        offered.bind(f"{folder}/{draft.name}")
    draft.chmod(0o600)
    offered.listen(1)
    # A predecessor's file is replaced; it removes none but its own.
    draft.replace(own)
    identity = own.stat().st_ino
    thread = Thread(target=_serve, args=(offered, listener, leave), name="handover", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            if own.stat().st_ino == identity:
                own.unlink()
        with suppress(OSError):
            offered.shutdown(socket.SHUT_RDWR)
        offered.close()


def _serve(offered: socket.socket, listener: socket.socket, leave: Callable[[], object]) -> None:
    """Hand over to one successor after the other, until one of them serves."""
    while True:
        try:
            line, _ = offered.accept()
        except OSError:
            return
        with line, suppress(OSError):
            line.settimeout(_SECONDS)
            socket.send_fds(line, [_GREETING], [listener.fileno()])
            if line.recv(len(_SERVING)) == _SERVING:
                leave()
                return


@contextmanager
def _short_path(folder: Path) -> Iterator[str]:
    """Yield a path of a folder that a Unix socket's address has room for, which is 108 bytes."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        yield str(folder)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"{descriptors}/{descriptor}"
    finally:
        os.close(descriptor)
