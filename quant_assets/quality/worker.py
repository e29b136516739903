"""Validation in a worker process, which imports Great Expectations while a run goes on.

The import takes seconds: a run that calls :func:`begin_worker` early does not wait for it. If the
current process has already imported Great Expectations, validation happens there. Suites and their
validation are in ``quality.expectations``.
"""

import atexit
import gc
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import IO, TYPE_CHECKING, cast

from quant_assets.core.errors import QualityError
from quant_assets.core.processes import end_with_parent

if TYPE_CHECKING:
    import pandas as pd

    from quant_assets.quality.expectations import Suite, SuiteResult

_turn = Lock()


@dataclass(frozen=True)
class _Worker:
    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]


def begin_worker() -> None:
    """Start the worker process if it is needed and not running, and return at once."""
    if not _imported():
        with _turn:
            _worker()


def validate_in_worker(suite: "Suite", frame: "pd.DataFrame") -> "SuiteResult":
    """Validate a frame in the worker process.

    The result is that of :func:`quant_assets.quality.expectations.validate_suite`.

    Raises:
        QualityError: the worker process ended, for example because memory ran out.
    """
    if _imported():
        from quant_assets.quality import expectations

        return expectations.validate_suite(suite, frame)
    with _turn:
        worker = _worker()
        try:
            _send(worker.requests, (suite, frame))
            answer = pickle.load(worker.answers)  # noqa: S301 - from our own process, by a pipe
        except (OSError, EOFError) as error:
            _worker.cache_clear()
            raise QualityError(
                "the process that validates ended before it was done",
                where=suite.name,
                found=f"{len(frame)} rows, exit status {worker.process.wait()}",
                hint="free some memory, then materialise again",
            ) from error
    if isinstance(answer, Exception):
        raise answer
    return cast("SuiteResult", answer)


def _imported() -> bool:
    return "great_expectations" in sys.modules


@cache
def _worker() -> _Worker:
    process = subprocess.Popen(  # noqa: S603 - this module
        [sys.executable, "-m", __name__, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(_end, process)
    return _Worker(process, cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the worker at once, even during its imports: it holds nothing that could be lost."""
    process.kill()
    process.communicate()


def _send(pipe: IO[bytes], message: object) -> None:
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def _serve() -> None:
    """Answer requests until the parent closes the pipe or ends."""
    end_with_parent(int(sys.argv[1]))
    gc.set_threshold(200_000)
    from quant_assets.quality import expectations

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    expectations.prepare()
    while True:
        try:
            suite, frame = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our parent, by a pipe
        except EOFError:
            # An orderly exit with so many modules would take part of a second.
            os._exit(0)
        try:
            answer: SuiteResult | Exception = expectations.validate_suite(suite, frame)
        except Exception as error:  # noqa: BLE001 - raised again by the parent
            answer = error
        _send(answers, answer)


if __name__ == "__main__":
    _serve()
