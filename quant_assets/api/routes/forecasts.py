"""The forecast of a day: what was submitted, or what champion or challenger forecast."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from quant_assets.api.context import Context, Shared
from quant_assets.api.days import choose_targets, find_day
from quant_assets.api.encoding import Content
from quant_assets.api.openapi import documented, object_schema, rows_schema
from quant_assets.api.parameters import DayInPath, Targets
from quant_assets.api.security import Reader
from quant_assets.lake.readers.published import (
    FORECAST_COLUMNS,
    PublishedDay,
    read_day_forecast,
    read_published_days,
    read_regime,
    read_targets,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.caller_share import ReleasesOfDay, Voice, choose_voice

router = APIRouter(tags=["Forecasts"])
_RELEASE = {
    "answered_by": ("string", "published: as submitted; champion or challenger: its own forecast"),
    "name": ("string?", "the release that forecast; null if it was submitted as a mixture"),
    "champion": ("string?", "champion of the day; null if no champion forecast"),
    "challenger": ("string?", "challenger with a share or in shadow; null if there was none"),
    "share": ("number", "share of the challenger in the submitted forecast, 0 to 1"),
}
_EXAMPLE = {
    "day": "2023-12-29",
    "date_id": 774,
    "release": {
        "answered_by": "published",
        "name": "2023-12-04-1f09ab",
        "champion": "2023-12-04-1f09ab",
        "challenger": None,
        "share": 0.0,
    },
    "fit_as_of": "2023-12-29",
    "origin": "live",
    "stored_at": "2023-12-29T17:02:11.120441Z",
    "regime": {"name": "calm", "turbulence": 0.08, "correlation": 0.21, "fit_as_of": "2023-12-04"},
    "forecasts": [
        {
            "target": "spread_0",
            "value": 0.4117,
            "lower_80": -0.0112,
            "upper_80": 0.0121,
            "lower_95": -0.0183,
            "upper_95": 0.0192,
        }
    ],
}
_SCHEMA = rows_schema(
    {
        "day": ("date", "the forecast day; the forecast is made at its close"),
        "date_id": ("integer", "the source's number of the day"),
        "release": ("object", "whose forecast this is"),
        "fit_as_of": ("date", "as-of day of the newest fit behind the submitted forecast"),
        "origin": (
            "string",
            "live, resubmitted, or history: computed when later prices were known",
        ),
        "stored_at": ("date-time", "knowledge time: when the forecast was stored, UTC"),
        "regime": ("object?", "regime of the markets on the day; null if it was not computed"),
    },
    "forecasts",
    FORECAST_COLUMNS,
    _EXAMPLE,
)
_SCHEMA["properties"]["release"] = object_schema(_RELEASE)
_RESPONSES = documented(_SCHEMA, 404, 422, tables=True, description="The forecast of the day.")


@router.get(
    "/forecasts/latest",
    operation_id="get_latest_forecast",
    summary="The newest submitted forecast",
    responses=_RESPONSES,
)
async def get_latest_forecast(
    request: Request, context: Shared, caller: Reader, targets: Targets = ()
) -> Response:
    """Return the forecast of the newest day, as for a day by its date."""
    return await answer_forecast(request, context, None, targets, caller.key_id)


@router.get(
    "/forecasts/{day}",
    operation_id="get_forecast",
    summary="The forecast of a day",
    responses=_RESPONSES,
)
async def get_forecast(
    request: Request, context: Shared, caller: Reader, day: DayInPath, targets: Targets = ()
) -> Response:
    """Return the forecast of all targets of a day, or of some, with the intervals of their labels.

    A caller without a key gets the submitted forecast. A caller with a key gets the forecast of
    the champion or, in step with its share, of the challenger; `release` says which. The choice
    depends on key and challenger alone, so a caller stays with a challenger while its share rises.
    """
    return await answer_forecast(request, context, day, targets, caller.key_id)


async def answer_forecast(
    request: Request, context: Context, day: date | None, asked: tuple[str, ...], caller: str = ""
) -> Response:
    """Answer with the forecast of a day.

    Args:
        request: the request.
        context: what the routes share.
        day: the forecast day; None for the newest.
        asked: names of the targets; empty for all.
        caller: id of the caller's key; empty for a caller without one.

    Raises:
        CalendarError: the day has no submitted forecast.
        UnknownNameError: a target is unknown.
    """
    days = await context.answers.value("published days", read_published_days)
    of_day = find_day(days, day, context.market.calendar, "submitted forecast")
    targets: tuple[str, ...] = ()
    if asked:
        known = await context.answers.value("targets", read_targets)
        targets = choose_targets(known, asked)
    voice = choose_voice(caller, releases_of(of_day))

    def compute(lake: Lake) -> Content:
        # Read anew: the lake may have moved on since the days were read.
        now = read_published_days(lake, of_day.day).get(of_day.day, of_day)
        return read_forecast(lake, now, targets, voice)

    return await context.answers.respond(request, "forecast", compute, of_day.day, targets, voice)


def releases_of(of_day: PublishedDay) -> ReleasesOfDay:
    """Return the releases behind the submitted forecast of a day."""
    return ReleasesOfDay(of_day.champion, of_day.challenger, of_day.share)


def read_forecast(
    lake: Lake, of_day: PublishedDay, targets: tuple[str, ...], voice: Voice
) -> Content:
    """Read the forecast of a day; the submitted one if the release has no forecast of its own.

    Args:
        lake: the lake.
        of_day: the day.
        targets: names of the targets; empty for all.
        voice: whose forecast it is.
    """
    targets = targets or read_targets(lake)
    own = {"champion": of_day.champion, "challenger": of_day.challenger}.get(voice)
    rows = read_day_forecast(lake, of_day.day, targets, own)
    if own is not None and rows["value"].null_count == rows.num_rows:
        voice, own = "published", None
        rows = read_day_forecast(lake, of_day.day, targets)
    alone = of_day.champion if not of_day.share else None
    release: dict[str, Any] = {
        "answered_by": voice,
        "name": own or alone,
        "champion": of_day.champion,
        "challenger": of_day.challenger,
        "share": of_day.share,
    }
    fields = {
        "day": of_day.day,
        "date_id": of_day.date_id,
        "release": release,
        "fit_as_of": of_day.fit_as_of,
        "origin": of_day.origin,
        "stored_at": of_day.stored_at,
        "regime": read_regime(lake, of_day.day),
    }
    return Content(fields, rows, "forecasts", repeated=("day",))
