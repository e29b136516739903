"""Daily performance and the scoreboard, from stored forecasts and released labels."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.evaluation.metric import daily_ic, score_of
from quant_assets.evaluation.significance import block_bootstrap
from quant_assets.lake.forecasts import read_forecasts
from quant_assets.lake.lake import Lake
from quant_assets.lake.point_in_time import date_ids_of, known_days, released
from quant_assets.lake.prices import read_pairs
from quant_assets.lake.tables import PERFORMANCE, SCOREBOARD, forecasts_table
from quant_assets.market.targets import MAX_LAG, align_to_label_day
from quant_assets.typing import DayArray, FloatArray

DELAY = MAX_LAG + 1
"""Days from a forecast to the release of its last label."""
RECENT = 250


def judged_days(lake: Lake, start: date, end: date) -> tuple[DayArray, DayArray]:
    """Days whose last label is released from ``start`` to ``end``, and those release days."""
    days = known_days(lake, end)
    judged, release = days[:-DELAY], days[DELAY:]
    wanted = release >= np.datetime64(start)
    return judged[wanted], release[wanted]


def performance(
    lake: Lake,
    families: Sequence[str],
    start: date,
    end: date,
    others: Mapping[str, FloatArray] | None = None,
) -> pd.DataFrame:
    """Rows of ``monitoring.performance`` for the release days from ``start`` to ``end``.

    Args:
        lake: the lake.
        families: names with a forecasts table, the first deciding which days are judged.
        start: first release day.
        end: last release day; labels released later are not read.
        others: further forecasts by name, one row per day of :func:`judged_days`.

    A day on which a correlation is undefined has no row.
    """
    judged, release = judged_days(lake, start, end)
    columns = [column.name for column in PERFORMANCE.columns]
    if not len(judged):
        return pd.DataFrame({name: [] for name in columns})
    pairs = read_pairs(lake)
    days = known_days(lake, end)
    days = days[days >= judged[0]]
    truth = align_to_label_day(released(lake, days, pairs.targets), pairs.lags)
    truth = truth[np.searchsorted(days, judged)]

    first, last = judged[0].item(), judged[-1].item()
    forecasts = {
        name: read_forecasts(lake, forecasts_table(name), pairs.targets, first, last).on(judged)
        for name in families
    }
    forecasts |= others or {}
    forecast_on = np.isfinite(forecasts[families[0]]).any(axis=1)
    date_ids = date_ids_of(lake, judged)
    rows = []
    for name, values in forecasts.items():
        ic = np.full(len(judged), np.nan)
        wanted = np.isfinite(values).any(axis=1) & forecast_on
        ic[wanted] = daily_ic(values[wanted], truth[wanted])
        rows.append(
            pd.DataFrame(
                {
                    "trading_day": judged,
                    "date_id": date_ids,
                    "family": name,
                    "ic": ic,
                    "released_on": release,
                }
            )
        )
    return pd.concat(rows).dropna(subset="ic")[columns]


def scoreboard(ic: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``monitoring.scoreboard``, best first.

    Args:
        ic: rows of ``monitoring.performance``.
    """
    rows = [
        _score_row(str(name), of_family.sort_values("trading_day"))
        for name, of_family in ic.groupby("family")
    ]
    board = pd.DataFrame(rows, columns=[column.name for column in SCOREBOARD.columns])
    return board.sort_values("score", ascending=False, ignore_index=True)


def _score_row(name: str, daily: pd.DataFrame) -> dict[str, object]:
    ic = daily["ic"].to_numpy()
    low, high = block_bootstrap(ic)
    return {
        "family": name,
        "score": _score(ic),
        "low": low,
        "high": high,
        "mean_ic": float(ic.mean()),
        "std_ic": float(ic.std()),
        "score_250": _score(ic[-RECENT:]),
        "days": len(ic),
        "first_day": daily["trading_day"].iloc[0],
        "last_day": daily["trading_day"].iloc[-1],
    }


def _score(ic: FloatArray) -> float:
    """The metric; NaN for days too few or too equal to have one."""
    return score_of(ic) if len(ic) > 1 and np.ptp(ic) > 0 else float("nan")
