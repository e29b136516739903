"""The origin of rows: whether they were stored while no prices of a later day were known."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.price_tables import VALIDATED_PRICES
from quant_assets.lake.schemas.revision_tables import REVISIONS
from quant_assets.lake.schemas.table import HISTORY, LIVE, RESUBMITTED, Table
from quant_assets.lake.store.lake import Lake


def stamp_origin(
    lake: Lake, rows: Mapping[str, Any], now: datetime, *, resubmitted: bool = False
) -> dict[str, Any]:
    """Add the columns ``origin`` and ``stored_at`` to rows that are about to be stored.

    Rows of a day are live if the lake holds no prices of a later day, and never held any that the
    source took back.

    Args:
        lake: the lake.
        rows: columns by name, with ``trading_day``.
        now: the present moment, UTC.
        resubmitted: whether a person replaces live rows.
    """
    days = np.asarray(rows["trading_day"]).astype("datetime64[D]")
    newest = max(read_newest_day(lake, VALIDATED_PRICES) or date.min, _read_newest_withdrawn(lake))
    live = (days >= np.datetime64(newest)).astype(np.int32)
    names = pa.array([RESUBMITTED if resubmitted else HISTORY, LIVE])
    moment = np.datetime64(now.replace(tzinfo=None), "us")
    return {
        **rows,
        "origin": pa.DictionaryArray.from_arrays(live, names),
        "stored_at": np.full(len(days), moment),
    }


def _read_newest_withdrawn(lake: Lake) -> date:
    """Return the newest day that the source took back; the first of all days if it took none."""
    if not lake.has(REVISIONS):
        return date.min
    rows = lake.arrow(
        f"SELECT max(trading_day) AS day FROM {REVISIONS.quoted} WHERE kind = 'withdrawn'"
    ).to_pylist()
    return rows[0]["day"] or date.min


def read_live_days(lake: Lake, table: Table, start: date, end: date) -> DayArray:
    """Read the (n,) days of a range whose rows in a table stay as they are, ascending."""
    return np.array(sorted(read_origins(lake, table, start, end, kept=True)), "datetime64[D]")


def read_origins(
    lake: Lake, table: Table, start: date, end: date, *, kept: bool = False
) -> dict[date, str | None]:
    """Read the origin of each day of a range, by day; None for rows of an earlier version.

    Args:
        lake: the lake.
        table: a table that keeps live rows.
        start: first day.
        end: last day.
        kept: read only days whose rows stay as they are.
    """
    if not lake.has(table) or not lake.has_column(table, "origin"):
        return {}
    condition = f" AND origin IN ('{LIVE}', '{RESUBMITTED}')" if kept else ""
    rows = lake.arrow(
        f"SELECT trading_day, any_value(origin) AS origin FROM {table.quoted}"
        f" WHERE trading_day BETWEEN ? AND ?{condition} GROUP BY trading_day",
        [start, end],
    )
    return dict(zip(rows["trading_day"].to_pylist(), rows["origin"].to_pylist(), strict=True))
