"""Which rows of a table of observations are new, and from when they count as known.

The first load of a field takes the table's word. Later, a row that should have been there at the
close of a stored day, and was not, counts as known from the moment at which it is stored: the
features of stored days stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.lake.readers.observations import read_newest_rows, read_stored_until
from quant_assets.lake.schemas.observation_tables import RAW_OBSERVATIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.moments import close_of_days
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.market.description.tables import TableRule
from quant_assets.sources.tables.rows import TableRows

_STEP = timedelta(microseconds=1)


@dataclass(frozen=True)
class NewRows:
    """Rows of a table that are not stored yet.

    Attributes:
        rows: columns of ``raw.observations``.
        count: number of rows.
        late: number of rows that count as known later than the table says.
    """

    rows: Mapping[str, Any]
    count: int
    late: int


def find_new_rows(
    lake: Lake, rule: TableRule, given: TableRows, calendar: MarketCalendar, now: datetime
) -> NewRows:
    """Compare the rows of a table with those that are stored.

    A row is new if its value differs from the one that was last stored for its field, instrument,
    day and moment. Stored rows that the table no longer has stay.

    Args:
        lake: the lake.
        rule: the table.
        given: its rows.
        calendar: the market's calendar.
        now: the present moment.
    """
    reading = rule.reading
    stored = read_newest_rows(lake, rule.name, reading)
    key = ["field", "instrument", "observed_on", "stated_at"]
    rows = given.frame.rename(columns={"known_at": "stated_at"})
    joined = rows.merge(stored, on=key, how="left", suffixes=("", "_stored"))
    new = rows[(joined["value"] != joined["value_stored"]).to_numpy()].copy()
    closes = _find_last_closes(new, read_stored_until(lake, rule.name, reading), calendar)
    late = (new["stated_at"] <= closes).to_numpy()
    moment = now.astimezone(UTC).replace(tzinfo=None)
    # The clock may be behind the days of the data, for instance in a simulation.
    seen = np.maximum((closes + _STEP).to_numpy(), np.datetime64(moment, "us"))
    new["known_at"] = np.where(late, seen, new["stated_at"].to_numpy())
    new = new.assign(table_name=rule.name, source=given.source, reading=reading, stored_at=moment)
    columns = {column.name: new[column.name].to_numpy() for column in RAW_OBSERVATIONS.columns}
    return NewRows(columns, len(new), int(late.sum()))


def _find_last_closes(
    rows: pd.DataFrame, until: pd.DataFrame, calendar: MarketCalendar
) -> pd.Series:
    """Return, for each row, the close of the newest stored day; NaT where none is stored."""
    days = until["day"].to_numpy().astype("datetime64[D]")
    closes = until.assign(close=close_of_days(calendar, days))[["field", "instrument", "close"]]
    joined = rows[["field", "instrument"]].merge(closes, on=["field", "instrument"], how="left")
    return joined["close"].astype("datetime64[us]").set_axis(rows.index)
