"""Rows that are events: alerts and submitted forecasts, as their writers store them."""

from datetime import UTC, date, datetime
from typing import Any

from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.schemas.table import LIVE, Table
from quant_assets.lake.store.lake import Lake

MOMENT = datetime(2026, 1, 5, 6, tzinfo=UTC).replace(tzinfo=None)


def rows_of(table: Table, *given: dict[str, Any]) -> dict[str, list[Any]]:
    """Return rows as columns; a column that a row does not have is NULL."""
    return {column.name: [row.get(column.name) for row in given] for column in table.columns}


def write_alert(lake: Lake, key: str, seen: int = 1, **values: Any) -> None:
    """Store an alert in place of the one with the same key."""
    alert = {"id": key, "key": key, "level": "warning", "subject": f"{key} is wrong", "text": "-"}
    moments = {"opened_at": MOMENT, "last_seen_at": MOMENT, "count": seen}
    lake.replace_matching(ALERTS, "id", rows_of(ALERTS, {**alert, **moments, **values}))


def publish(
    lake: Lake, *days: date, origin: str = LIVE, supersede: str = "", value: float = 1.0
) -> None:
    """Store the submitted forecasts of consecutive days, of two targets."""
    forecasts = [
        {"trading_day": day, "date_id": 1, "target": target, "value": value, "share": 0.0}
        | {"champion": "r1", "origin": origin, "stored_at": MOMENT}
        for day in days
        for target in ("a", "b")
    ]
    data = rows_of(SUBMITTED_FORECASTS, *forecasts)
    lake.replace_days(SUBMITTED_FORECASTS, days[0], days[-1], data, supersede=supersede)
