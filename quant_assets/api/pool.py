"""The process that computes forecasts from sent prices, so that look-ups keep their pace.

A process that dies is replaced, and its requests are computed again: they change nothing.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from quant_assets.api.lake_state import LakeState
from quant_assets.core.errors import QuantAssetsError, TooManyRequestsError
from quant_assets.core.processes import end_with_parent
from quant_assets.core.settings import Settings
from quant_assets.serving.predictor import Prediction, Predictor

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
MOST_WAITING = 64
"""Requests that wait for the process or are computed; further ones are refused."""
_ATTEMPTS = 3


@dataclass(frozen=True)
class _Failure:
    """An error of the process, which pickle would not carry with its parts."""

    kind: type[QuantAssetsError]
    problem: str
    parts: dict[str, Any]


class PredictorPool:
    """Computes in one further process.

    Args:
        settings: the market and the paths.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._executor = self._start()
        self._process: Future[int] | None = None
        self._closed = False
        self._waiting = 0
        self._names: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Return the releases and families whose models were loaded after the last request."""
        return self._names

    def close(self) -> None:
        """End the process at once, whatever it computes: nobody waits for it any more."""
        self._closed = True
        if self._process is not None and self._process.done() and not self._process.exception():
            with suppress(ProcessLookupError):
                os.kill(self._process.result(), signal.SIGKILL)
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def keep_prepared(self, state: LakeState) -> None:
        """Let the process read what has changed before a request needs it, until cancelled."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()

        def notice(_: int) -> None:
            loop.call_soon_threadsafe(changed.set)

        end = state.subscribe(notice)
        try:
            while True:
                changed.clear()
                try:
                    self._names = await self._run(Predictor.prepare, state.version)
                except (QuantAssetsError, BrokenProcessPool) as error:
                    # A request tries again, and gets the same error, with the same parts.
                    _LOG.warning("no forecasts from sent prices: %s", error)
                await changed.wait()
        finally:
            end()

    async def predict(self, body: bytes, version: int, release: str | None) -> Prediction:
        """Forecast from sent prices; see ``Predictor.predict``.

        Raises:
            TooManyRequestsError: too many requests wait already.
            QuantAssetsError: as the predictor.
        """
        return await self._run(Predictor.predict, body, version, release)

    async def load(self, name: str, version: int) -> None:
        """Load the models of a release or family."""
        self._names = await self._run(Predictor.load, name, version)

    async def unload(self, name: str, version: int) -> None:
        """Forget the models of a release or family."""
        self._names = await self._run(Predictor.unload, name, version)

    async def _run(self, method: Callable[..., T], *arguments: Any) -> T:
        if self._waiting >= MOST_WAITING:
            error = TooManyRequestsError(
                "too many forecasts wait to be computed",
                expected=f"at most {MOST_WAITING} at once",
                hint="send the request again in a second",
            )
            error.retry_after = 1
            raise error
        self._waiting += 1
        try:
            result = await self._attempt(method.__name__, *arguments)
        finally:
            self._waiting -= 1
        if isinstance(result, _Failure):
            raise result.kind(result.problem, **result.parts)
        return cast(T, result)

    async def _attempt(self, method: str, *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        for attempt in range(_ATTEMPTS):
            executor = self._executor
            try:
                if self._process is None:
                    self._process = executor.submit(os.getpid)
                return await loop.run_in_executor(executor, _compute, method, arguments)
            except BrokenProcessPool:
                if self._closed or attempt == _ATTEMPTS - 1:
                    raise
                if executor is self._executor:
                    self._executor, self._process = self._start(), None
        return None

    def _start(self) -> ProcessPoolExecutor:
        # A forked child of a process with threads could wait for ever for a lock.
        return ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _begin, (os.getpid(), self._settings)
        )


_PREDICTOR: list[Predictor] = []
"""The predictor of a process of the pool."""


def _begin(parent: int, settings: Settings) -> None:
    from quant_assets.lake.store.lake import Lake
    from quant_assets.sources.registry import open_market

    end_with_parent(parent)
    # The server decides when it ends; a signal to the whole group must not come before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    _PREDICTOR.append(
        Predictor(Lake(settings.lake_dir, read_only=True), settings, open_market(settings))
    )


def _compute(method: str, arguments: tuple[Any, ...]) -> Any:
    try:
        return getattr(_PREDICTOR[0], method)(*arguments)
    except QuantAssetsError as error:
        parts = ("where", "expected", "found", "hint")
        values = {name: getattr(error, name) for name in parts}
        return _Failure(type(error), error.problem, {k: str(v) for k, v in values.items() if v})
