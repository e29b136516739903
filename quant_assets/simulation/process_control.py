"""Starts the processes of a rehearsal as forks of a process that has imported their packages.

A process that is started in the ordinary way imports packages for seconds, and a rehearsal has a
dozen processes. What a process does belongs in ``simulation.simulated_process``.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from quant_assets.simulation import simulated_process

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["quant_assets.simulation.preload"])


class RunningProcess:
    """A process that was started, and the connection to it.

    Args:
        process: the process.
        connection: receives its messages and sends answers.

    Attributes:
        pid: its process id.
        killed: whether ``kill`` was called.
    """

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self._process, self._connection = process, connection
        self.pid: int = process.pid or 0
        self.killed = False

    def receive_messages(self) -> Iterator[Mapping[str, Any]]:
        """Yield the messages of the process until it ends."""
        with suppress(EOFError, ConnectionResetError):
            while True:
                yield self._connection.recv()

    def resume(self) -> None:
        """Let the process continue, which waits after it has sent a moment."""
        self._connection.send("resume")

    def kill(self) -> None:
        """Kill the process, and wait until it has ended."""
        self.killed = True
        self._process.kill()
        self._process.join()

    def wait_for_exit(self) -> int:
        """Wait until the process ends. Returns its exit status; negative if it was killed."""
        self._process.join()
        return self._process.exitcode or 0


@contextmanager
def start_process(
    root: Path, command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[RunningProcess]:
    """Start a process; at the end wait until it has ended, and kill it first after an exception.

    Args:
        root: folder of the rehearsal.
        command: arguments of ``quant-assets``; empty for the daemon.
        environment: all environment variables of the process.
        log: file to which its output is appended.
    """
    connection, other_end = _FORKS.Pipe()
    arguments = (root, command, other_end, dict(environment), log)
    process = _FORKS.Process(target=_run_forked, args=arguments)
    process.start()
    other_end.close()
    with connection:
        running = RunningProcess(process, connection)
        try:
            yield running
        except BaseException:
            running.kill()
            raise
        finally:
            running.wait_for_exit()


def _run_forked(
    root: Path,
    command: Sequence[str],
    connection: Connection,
    environment: Mapping[str, str],
    log: Path,
) -> None:
    # Processes that this one starts are not forked from the preloaded process.
    multiprocessing.set_start_method(None, force=True)
    os.environ.clear()
    os.environ.update(environment)
    with log.open("a") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    simulated_process.run_process(root, command, connection)
