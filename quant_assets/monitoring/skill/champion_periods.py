"""The champion of each day, and the track record of a champion before it came into force.

The submitted forecast is compared with that record, which is mostly a walk-forward. What earlier
champions submitted says nothing about the present one. ``monitoring.skill.daily_records`` joins the
two.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.typing import DayArray
from quant_assets.lake.schemas.promotion_tables import DECISIONS, LIVE, RECORDS
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.rows import KNOWN_ON_JOIN


@dataclass(frozen=True)
class ChampionPeriod:
    """A time in which one release is champion.

    Attributes:
        release: the champion.
        since: the first day on which it is in force.
    """

    release: str
    since: date


def read_champion_periods(
    lake: Lake, days: DayArray
) -> Iterator[tuple[ChampionPeriod | None, slice]]:
    """Yield the champion periods of some days, by the decisions known on each day.

    Args:
        lake: has the decisions.
        days: (k,) ascending.

    Yields:
        A period and the slice of ``days`` that it covers; None for days without a champion. If
        there are no days, None and an empty slice.
    """
    if not len(days):
        yield None, slice(0, 0)
        return
    decisions = {"champion": np.empty(0, object), "trading_day": np.empty(0, "datetime64[D]")}
    if lake.has(DECISIONS):
        decisions = lake.columns(
            f"SELECT trading_day, champion FROM {DECISIONS.quoted} WHERE trading_day <= ?"
            " ORDER BY trading_day, sequence",
            [days[-1].item()],
        )
    decision_days = decisions["trading_day"].astype("datetime64[D]")
    changes: list[tuple[np.datetime64, str | None]] = []
    for day, champion in zip(decision_days, decisions["champion"], strict=True):
        if not changes or changes[-1][1] != champion:
            changes.append((day, champion))
    starts = np.searchsorted(days, np.array([day for day, _ in changes], "datetime64[D]"))
    edges = [0, *starts.tolist(), len(days)]
    for (day, champion), first, last in zip(
        [(days[0], None), *changes], edges[:-1], edges[1:], strict=True
    ):
        if first < last:
            yield (ChampionPeriod(champion, day.item()) if champion else None), slice(first, last)


def read_champion_record(lake: Lake, period: ChampionPeriod, end: date) -> pd.DataFrame:
    """Read the ICs of a champion for days before its period.

    Where a day has an IC from a walk-forward and one from a live forecast, the live one is taken.

    Args:
        lake: has the track records of releases.
        period: of the champion.
        end: labels known by this day count.

    Returns:
        A row for each day: ``date_id`` of the day on which the IC is known, ``day``, ``value``.
    """
    return lake.query(
        "SELECT d.date_id, t.trading_day AS day, arg_max(ic, origin = $live) AS value"
        f" FROM {RECORDS.quoted} t {KNOWN_ON_JOIN}"
        " WHERE release = $release AND t.trading_day < $since AND t.released_on <= $end"
        " GROUP BY ALL ORDER BY ALL",
        {"live": LIVE, "release": period.release, "since": period.since, "end": end},
    )
