"""Composition of the prediction API: routes, errors, and what lives as long as the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from quant_assets import __version__
from quant_assets.api.audited import AuditMiddleware, guard
from quant_assets.api.context import Context
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.registry import open_market

ROUTERS: tuple[APIRouter, ...] = ()


def create_app(settings: Settings) -> FastAPI:
    """Build the application for the market of the settings."""

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        with Lake(settings.lake_dir, read_only=True) as lake:
            app.state.context = Context(settings, lake, open_market(settings))
            async with guard(app, settings, lake):
                yield

    app = FastAPI(title="quant_assets", version=__version__, lifespan=live)
    app.add_middleware(AuditMiddleware)
    for router in ROUTERS:
        app.include_router(router)
    return app
