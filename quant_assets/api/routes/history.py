"""What was submitted: by day, target and release, in pages."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quant_assets.api.context import Shared
from quant_assets.api.days import choose_targets
from quant_assets.api.listings import answer_page, document_page
from quant_assets.api.parameters import Cursor, FromDay, Limit, Targets, ToDay
from quant_assets.api.security import Reader
from quant_assets.lake.readers.pages import PageRequest
from quant_assets.lake.readers.published import SUBMITTED, read_targets

router = APIRouter(tags=["Forecasts"])
Releases = Annotated[
    tuple[str, ...],
    Query(
        alias="release",
        description="a release that was champion, or challenger with a share; repeatable",
        max_length=100,
    ),
]


@router.get(
    "/predictions/history",
    operation_id="list_submitted_predictions",
    summary="What was submitted",
    responses=document_page(
        SUBMITTED,
        {
            "trading_day": "2023-12-29",
            "date_id": 774,
            "target": "spread_0",
            "value": 0.4117,
            "origin": "live",
            "stored_at": "2023-12-29T17:02:11.120441Z",
            "fit_as_of": "2023-12-29",
            "champion": "2023-12-04-1f09ab",
            "challenger": None,
            "share": 0.0,
        },
        404,
    ),
)
async def list_submitted_predictions(
    request: Request,
    context: Shared,
    _: Reader,
    targets: Targets = (),
    releases: Releases = (),
    start: FromDay = None,
    end: ToDay = None,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> Response:
    """List submitted values, the newest day first, in pages.

    New days do not move the pages after the first one. `origin` says whether a day was submitted
    live; a day that was submitted again has its last version.
    """
    if targets:
        targets = choose_targets(await context.answers.value("targets", read_targets), targets)
    filters = {"target": targets, "release": tuple(sorted(set(releases)))}
    page = PageRequest(start, end, filters, cursor, limit)
    return await answer_page(request, context, "history", SUBMITTED, page)
