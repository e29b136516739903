"""Reading submitted forecasts, forecasts of releases, and what is known about their day.

Reading forecasts as arrays is in ``lake.readers.forecasts``; pages of long tables are in
``lake.readers.pages``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from quant_assets.lake.readers.pages import Listing
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.columns import TARGET
from quant_assets.lake.schemas.forecast_tables import INTERVALS, SUBMISSIONS
from quant_assets.lake.schemas.monitoring_tables import REGIMES, TURBULENT
from quant_assets.lake.schemas.promotion_tables import RELEASE_FORECASTS, SUBMITTED_FORECASTS
from quant_assets.lake.schemas.table import Column
from quant_assets.lake.store.lake import Lake

_BOUNDS = tuple(c for c in INTERVALS.columns if c.name.startswith(("lower_", "upper_")))
FORECAST_COLUMNS: tuple[Column, ...] = (
    TARGET,
    Column("value", "DOUBLE", "score of the target; only its rank on the day matters"),
    *_BOUNDS,
)
"""Columns of :func:`read_day_forecast`."""


@dataclass(frozen=True)
class PublishedDay:
    """What is stored about the submitted forecast of a day, beside its values.

    Attributes:
        day: the forecast day.
        date_id: the source's number of the day.
        fit_as_of: as-of day of the newest fit that forecast.
        champion: champion that forecast; None if no champion did.
        challenger: challenger with a share or in shadow; None if there was none.
        share: the challenger's share, 0 to 1.
        origin: live, resubmitted or history.
        stored_at: when the forecast was stored, UTC.
    """

    day: date
    date_id: int
    fit_as_of: date
    champion: str | None
    challenger: str | None
    share: float
    origin: str
    stored_at: datetime


def read_published_days(lake: Lake, day: date | None = None) -> dict[date, PublishedDay]:
    """Read the days with a submitted forecast, ascending; empty if there are none.

    Args:
        lake: the lake.
        day: the only day to read; None for all.

    Raises:
        LakeError: the lake cannot be read.
    """
    if not lake.has(SUBMITTED_FORECASTS):
        return {}
    rows = lake.arrow(
        "SELECT trading_day AS day, max(date_id) AS date_id, max(fit_as_of) AS fit_as_of,"
        " max(champion) AS champion, max(challenger) AS challenger,"
        " coalesce(max(share), 0) AS share, max(origin) AS origin, max(stored_at) AS stored_at"
        f" FROM {SUBMITTED_FORECASTS.quoted} WHERE trading_day BETWEEN ? AND ?"
        " GROUP BY trading_day ORDER BY trading_day",
        [day or date.min, day or date.max],
    ).to_pylist()
    return {
        row["day"]: PublishedDay(**{**row, "stored_at": row["stored_at"].replace(tzinfo=UTC)})
        for row in rows
    }


def read_targets(lake: Lake) -> tuple[str, ...]:
    """Read the names of the market's targets, in their order.

    Raises:
        LakeError: no target is stored.
    """
    return tuple(read_pairs(lake).targets)


def read_day_forecast(
    lake: Lake, day: date, targets: Sequence[str], release: str | None = None
) -> pa.Table:
    """Read the forecast of a day with its intervals.

    Args:
        lake: the lake.
        day: the forecast day.
        targets: names of the targets, in the order of the result.
        release: the release that forecast; None for the submitted forecast.

    Returns:
        A row for each target; its value is null if the target has no forecast. The intervals are
        those of the labels, whichever release forecast.
    """
    table = SUBMITTED_FORECASTS if release is None else RELEASE_FORECASTS
    if not lake.has(table):
        table, release = SUBMITTED_FORECASTS, None
    bounds = ", ".join(column.name for column in _BOUNDS)
    intervals = f"SELECT target, {bounds} FROM {INTERVALS.quoted} WHERE trading_day = $day"
    if not lake.has(INTERVALS):
        empty = ", ".join(f"NULL::DOUBLE AS {column.name}" for column in _BOUNDS)
        intervals = f"SELECT NULL AS target, {empty} LIMIT 0"
    condition = "" if release is None else " AND release = $release"
    parameters: dict[str, Any] = {"day": day, "targets": list(targets)}
    if release is not None:
        parameters["release"] = release
    return lake.arrow(
        f"SELECT target, value, {bounds}"
        " FROM unnest($targets::VARCHAR[]) WITH ORDINALITY AS asked(target, place)"
        f" LEFT JOIN (SELECT target, value FROM {table.quoted}"
        f" WHERE trading_day = $day{condition}) USING (target)"
        f" LEFT JOIN ({intervals}) USING (target) ORDER BY place",
        parameters,
    )


def read_regime(lake: Lake, day: date) -> dict[str, Any] | None:
    """Read the regime of the markets on a day; None if it was not computed."""
    if not lake.has(REGIMES):
        return None
    rows = lake.arrow(
        "SELECT turbulence, correlation, fit_as_of,"
        " CASE WHEN turbulence > $limit THEN 'turbulent' WHEN turbulence IS NOT NULL THEN 'calm'"
        f" END AS name FROM {REGIMES.quoted} WHERE trading_day = $day",
        {"day": day, "limit": TURBULENT},
    ).to_pylist()
    return rows[0] if rows else None


SUBMITTED = Listing(
    (SUBMISSIONS, SUBMITTED_FORECASTS),
    f"{SUBMISSIONS.quoted} LEFT JOIN (SELECT trading_day, target, fit_as_of, champion, challenger,"
    f" share FROM {SUBMITTED_FORECASTS.quoted}) USING (trading_day, target)",
    (
        *SUBMISSIONS.columns,
        *(
            column
            for column in SUBMITTED_FORECASTS.columns
            if column.name in {"fit_as_of", "champion", "challenger", "share"}
        ),
    ),
    "trading_day",
    ("target",),
    {
        "target": "list_contains($target, target)",
        "release": "(list_contains($release, champion)"
        " OR (share > 0 AND list_contains($release, challenger)))",
    },
)
"""What was submitted, with the releases behind it."""
