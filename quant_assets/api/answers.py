"""Answers from the lake: read in a few threads, encoded once, and kept while the state stays.

The formats are in ``api.accept`` and ``api.encoding``, the reads in ``lake.readers``. A route that
answers callers differently says so in the parameters of the answer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response

from quant_assets.api.accept import FORMATS, choose_format, has_tag
from quant_assets.api.encoding import Answer, Content, encode
from quant_assets.api.lake_state import LakeState
from quant_assets.api.problems import Refusal
from quant_assets.lake.store.lake import Lake

T = TypeVar("T")
_MOST_BYTES = 64 * 2**20
_THREADS = 4


@dataclass
class CacheCounts:
    """How often an answer was in the cache, and how often not."""

    hits: int = 0
    misses: int = 0


@dataclass
class _Kept:
    """Values of one state version, the most recently used last."""

    version: int = -1
    values: "OrderedDict[Hashable, tuple[Any, int]]" = field(default_factory=OrderedDict)
    size: int = 0


class Answers:
    """Reads and encodes answers, and keeps them while the state version stays.

    All methods run on the event loop; only the computations run in threads.

    Args:
        lake: the lake, open for reading.
        state: the state of the lake.
        most_bytes: bytes of encoded answers to keep.
    """

    def __init__(self, lake: Lake, state: LakeState, most_bytes: int = _MOST_BYTES) -> None:
        self.counts = CacheCounts()
        self._lake = lake
        self._state = state
        self._most_bytes = most_bytes
        self._kept = _Kept()
        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "lake reader")

    def close(self) -> None:
        """Wait for the reads that run, and start no other."""
        self._threads.shutdown(cancel_futures=True)

    async def respond(
        self,
        request: Request,
        name: str,
        compute: Callable[[Lake], Content],
        *parameters: Hashable,
        formats: tuple[str, ...] = FORMATS,
    ) -> Response:
        """Answer a request in the format that it accepts, from the cache if possible.

        Args:
            request: the request.
            name: name of the question.
            compute: reads the content, in another thread and from one snapshot of the lake.
            parameters: everything that the content depends on besides the lake.
            formats: formats that the answer can have; without rows, JSON alone.

        Raises:
            Refusal: the request accepts no format of the answer.
            QuantAssetsError: the content cannot be read.
        """
        media = require_format(request, formats)
        answer = await self.value(
            name,
            lambda lake: encode(compute(lake), media, request.url),
            media,
            *parameters,
        )
        headers = answer.headers
        if has_tag(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=304, headers=dict(headers))
        return Response(answer.body, 200, dict(headers), answer.media)

    async def value(self, name: str, compute: Callable[[Lake], T], *parameters: Hashable) -> T:
        """Return a value that depends on the lake, computed once for each state version.

        Args:
            name: name of the value.
            compute: computes it, in another thread and from one snapshot of the lake.
            parameters: everything that it depends on besides the lake.

        Raises:
            QuantAssetsError: the value cannot be read.
        """
        version, key = self._state.version, (name, *parameters)
        if self._kept.version != version:
            self._kept = _Kept(version)
        kept = self._kept.values.get(key)
        if kept is not None:
            self.counts.hits += 1
            self._kept.values.move_to_end(key)
            return cast(T, kept[0])
        self.counts.misses += 1
        running = self._running.get((version, key))
        if running is None:
            running = asyncio.create_task(self._compute(key, compute))
            self._running[version, key] = running
            running.add_done_callback(lambda _: self._running.pop((version, key), None))
        # A caller who goes away must not end the computation that others wait for.
        return cast(T, await asyncio.shield(running))

    async def read(self, compute: Callable[[Lake], T]) -> T:
        """Return what a computation reads from one snapshot of the lake, in another thread."""
        return (await self._read(compute))[1]

    async def _read(self, compute: Callable[[Lake], T]) -> tuple[int, T]:
        """Return a state version, and a value that was computed from it."""

        def work() -> tuple[int, T]:
            with self._lake.at_once() as snapshot:
                return self._state.version_of(snapshot), compute(self._lake)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _compute(self, key: Hashable, compute: Callable[[Lake], T]) -> T:
        version, value = await self._read(compute)
        if version > self._state.version:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._state.check)
        if version == self._state.version:
            self._keep(version, key, value)
        return value

    def _keep(self, version: int, key: Hashable, value: Any) -> None:
        if self._kept.version != version:
            self._kept = _Kept(version)
        kept, size = self._kept, len(value.body) if isinstance(value, Answer) else 1024
        if size > self._most_bytes // 4:
            return
        kept.values[key] = value, size
        kept.size += size
        while kept.size > self._most_bytes:
            _, (_, freed) = kept.values.popitem(last=False)
            kept.size -= freed


def require_format(request: Request, offered: tuple[str, ...]) -> str:
    """Return the format that a request prefers.

    Raises:
        Refusal: the request accepts none of the formats.
    """
    header = request.headers.get("accept")
    media = choose_format(header, offered)
    if media is None:
        raise Refusal(
            406,
            "the answer has no format that the request accepts",
            where="header Accept",
            expected=f"one of {', '.join(offered)}",
            found=header,
        )
    return media
