"""Who may ask: the dependencies ``Reader``, ``Predictor`` and ``Operator`` of routes.

A route, a WebSocket too, takes one of them as a parameter. Keys, roles and limits themselves
belong in the room ``access``. The audit of what callers did is written in ``api.audited``.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from quant_assets.access.keys import AccessKey, Role, read_keys, recognise_key, role_allows
from quant_assets.access.limits import RequestLimits, limits_of_settings
from quant_assets.api.origin import is_from_another_site, is_of_this_machine
from quant_assets.core.errors import ForbiddenError, UnauthenticatedError
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake

COOKIE = "quant_key"
"""Cookie with the key of a person in a browser, which sends headers with neither stream."""
LOOK_SECONDS = 0.5
"""Age of the known keys from which the lake is asked for them again."""
LONGEST_SECONDS = 1.0
"""Age of the known keys from which requests wait for the lake's answer."""


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        key_id: id of the key; empty for a caller of this machine, of whom none is asked.
        role: what the caller may do.
    """

    key_id: str
    role: Role


class Gate:
    """Lets callers in by the keys that the lake has now, and counts what they ask.

    Args:
        settings: the limits.
        lake: has the keys.
    """

    def __init__(self, settings: Settings, lake: Lake) -> None:
        self._lake = lake
        self._limits = RequestLimits(limits_of_settings(settings))
        self._keys: Mapping[str, AccessKey] = {}
        self._looked_at = -math.inf
        self._looking: asyncio.Task[None] | None = None

    async def admit(self, connection: HTTPConnection, wanted: Role) -> Caller:
        """Return who sent a request, who may do what it needs.

        Args:
            connection: the request or the WebSocket.
            wanted: the role that it needs.

        Raises:
            UnauthenticatedError: it has no valid key although one is needed.
            ForbiddenError: the role of its key is too low.
            TooManyRequestsError: its key has spent its requests.
            LakeError: the keys cannot be read.
        """
        caller = await self._identify(connection)
        if caller.key_id:
            self._limits.spend(caller.key_id, wanted)
        if wanted != "read":
            connection.state.audited = caller
        if not role_allows(caller.role, wanted):
            raise ForbiddenError(
                "the key does not allow this",
                expected=f"a key with the role {wanted} or higher",
                found=f"a key with the role {caller.role}",
            )
        return caller

    async def still_admits(self, caller: Caller) -> bool:
        """Return whether a caller who was let in before would be let in now.

        A stream asks from time to time, so that it ends soon after its key is revoked.
        """
        keys = await self._read_keys()
        key = keys.get(caller.key_id)
        return not keys if not caller.key_id else key is not None and key.revoked_at is None

    async def _identify(self, connection: HTTPConnection) -> Caller:
        keys = await self._read_keys()
        if tokens := _read_tokens(connection):
            if len(tokens) > 1:
                raise UnauthenticatedError("the request has several API keys", expected="one key")
            key = recognise_key(keys, tokens.pop())
            return Caller(key.id, key.role)
        if keys and COOKIE in connection.cookies and not is_from_another_site(connection):
            # A browser adds cookies to requests by itself: they let a person look, nothing more.
            return Caller(recognise_key(keys, connection.cookies[COOKIE]).id, "read")
        if keys:
            raise UnauthenticatedError(
                "an API key is needed", hint="send it as X-API-Key or as Authorization: Bearer"
            )
        if is_of_this_machine(connection) and not is_from_another_site(connection):
            return Caller("", "operate")
        raise UnauthenticatedError(
            "without API keys, only programs of this machine are answered",
            expected="a direct request to a loopback address under its own name",
            hint="make a key with `quant-assets keys make NAME --role read`",
        )

    async def _read_keys(self) -> Mapping[str, AccessKey]:
        """Return all keys, as the lake had them at most about a second ago.

        Requests do not wait for the lake, unless there were none for a while or it answers slowly.
        """
        age = time.monotonic() - self._looked_at
        if age >= LOOK_SECONDS and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look())
            # A failure is raised for those who wait, and otherwise the next look says it again.
            self._looking.add_done_callback(lambda look: look.cancelled() or look.exception())
        if age >= LONGEST_SECONDS and self._looking is not None:
            await asyncio.shield(self._looking)
        return self._keys

    async def _look(self) -> None:
        begun = time.monotonic()
        self._keys = await run_in_threadpool(
            self._lake.once_a_snapshot, "access.keys", lambda: read_keys(self._lake)
        )
        self._looked_at = begun


def _read_tokens(connection: HTTPConnection) -> set[str]:
    """Return the different keys in the headers of a request."""
    tokens = set(connection.headers.getlist("x-api-key"))
    for value in connection.headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            tokens.add(token.strip())
    return tokens


def gate_of(connection: HTTPConnection) -> Gate:
    """Return the gate of the server that a request or a WebSocket reached."""
    return cast(Gate, connection.app.state.gate)


class _Needs(SecurityBase):
    """A dependency that lets in only callers with a role.

    FastAPI describes it as the header X-API-Key; ``api.openapi`` adds the bearer token. Two schemes
    of FastAPI's own, which would only read headers, cost more than all that happens here.
    """

    scheme_name = "APIKeyHeader"
    model = APIKey(**{"in": APIKeyIn.header}, name="X-API-Key", description="A key of this server.")

    def __init__(self, role: Role) -> None:
        self._role = role

    async def __call__(self, connection: HTTPConnection) -> Caller:
        return await gate_of(connection).admit(connection, self._role)


Reader = Annotated[Caller, Depends(_Needs("read"))]
Predictor = Annotated[Caller, Depends(_Needs("predict"))]
Operator = Annotated[Caller, Depends(_Needs("operate"))]
