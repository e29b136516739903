"""Starting processes of a rehearsed desk, each forked from one that has imported what they use.

Started in the ordinary way a process imports for seconds before it does anything, and a rehearsal
has a dozen. What they do is said in ``process``.
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
    """A process that was started, and the line to it.

    Args:
        process: the process.
        line: to it.

    Attributes:
        pid: its number.
        killed: whether it was ended from here.
    """

    def __init__(self, process: BaseProcess, line: Connection) -> None:
        self._process, self._line = process, line
        self.pid: int = process.pid or 0
        self.killed = False

    def heard(self) -> Iterator[Mapping[str, Any]]:
        """What the process tells, until it ends."""
        with suppress(EOFError, ConnectionResetError):
            while True:
                yield self._line.recv()

    def let_go_on(self) -> None:
        """Answer the moment that it told of."""
        self._line.send("go on")

    def kill(self) -> None:
        """End it at once."""
        self.killed = True
        self._process.kill()
        self._process.join()

    def status(self) -> int:
        """Its exit status, when it has ended; negative if it was killed."""
        self._process.join()
        return self._process.exitcode or 0


@contextmanager
def start_process(
    root: Path, command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[RunningProcess]:
    """A process; waited for at the end, or killed if that was an error.

    Args:
        root: of the rehearsal.
        command: of ``quant-assets``; the daemon if empty.
        environment: all its variables.
        log: what it prints goes to the end of this file.
    """
    here, there = _FORKS.Pipe()
    process = _FORKS.Process(target=_be, args=(root, command, there, dict(environment), log))
    process.start()
    there.close()
    with here:
        running = RunningProcess(process, here)
        try:
            yield running
        except BaseException:
            running.kill()
            raise
        finally:
            running.status()


def _be(
    root: Path, command: Sequence[str], line: Connection, environment: Mapping[str, str], log: Path
) -> None:
    # What it starts itself is started as anywhere else.
    multiprocessing.set_start_method(None, force=True)
    os.environ.clear()
    os.environ.update(environment)
    with log.open("a") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    simulated_process.run_process(root, command, line)
