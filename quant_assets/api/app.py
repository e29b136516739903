"""Composition of the prediction API: routes, errors, and what lives as long as the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse

from quant_assets import __version__
from quant_assets.api.audited import AuditMiddleware, guard
from quant_assets.api.context import Context, LoadedModels
from quant_assets.api.lake_state import LakeState
from quant_assets.api.limits import BodyLimits
from quant_assets.api.measures import Measured, Measures
from quant_assets.api.openapi import DESCRIPTION, TAGS, Api
from quant_assets.api.problems import add_problem_handlers
from quant_assets.api.reference import reference_page
from quant_assets.api.routes import forecasts, health, history, models, scores, watching
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.registry import open_market

ROUTERS: tuple[APIRouter, ...] = (
    forecasts.router,
    history.router,
    health.router,
    models.router,
    scores.router,
    watching.router,
)
"""The routes. Those that are asked most often are first, because a request is compared in order."""
_PATIENCE = 5.0
"""Seconds that a read waits for a locked lake: a caller can ask again."""


def create_app(settings: Settings, models: LoadedModels | None = None) -> FastAPI:
    """Build the application for the market of the settings.

    Args:
        settings: the market and the paths.
        models: the models in memory; None for a server that only reads.
    """

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        with (
            Lake(settings.lake_dir, read_only=True, patience=_PATIENCE) as lake,
            LakeState(lake) as state,
        ):
            context = Context.build(settings, lake, open_market(settings), state, models)
            app.state.context = context
            try:
                async with guard(app, settings, lake):
                    yield
            finally:
                context.answers.close()

    app = Api(
        title="quant_assets",
        summary="Forecasts of one market, and what is known about them",
        description=DESCRIPTION,
        version=__version__,
        openapi_tags=TAGS,
        lifespan=live,
        docs_url=None,
        redoc_url=None,
    )
    app.add_api_route("/docs", _show_reference, include_in_schema=False)
    app.state.measures = measures = Measures()
    for router in ROUTERS:
        app.include_router(router)
    add_problem_handlers(app)
    app.add_middleware(AuditMiddleware)
    app.add_middleware(BodyLimits, most_bytes=settings.api_body_bytes)
    app.add_middleware(Measured, measures=measures)
    return app


async def _show_reference(request: Request) -> HTMLResponse:
    return HTMLResponse(reference_page(request.app.openapi()))
