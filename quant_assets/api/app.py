"""Composition of the prediction API: routes, errors, and what lives as long as the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import HTMLResponse

from quant_assets.api.audited import AuditMiddleware, guard
from quant_assets.api.context import Context
from quant_assets.api.lake_state import LakeState
from quant_assets.api.limits import BodyLimits
from quant_assets.api.measures import Measured, Measures
from quant_assets.api.openapi import DESCRIPTION, TAGS, VERSION, Api
from quant_assets.api.parameters import refuse_unknown_parameters
from quant_assets.api.pool import PredictorPool
from quant_assets.api.problems import add_problem_handlers
from quant_assets.api.reference import reference_page
from quant_assets.api.routes import (
    forecasts,
    health,
    history,
    market,
    models,
    operations,
    page,
    predict,
    scores,
    stream,
    watching,
)
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.registry import open_market

ROUTERS: tuple[APIRouter, ...] = (
    forecasts.router,
    predict.router,
    history.router,
    health.router,
    models.router,
    market.router,
    scores.router,
    watching.router,
    stream.router,
    operations.router,
    page.router,
)
"""The routes. Those that are asked most often are first, because a request is compared in order."""
_PATIENCE = 5.0
"""Seconds that a read waits for a locked lake: a caller can ask again."""


def create_app(settings: Settings, *, prepared: bool = True) -> FastAPI:
    """Build the application for the market of the settings.

    Args:
        settings: the market and the paths.
        prepared: whether models are loaded before a request needs them, and again after changes.
    """

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        with (
            Lake(settings.lake_dir, read_only=True, patience=_PATIENCE) as lake,
            LakeState(lake) as state,
            closing(PredictorPool(settings)) as models,
        ):
            context = Context.build(settings, lake, open_market(settings), state, models)
            app.state.context = context
            keeper = asyncio.create_task(models.keep_prepared(state)) if prepared else None
            try:
                async with guard(app, settings, lake):
                    yield
            finally:
                if keeper is not None:
                    keeper.cancel()
                context.answers.close()

    app = Api(
        title="quant_assets",
        summary="Forecasts of one market, and what is known about them",
        description=DESCRIPTION,
        version=VERSION,
        openapi_tags=TAGS,
        lifespan=live,
        dependencies=[Depends(refuse_unknown_parameters)],
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
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
