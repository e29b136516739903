"""A lake with observations of a table, stored as a load does, and the plain definition of reads."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.observations import KnownValues, read_known_values
from quant_assets.lake.schemas.observation_tables import OBSERVATION_FEATURES, RAW_OBSERVATIONS
from quant_assets.lake.store.changes import append
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.moments import close_of_days
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.market.description.tables import TableFile, TableRule
from quant_assets.market.description.times import ZonedTime
from quant_assets.revisions.observations import NewRows, find_new_rows
from quant_assets.sources.tables.rows import build_rows

CALENDAR = MarketCalendar((), due=ZonedTime(time(18), "America/New_York"))
RULE = TableRule("t", TableFile("t.csv", (("date", "date"),), ("x",)), ("x",), True)
NOW = datetime(2024, 6, 3, 20, tzinfo=UTC)
Row = tuple[str, str, str, float]
"""Instrument, day that the value is about, moment from which it is known in UTC, and value."""


def store_rows(
    lake: Lake, rows: Sequence[Row], now: datetime = NOW, rule: TableRule = RULE
) -> NewRows:
    """Store the rows of a table that are new at a moment."""
    frame = pd.DataFrame(rows, columns=["instrument", "observed_on", "known_at", "value"])
    for name in ("observed_on", "known_at"):
        frame[name] = frame[name].astype("datetime64[us]")
    given = build_rows(frame.assign(field="x"), "t.csv", "t.csv")
    new = find_new_rows(lake, rule, given, CALENDAR, now)
    lake.change(append(RAW_OBSERVATIONS, new.rows))
    return new


def read_values(
    lake: Lake, days: DayArray, instruments: Sequence[str], max_age_days: int | None = None
) -> KnownValues:
    closes = close_of_days(CALENDAR, days)
    return read_known_values(lake, "t", RULE.reading, "x", days, closes, instruments, max_age_days)


def store_features(lake: Lake, days: Sequence[str], instruments: Sequence[str]) -> None:
    """Store features of days, whose values do not matter."""
    rows = [(day, name) for day in days for name in instruments]
    columns = {c.name: [None] * len(rows) for c in OBSERVATION_FEATURES.columns}
    columns |= {
        "trading_day": np.array([day for day, _ in rows], "datetime64[D]"),
        "instrument": [name for _, name in rows],
        "table_name": ["t"] * len(rows),
        "field": ["x"] * len(rows),
    }
    first, last = (date.fromisoformat(f(days)) for f in (min, max))
    lake.replace_days(OBSERVATION_FEATURES, first, last, columns)


def define_value(
    rows: Sequence[Row], instrument: str, day: np.datetime64, max_age_days: int | None
) -> float:
    """Return the newest value known at the close of a day, step by step."""
    close = close_of_days(CALENDAR, np.array([day]))[0]
    known = [r for r in rows if r[0] == instrument and np.datetime64(r[2]) <= close]
    if not known:
        return float("nan")
    newest = max(r[1] for r in known)
    vintages = [r for r in known if r[1] == newest]
    value = max(vintages, key=lambda row: np.datetime64(row[2]))[3]
    age = int((day - np.datetime64(newest, "D")).astype(int))
    return float("nan") if max_age_days is not None and age > max_age_days else value


def open_lake(folder: Path) -> Lake:
    return Lake(folder / "lake")
