"""Whether the server lives and can answer, and its measures."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from quant_assets.api.context import Context, Shared
from quant_assets.api.openapi import VERSION, documented, object_schema
from quant_assets.api.problems import problem_of
from quant_assets.api.security import Reader
from quant_assets.core.errors import QuantAssetsError
from quant_assets.lake.readers.published import read_published_days
from quant_assets.metrics.prometheus import Metric

router = APIRouter(tags=["State"])
_HEALTH = object_schema(
    {
        "status": ("string", "always ok: a server that does not live does not answer"),
        "version": ("string", "version of quant_assets"),
        "started_at": ("date-time", "when the server started, UTC"),
    },
    {"status": "ok", "version": VERSION, "started_at": "2024-01-02T06:00:00Z"},
)
_READY = object_schema(
    {
        "ready": ("boolean", "whether the lake can be read and has a submitted forecast"),
        "newest_day": ("date?", "newest day with a submitted forecast"),
        "stored_at": ("date-time?", "when that forecast was stored, UTC"),
        "age_seconds": ("number?", "seconds since then"),
        "days_behind": ("integer?", "trading days after the newest day, up to today"),
        "state_version": ("integer", "newest snapshot of the lake that answers come from"),
        "loaded": ("string[]", "names of the releases and families whose models are loaded"),
        "problem": ("object?", "problem document that says why the server is not ready"),
    },
    {
        "ready": True,
        "newest_day": "2023-12-29",
        "stored_at": "2023-12-29T17:02:11Z",
        "age_seconds": 51244.3,
        "days_behind": 0,
        "state_version": 46,
        "loaded": [],
        "problem": None,
    },
)


@router.get(
    "/health",
    operation_id="get_health",
    summary="Whether the process lives",
    responses=documented(_HEALTH, limited=False),
)
async def get_health(context: Shared) -> Response:
    """Answer at once, without a look at the lake."""
    return _json({"status": "ok", "version": VERSION, "started_at": context.started_at})


@router.get(
    "/ready",
    operation_id="get_ready",
    summary="Whether the server can answer from the lake",
    responses={
        **documented(_READY, limited=False),
        503: {"description": "Not ready.", "content": {"application/json": {"schema": _READY}}},
    },
)
async def get_ready(context: Shared) -> Response:
    """Say which forecast is the newest, how old it is, and which models are loaded.

    The status is 503 while the lake cannot be read or holds no submitted forecast.
    """
    document = await describe_readiness(context)
    return _json(document, 200 if document["ready"] else 503)


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Measures of the server, for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Text in Prometheus's format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def get_metrics(request: Request, context: Shared, _: Reader) -> Response:
    """Measure latency by route, requests by status, the cache, loaded models, and age of data."""
    readiness = await describe_readiness(context)
    counts = context.answers.counts
    metrics = [
        Metric("api_cache_hits", "Answers from the cache.", (), (((), counts.hits),), "counter"),
        Metric("api_cache_misses", "Computed answers.", (), (((), counts.misses),), "counter"),
        Metric("api_loaded_models", "Loaded models.", (), (((), len(readiness["loaded"])),)),
        Metric("api_ready", "1 if the server is ready.", (), (((), float(readiness["ready"])),)),
    ]
    if readiness["age_seconds"] is not None:
        text = "Seconds since the newest submitted forecast was stored."
        metrics.append(Metric("api_data_age_seconds", text, (), (((), readiness["age_seconds"]),)))
    body = request.app.state.measures.to_text(metrics)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")


async def describe_readiness(context: Context) -> dict[str, Any]:
    """Describe what the server can answer from, as ``/ready`` says it."""
    now, problem, published = datetime.now(UTC), context.state.problem, None
    try:
        days = await context.answers.value("published days", read_published_days)
        published = days[max(days)] if days else None
    except QuantAssetsError as error:
        problem = error
    stored_at = published.stored_at if published else None
    return {
        "ready": published is not None and problem is None,
        "newest_day": published.day if published else None,
        "stored_at": stored_at,
        "age_seconds": (now - stored_at).total_seconds() if stored_at else None,
        "days_behind": _count_days_behind(context, published.day, now) if published else None,
        "state_version": context.state.version,
        "loaded": sorted(context.models.names()),
        "problem": problem_of(problem) if problem else None,
    }


def _count_days_behind(context: Context, day: date, now: datetime) -> int | None:
    """Count the trading days after a day, up to today; None where only the data know them."""
    calendar = context.market.calendar
    if not calendar.exchanges:
        return None
    first, last = calendar.reach
    until = min(max(now.date(), day), last)
    return max(len(calendar.trading_days(max(day, first), until)) - 1, 0)


def _json(document: Any, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(document), status, headers, "application/json")
