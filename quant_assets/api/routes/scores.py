"""Scores of forecasts, and the shares of inputs in them."""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Request
from starlette.responses import Response

from quant_assets.api.context import Shared
from quant_assets.api.days import find_day, require_name
from quant_assets.api.encoding import Content
from quant_assets.api.listings import answer_page, document_page
from quant_assets.api.openapi import documented, rows_schema
from quant_assets.api.parameters import Cursor, DayInPath, Families, FromDay, Limit, ToDay
from quant_assets.api.security import Reader
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.readers.pages import PageRequest, list_table
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION, PERFORMANCE, SCOREBOARD
from quant_assets.lake.schemas.table import Column, Table
from quant_assets.lake.store.lake import Lake

router = APIRouter(tags=["Tables"])
DAILY_SCORES = list_table(PERFORMANCE, "trading_day", "family", filters=["family"])
_SHARES = tuple(c for c in ATTRIBUTION.columns if c.name in {"family", "inputs", "share"})
_EXAMPLE_SCORE = {
    "family": "ensemble",
    "score": 0.412,
    "low": 0.214,
    "high": 0.623,
    "mean_ic": 0.031,
    "std_ic": 0.075,
    "score_250": 0.43,
    "score_90": 0.38,
    "turnover": 0.21,
    "dispersion": 0.12,
    "coverage_80": 0.801,
    "coverage_95": 0.949,
    "fit_seconds": None,
    "share_of_oracle": None,
    "days": 267,
    "first_day": "2022-12-14",
    "last_day": "2023-12-22",
}


@router.get(
    "/attribution/{day}",
    operation_id="get_attribution",
    summary="Shares of inputs in a day's forecast",
    responses=documented(
        rows_schema(
            {"day": ("date", "the forecast day")},
            "rows",
            _SHARES,
            {
                "day": "2023-12-29",
                "rows": [{"family": "ridge", "inputs": "momentum", "share": 0.31}],
            },
        ),
        404,
        422,
        tables=True,
        description="The shares, by family and inputs.",
    ),
)
async def get_attribution(
    request: Request, context: Shared, _: Reader, day: DayInPath, families: Families = ()
) -> Response:
    """Say how much each group of inputs contributed to the forecast of each family on a day.

    The shares of a family sum to 1; a share is negative if its inputs work against the others.
    """
    days = await context.answers.value("attribution days", _read_attribution_days)
    known = find_day(days, day, context.market.calendar, "attribution")
    wanted = tuple(sorted(set(families)))

    def compute(lake: Lake) -> Content:
        rows = lake.arrow(
            f"SELECT {_names(_SHARES)} FROM {ATTRIBUTION.quoted} WHERE trading_day = $day"
            " AND ($all OR list_contains($families, family)) ORDER BY family, inputs",
            {"day": known, "all": not wanted, "families": list(wanted)},
        )
        return Content({"day": known}, rows, repeated=("day",))

    return await context.answers.respond(request, "attribution", compute, known, wanted)


@router.get(
    "/scores",
    operation_id="list_scores",
    summary="The scoreboard",
    responses=documented(
        rows_schema(
            {},
            "rows",
            SCOREBOARD.columns,
            {"rows": [_EXAMPLE_SCORE]},
        ),
        404,
        422,
        tables=True,
        description="A row for each family, the best first.",
    ),
)
async def list_scores(
    request: Request, context: Shared, _: Reader, families: Families = ()
) -> Response:
    """List the scores over all judged days, with their 95 % intervals.

    The score is the mean of the daily information coefficients over their standard deviation.
    """
    wanted = tuple(sorted(set(families)))

    def compute(lake: Lake) -> Content:
        rows = _read_all(lake, SCOREBOARD, "score DESC NULLS LAST, family")
        known = rows["family"].to_pylist()
        for name in wanted:
            require_name("family", name, known, "query.family")
        return Content({}, rows.filter(pc.is_in(rows["family"], pa.array(wanted or known))))

    return await context.answers.respond(request, "scores", compute, wanted)


@router.get(
    "/scores/daily",
    operation_id="list_daily_scores",
    summary="Daily information coefficients",
    responses=document_page(
        DAILY_SCORES,
        {
            "trading_day": "2023-12-22",
            "date_id": 770,
            "family": "published",
            "ic": 0.0814,
            "released_on": "2023-12-29",
            "origin": "live",
        },
    ),
)
async def list_daily_scores(
    request: Request,
    context: Shared,
    _: Reader,
    families: Families = (),
    start: FromDay = None,
    end: ToDay = None,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> Response:
    """List the information coefficient of each family on each judged day, the newest first."""
    page = PageRequest(start, end, {"family": families}, cursor, limit)
    return await answer_page(request, context, "daily scores", DAILY_SCORES, page)


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.name for column in columns)


def _read_attribution_days(lake: Lake) -> dict[date, date]:
    """Read the days with an attribution."""
    if not lake.has(ATTRIBUTION):
        return {}
    days = read_days(lake, ATTRIBUTION).tolist()
    return dict(zip(days, days, strict=True))


def _read_all(lake: Lake, table: Table, order: str) -> pa.Table:
    """Read all rows of a small table; none if it was never written."""
    if not lake.has(table):
        return pa.table({column.name: pa.array([], column.arrow) for column in table.columns})
    return lake.arrow(f"SELECT {_names(table.columns)} FROM {table.quoted} ORDER BY {order}")
