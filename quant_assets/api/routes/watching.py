"""What watches the platform: drift of features and forecasts, and alerts."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quant_assets.api.context import Shared
from quant_assets.api.listings import answer_page, document_page
from quant_assets.api.parameters import Cursor, FromDay, Limit, ToDay
from quant_assets.api.security import Reader
from quant_assets.lake.readers.pages import PageRequest, list_table
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.monitoring_tables import DRIFT

router = APIRouter(tags=["Tables"])
DriftLevels = Annotated[
    tuple[Literal["instrument", "market", "target", "forecast"], ...],
    Query(alias="level", description="level of the column; repeatable"),
]
Names = Annotated[
    tuple[str, ...],
    Query(
        alias="name",
        description="feature or family; repeatable",
        max_length=100,
    ),
]
AlertLevels = Annotated[
    tuple[Literal["critical", "warning", "info"], ...],
    Query(alias="level", description="highest level so far; repeatable"),
]
Keys = Annotated[
    tuple[str, ...],
    Query(alias="key", description="the condition; repeatable", max_length=100),
]
DRIFTS = list_table(DRIFT, "trading_day", "level", "name", filters=["level", "name", "drifted"])
ALERT_LIST = list_table(
    ALERTS,
    "opened_at",
    "id",
    filters=["level", "key"],
    conditions={"open": "list_contains($open, closed_at IS NULL)"},
)


@router.get(
    "/drift",
    operation_id="list_drift",
    summary="Drift of features and forecasts",
    responses=document_page(
        DRIFTS,
        {
            "trading_day": "2023-12-29",
            "date_id": 774,
            "level": "target",
            "name": "momentum_20",
            "psi": 0.08,
            "psi_limit": 0.25,
            "ks": 0.06,
            "ks_limit": 0.2,
            "missing_change": 0.0,
            "drifted": False,
            "reason": None,
            "reference_until": "2023-12-04",
        },
    ),
)
async def list_drift(
    request: Request,
    context: Shared,
    _: Reader,
    levels: DriftLevels = (),
    names: Names = (),
    drifted: Annotated[bool | None, Query(description="whether the column has drifted")] = None,
    start: FromDay = None,
    end: ToDay = None,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> Response:
    """List the distances of features and forecasts from earlier days, the newest day first."""
    filters = {"level": levels, "name": names, "drifted": _only(drifted)}
    page = PageRequest(start, end, filters, cursor, limit)
    return await answer_page(request, context, "drift", DRIFTS, page)


@router.get(
    "/alerts",
    operation_id="list_alerts",
    summary="Alerts",
    responses=document_page(
        ALERT_LIST,
        {
            "id": "5f0c2ab9d1e3c7a4",
            "key": "run_failed/refresh_daily/2023-12-29",
            "level": "critical",
            "subject": "refresh_daily failed for 2023-12-29",
            "text": "the source could not be read",
            "trading_day": "2023-12-29",
            "opened_at": "2023-12-29T17:05:00Z",
            "last_seen_at": "2023-12-29T17:20:00Z",
            "count": 3,
            "closed_at": None,
            "delivered_at": "2023-12-29T17:05:02Z",
            "warning_at": None,
            "critical_at": "2023-12-29T17:05:00Z",
        },
    ),
)
async def list_alerts(
    request: Request,
    context: Shared,
    _: Reader,
    levels: AlertLevels = (),
    keys: Keys = (),
    is_open: Annotated[
        bool | None, Query(alias="open", description="whether the condition lasts")
    ] = None,
    start: FromDay = None,
    end: ToDay = None,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> Response:
    """List alerts by the moment at which they were opened, the newest first."""
    filters = {"level": levels, "key": keys, "open": _only(is_open)}
    page = PageRequest(start, end, filters, cursor, limit)
    return await answer_page(request, context, "alerts", ALERT_LIST, page)


def _only(value: bool | None) -> tuple[bool, ...]:
    return () if value is None else (value,)
