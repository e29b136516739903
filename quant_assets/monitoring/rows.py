"""Helpers of modules that make rows of monitoring tables: which days, and one frame of measures."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake

KNOWN_ON_JOIN = (
    "JOIN (SELECT trading_day AS known_on, date_id FROM features.market) d"
    " ON t.released_on = d.known_on"
)
"""SQL that joins to each row of ``t`` the number ``d.date_id`` of the day on which it was known."""


def read_days(lake: Lake, start: date, end: date) -> tuple[DayArray, IntArray]:
    """Read the k days of a range that have features.

    Args:
        lake: the lake.
        start: first day.
        end: last day.

    Returns:
        (k,) days, and (k,) their numbers.
    """
    days = read_known_days(lake, end)
    days = days[days >= np.datetime64(start)]
    return days, read_date_ids(lake, days)


def to_frame(
    table: Table, days: DayArray, date_ids: IntArray, measures: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """Make one frame of all measures, with a row for each measure and day.

    Making a frame for each measure would take longer than computing the measures.

    Args:
        table: gives the order of the columns.
        days: (k,) days.
        date_ids: (k,) their numbers.
        measures: for each measure its columns without those of the day; a column is one value
            for all days, or (k,) values.
    """
    names = [
        column.name for column in table.columns if column.name not in ("trading_day", "date_id")
    ]
    columns: dict[str, Any] = {
        "trading_day": np.tile(days, len(measures)),
        "date_id": np.tile(date_ids, len(measures)),
    }
    for name in names:
        values = [np.broadcast_to(np.asarray(part[name]), (len(days),)) for part in measures]
        columns[name] = np.concatenate(values) if values else np.empty(0)
    return pd.DataFrame(columns)[[column.name for column in table.columns]]
