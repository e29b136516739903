"""Forecasts from prices that a caller sends, and the models that are in memory for them."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from quant_assets.api.accept import JSON
from quant_assets.api.answers import require_format
from quant_assets.api.context import Context, Shared
from quant_assets.api.openapi import documented, object_schema
from quant_assets.api.parameters import ModelName
from quant_assets.api.security import Caller, Operator, Predictor
from quant_assets.promotion.caller_share import ReleasesOfDay, choose_voice
from quant_assets.promotion.release_store import read_state
from quant_assets.serving.sent_prices import MOST_DAYS

router = APIRouter(tags=["Predictions"])
_REQUEST_EXAMPLE = {
    "days": [{"day": "2024-01-02", "prices": {"XAU_close": 2063.7, "XAG_close": None}}],
    "targets": ["spread_0"],
}
_REQUEST = {
    "type": "object",
    "required": ["days"],
    "additionalProperties": False,
    "example": _REQUEST_EXAMPLE,
    "properties": {
        "days": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_DAYS,
            "description": "trading days, ascending; the stored history goes before them",
            "items": {
                "type": "object",
                "required": ["day", "prices"],
                "additionalProperties": False,
                "properties": {
                    "day": {"type": "string", "format": "date"},
                    "prices": {
                        "type": "object",
                        "description": "prices by series, as the source names them; a series that "
                        "is left out or null counts as closed",
                        "additionalProperties": {"type": ["number", "null"]},
                    },
                },
            },
        },
        "release": {
            "type": ["string", "null"],
            "description": "the release that forecasts; by default those in force",
        },
        "targets": {
            "type": ["array", "null"],
            "items": {"type": "string"},
            "description": "the targets that are answered; by default all",
        },
    },
}
_ANSWER = object_schema(
    {
        "known_until": (
            "date",
            "newest stored day before the days, on top of which they were forecast",
        ),
        "forecasts": ("array", "the forecast of each day"),
        "notes": ("string[]", "what was missing, rejected or replaced, in sentences"),
    },
    {
        "known_until": "2023-12-29",
        "forecasts": [
            {
                "day": "2024-01-02",
                "release": "2023-12-04-1f09ab",
                "challenger": None,
                "share": 0.0,
                "fit_as_of": "2023-12-29",
                "values": {"spread_0": 0.4117},
            }
        ],
        "notes": ["2024-01-02: 1 of 2 series have no price and count as closed"],
    },
)
_ANSWER["properties"]["forecasts"]["items"] = object_schema(
    {
        "day": ("date", "the forecast day"),
        "release": ("string?", "the release that forecast; null for the ensemble"),
        "challenger": ("string?", "the challenger that took part"),
        "share": ("number", "share of the challenger, 0 to 1"),
        "fit_as_of": ("date", "as-of day of the newest fit that was used"),
        "values": ("object", "the forecast by target, of which only the ranks matter, or null"),
    }
)
_LOADED = object_schema(
    {"loaded": ("string[]", "names of the releases and families whose models are in memory")},
    {"loaded": ["2023-12-04-1f09ab", "ridge"]},
)


@router.post(
    "/predict",
    operation_id="predict",
    summary="Forecasts from sent prices",
    responses=documented(
        _ANSWER, 404, 406, 408, 409, 413, 422, description="The forecasts of the days."
    ),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST}}}
    },
)
async def predict(request: Request, context: Shared, caller: Predictor) -> Response:
    """Forecast days from their prices, by the code that the assets use, on top of the history.

    Nothing is stored. Prices are cleaned as those of the source are; `notes` says which are
    rejected. Several days are forecast one after the other: each knows the days before it. Without
    `release`, a caller with a key is answered by the champion or, in step with its share, by the
    challenger, as for stored forecasts.
    """
    require_format(request, (JSON,))
    body = await request.body()
    version = context.state.version
    release = await _choose_release(context, caller)
    prediction = await context.models.predict(body, version, release)
    request.state.release = prediction.release
    return Response(prediction.body, media_type="application/json")


@router.post(
    "/models/{name}/load",
    operation_id="load_model",
    summary="Load a release or family",
    responses=documented(_LOADED, 404, 422, 503, description="What is in memory now."),
)
async def load_model(context: Shared, caller: Operator, name: ModelName) -> dict[str, Any]:
    """Load the models of a release or family, after their digests are verified, and keep them."""
    await context.models.load(name, context.state.version)
    return {"loaded": list(context.models.names())}


@router.delete(
    "/models/{name}",
    operation_id="unload_model",
    summary="Unload a release or family",
    responses=documented(_LOADED, 404, 422, description="What is in memory now."),
)
async def unload_model(context: Shared, caller: Operator, name: ModelName) -> dict[str, Any]:
    """Forget the models of a release or family. Those in force are loaded again when needed."""
    await context.models.unload(name, context.state.version)
    return {"loaded": list(context.models.names())}


async def _choose_release(context: Context, caller: Caller) -> str | None:
    """Choose the release that answers a caller; None for what would be submitted."""
    state = await context.answers.value("releases in force", read_state)
    releases = ReleasesOfDay(state.champion, state.challenger, state.share)
    chosen = {"champion": state.champion, "challenger": state.challenger}
    return chosen.get(choose_voice(caller.key_id, releases))
