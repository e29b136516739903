"""A small application with a route for each role, on a port of this machine, and its keys."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request, WebSocket
from starlette.responses import Response
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from quant_assets.access.audit import AuditRow, read_audit
from quant_assets.access.keys import Role, make_key, revoke_key
from quant_assets.api.audited import AuditMiddleware, guard
from quant_assets.api.problems import add_problem_handlers
from quant_assets.api.security import Operator, Predictor, Reader
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.served_app import served


def guarded_app(settings: Settings) -> FastAPI:
    """Return an application with a route for each role, a failing one, and a WebSocket."""

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        with Lake(settings.lake_dir, read_only=True) as lake:
            async with guard(app, settings, lake):
                yield

    app = FastAPI(lifespan=live)
    app.add_middleware(AuditMiddleware)
    add_problem_handlers(app)

    @app.get("/read/{name:path}")
    async def read(name: str, caller: Reader) -> Any:
        return {"name": name, "key": caller.key_id, "role": caller.role}

    @app.post("/predict/{name}")
    async def predict(name: str, caller: Predictor, request: Request) -> Response:
        request.state.release = f"release of {name}"
        return Response(b"answer to " + await request.body())

    @app.post("/operate")
    async def operate(caller: Operator) -> str:
        return caller.key_id

    @app.post("/fail")
    async def fail(caller: Operator) -> None:
        raise ValueError("a mistake")

    @app.websocket("/stream")
    async def stream(socket: WebSocket, caller: Reader) -> None:
        await socket.accept()
        await socket.send_text(caller.role)
        await socket.close()

    return app


@dataclass
class Guarded:
    """A guarded application on a port of this machine, and its keys."""

    root: Path
    settings: Settings
    client: httpx.Client
    lake: Lake

    def key(self, role: Role, name: str = "") -> str:
        now = datetime.now(UTC)
        _, token = make_key(self.lake, self.settings.lake_dir, name or role, role, now)
        return token

    def revoke(self, token: str) -> None:
        now = datetime.now(UTC)
        revoke_key(self.lake, self.settings.lake_dir, token.split("_")[1], now)

    def status(self, method: str, path: str, token: str = "", **headers: str) -> int:
        keyed = {"X-API-Key": token} if token else {}
        answer = self.client.request(method, path, headers=keyed | headers)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
        return answer.status_code

    def wait_for(self, status: int, token: str) -> float:
        """Ask until the answer has a status; return the seconds that this took."""
        begun = time.monotonic()
        while self.status("GET", "/read/a", token) != status:
            assert time.monotonic() - begun < 60
        return time.monotonic() - begun

    def stream(self, **headers: str) -> str | int:
        """Open the WebSocket; return what it says, or the status of a refusal."""
        address = str(self.client.base_url.copy_with(scheme="ws", path="/stream"))
        try:
            with connect(address, additional_headers=headers, proxy=None) as stream:
                return str(stream.recv())
        except InvalidStatus as refused:
            return refused.response.status_code

    def audit(self) -> list[AuditRow]:
        return read_audit(self.lake, self.settings.audit_dir, 1000)


@contextmanager
def open_guarded(root: Path) -> Iterator[Guarded]:
    limits: dict[str, Any] = {"api_predictions_per_minute": 20, "api_operations_per_minute": 5}
    settings = Settings(data_dir=root, **limits)
    with Lake(settings.lake_dir) as lake:
        lake.snapshot_id()
        with (
            served(guarded_app(settings)) as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            yield Guarded(root, settings, client, lake)
