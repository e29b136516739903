"""The audit of predictions and operations, around all routes.

Every request of an admitted caller to a route that needs more than the role read becomes a row,
which is on the disk before the answer goes out. A route only names the release that answers:
``request.state.release``.
"""

import logging
import time
from asyncio import wrap_future
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quant_assets.access.audit import AuditRow
from quant_assets.access.journal import AuditJournal
from quant_assets.access.redaction import KeyFilter
from quant_assets.api.security import Caller, Gate
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST = 200
_LOGS = ("uvicorn.error", "uvicorn.access")
"""Logs in which uvicorn and its libraries repeat what clients sent."""


@asynccontextmanager
async def guard(app: FastAPI, settings: Settings, lake: Lake) -> AsyncIterator[None]:
    """Let an application know keys, and write the audit, while the context lasts.

    Args:
        app: the application, whose routes use ``api.security``.
        settings: the limits and the paths.
        lake: has the keys; for reading.
    """
    app.state.gate = Gate(settings, lake)
    app.state.journal = journal = AuditJournal(settings.lake_dir, settings.audit_dir)
    logs, keys = [logging.getLogger(name) for name in _LOGS], KeyFilter()
    for log in logs:
        log.addFilter(keys)
    try:
        yield
    finally:
        await run_in_threadpool(journal.close)
        for log in logs:
            log.removeFilter(keys)


class AuditMiddleware:
    """Holds an audited answer back until its row is on the disk. Other answers pass through.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] in _READING:
            await self._app(scope, receive, send)
        else:
            await _Exchange(scope, receive, send).run(self._app)


class _Exchange:
    """One request that may be audited, and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._moment = datetime.now(UTC).replace(tzinfo=None)
        self._begun = time.perf_counter()
        self._input = sha256()
        self._is_read = False
        self._answer = sha256()
        self._held: list[Message] = []

    async def run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self._take, self._hold)
        except Exception:
            if caller := self._caller:
                await self._record(caller, 500)
            raise

    @property
    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._scope.get("state", {})
        return state

    @property
    def _caller(self) -> Caller | None:
        return self._state.get("audited")

    async def _take(self) -> Message:
        message = await self._receive()
        self._input.update(message.get("body", b""))
        self._is_read = not message.get("more_body", False)
        return message

    async def _hold(self, message: Message) -> None:
        caller = self._caller
        if caller is None:
            await self._send(message)
            return
        self._held.append(message)
        self._answer.update(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            await self._record(caller, self._held[0]["status"])
            for held in self._held:
                await self._send(held)

    async def _record(self, caller: Caller, status: int) -> None:
        path = str(self._scope["path"])
        template = str(getattr(self._scope.get("route"), "path", path))
        row = AuditRow(
            moment=self._moment,
            key_id=caller.key_id,
            operation=f"{self._scope['method']} {template}"[:_LONGEST],
            path=path[:_LONGEST],
            # A body is not read where its sender may not do what is asked.
            input_sha256=self._input.hexdigest() if self._is_read else "",
            release=str(self._state.get("release", "")),
            answer_sha256=self._answer.hexdigest(),
            status=status,
            seconds=time.perf_counter() - self._begun,
        )
        journal: AuditJournal = self._scope["app"].state.journal
        await wrap_future(journal.append(row))
