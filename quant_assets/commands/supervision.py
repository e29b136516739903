"""Programs that run together in the foreground of a terminal: they begin and end together.

Which programs, and with which arguments, belongs in ``commands.servers``.
"""

import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from quant_assets.core.errors import QuantAssetsError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERVAL = 0.2
_PATIENCE = 20.0
"""Seconds in which a program ends in good order; it then gets the signal a second time."""
_LAST_PATIENCE = 5.0


def run_together(programs: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Run programs until a signal arrives or one of them ends; then end the others.

    Each program is a process group of its own, so that Ctrl-C in the terminal reaches it once,
    from here.

    Args:
        programs: the command line of each program, by the name that a message uses.
        folder: the programs' working directory.

    Raises:
        QuantAssetsError: a program ended by itself.
    """
    signals: list[int] = []
    for number in _SIGNALS:
        # A shell that starts a command in the background has it ignore SIGINT. A handler undoes
        # that, for the programs as well.
        signal.signal(number, lambda received, _: signals.append(received))
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in programs.items():
            processes[name] = subprocess.Popen(command, cwd=folder, process_group=0)  # noqa: S603
        while not signals:
            _require_all(processes)
            time.sleep(_INTERVAL)
    finally:
        _end(processes.values())


def _require_all(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            others = ", ".join(other for other in processes if other != name)
            raise QuantAssetsError(
                f"{name} has ended by itself",
                found=f"exit status {process.returncode}",
                hint=f"its messages are above; {others} was ended too, so start both again",
            )


def _end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Ask all programs to end, ask those once more that do not, and kill what is left."""
    left = list(processes)
    for patience in (_PATIENCE, _LAST_PATIENCE):
        for process in left:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        left = _wait(left, patience)
    for process in left:
        process.kill()
        process.wait()


def _wait(
    processes: Sequence[subprocess.Popen[bytes]], patience: float
) -> list[subprocess.Popen[bytes]]:
    """Return the processes that have not ended after ``patience`` seconds."""
    given_up = time.monotonic() + patience
    left = list(processes)
    while left and time.monotonic() < given_up:
        time.sleep(_INTERVAL / 4)
        left = [process for process in left if process.poll() is None]
    return left
