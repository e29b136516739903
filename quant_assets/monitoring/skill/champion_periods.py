"""Which release was in force on which days, and its own record before them.

What is published is held against that record, a walk-forward above all: what its predecessors
published says nothing of a champion. How the two are joined is in ``monitoring.records``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.typing import DayArray
from quant_assets.lake.schemas.promotion_tables import DECISIONS, LIVE, RECORDS
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.rows import KNOWN_ON


@dataclass(frozen=True)
class ChampionPeriod:
    """A release, and the first day on which it has been in force since."""

    release: str
    since: date


def read_champion_periods(
    lake: Lake, days: DayArray
) -> Iterator[tuple[ChampionPeriod | None, slice]]:
    """The champion of some days, as decided by each of them; None where none was in force.

    Args:
        lake: with the decisions.
        days: (k,) ascending.

    Neighbouring days with the same champion come as one slice; no days as an empty one.
    """
    if not len(days):
        yield None, slice(0, 0)
        return
    decided = {"champion": np.empty(0, object), "trading_day": np.empty(0, "datetime64[D]")}
    if lake.has(DECISIONS):
        decided = lake.columns(
            f"SELECT trading_day, champion FROM {DECISIONS.quoted} WHERE trading_day <= ?"
            " ORDER BY trading_day, sequence",
            [days[-1].item()],
        )
    since = decided["trading_day"].astype("datetime64[D]")
    begun: list[tuple[np.datetime64, str | None]] = []
    for day, champion in zip(since, decided["champion"], strict=True):
        if not begun or begun[-1][1] != champion:
            begun.append((day, champion))
    starts = np.searchsorted(days, np.array([day for day, _ in begun], "datetime64[D]"))
    edges = [0, *starts.tolist(), len(days)]
    for (day, champion), first, last in zip(
        [(days[0], None), *begun], edges[:-1], edges[1:], strict=True
    ):
        if first < last:
            yield (ChampionPeriod(champion, day.item()) if champion else None), slice(first, last)


def read_own_record(lake: Lake, reign: ChampionPeriod, end: date) -> pd.DataFrame:
    """A champion's ICs of days before its reign, known by a day: number, day and value.

    Of a day that it was walked forward on and forecast as well, what it forecast counts.
    """
    return lake.query(
        "SELECT d.date_id AS number, t.trading_day AS day, arg_max(ic, origin = $live) AS value"
        f" FROM {RECORDS.quoted} t {KNOWN_ON}"
        " WHERE release = $release AND t.trading_day < $since AND t.released_on <= $end"
        " GROUP BY ALL ORDER BY ALL",
        {"live": LIVE, "release": reign.release, "since": reign.since, "end": end},
    )
