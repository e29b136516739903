"""Figures of some days as rows of a table: which days, and one frame of many figures."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake

KNOWN_ON = (
    "JOIN (SELECT trading_day AS known_on, date_id FROM features.market) d"
    " ON t.released_on = d.known_on"
)
"""SQL: of each row of ``t`` the number of the day on which it became known, ``d.date_id``."""


def read_days(lake: Lake, start: date, end: date) -> tuple[DayArray, IntArray]:
    """(k,) days with features from ``start`` to ``end``, and their numbers."""
    days = read_known_days(lake, end)
    days = days[days >= np.datetime64(start)]
    return days, read_date_ids(lake, days)


def to_frame(
    table: Table, days: DayArray, numbers: IntArray, figures: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """One frame of all figures: of each the columns beside the day, of one value or (k,) values.

    A frame per figure would take longer than computing it.
    """
    names = [
        column.name for column in table.columns if column.name not in ("trading_day", "date_id")
    ]
    columns: dict[str, Any] = {
        "trading_day": np.tile(days, len(figures)),
        "date_id": np.tile(numbers, len(figures)),
    }
    for name in names:
        given = [np.asarray(figure[name]) for figure in figures]
        spread = [np.broadcast_to(one, (len(days),)) for one in given]
        columns[name] = np.concatenate(spread) if spread else np.empty(0)
    return pd.DataFrame(columns)[[column.name for column in table.columns]]
