"""Rows of ``monitoring.rolling``: each family and part on each day, with what it was before.

The arithmetic is in ``monitoring.rolling``, ``monitoring.cusum`` and ``monitoring.recovery``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.schemas.monitoring_tables import ROLLING
from quant_assets.monitoring.rows import to_frame
from quant_assets.monitoring.skill.cusum import cusum_as_window, nearest_cusum
from quant_assets.monitoring.skill.daily_records import (
    WHOLE,
    Part,
    choose_judged_family,
    ic_by_markets,
)
from quant_assets.monitoring.skill.drop_end import has_recovered
from quant_assets.monitoring.skill.reference_window import DailyRecord, WindowComparison
from quant_assets.monitoring.skill.rolling_score import (
    WINDOWS,
    explain_missing_levels,
    rolling_scores,
    score_levels,
    shortfall,
)

SINCE_A_SIGN = 0
"""The ``window`` of the days since the first sign of a drop."""
TOLD = (SINCE_A_SIGN, 20)
"""Windows whose levels people are told of: the longer ones find no drop that these do not, and stay
low for as long as they are after it was mended. Over 20 days a level ends with the drop."""
_PARTS = ("all", "lag", "markets")
_NO_RECORD = DailyRecord(np.empty(0, np.int64), np.empty(0))
_NO_MARKETS = DailyRecord(np.empty(0, np.int64), np.empty((0, 1)))


def rolling_rows(
    records: Mapping[Part, DailyRecord], days: DayArray, numbers: IntArray, settings: Settings
) -> pd.DataFrame:
    """Rows of ``monitoring.rolling`` for some days.

    Args:
        records: what is known by the last of the days; those of a family may be any other's
            before its first day, which are then what is expected of it.
        days: (k,) days.
        numbers: (k,) their numbers.
        settings: how large a shortfall matters.

    A day has a row for each part that was ever judged by the last day; the ensemble's has one
    even if nothing was.
    """
    told = {
        (choose_judged_family({family for family, *_ in records}), *WHOLE): _NO_RECORD,
        **records,
    }
    figures = [
        {"family": part[0], "by": part[1], "part": part[2], "window": window, **figures}
        for part, record in told.items()
        if part[1] in _PARTS
        for window, figures in _windows(records, part, record, numbers, settings)
    ]
    return to_frame(ROLLING, days, numbers, figures)


def find_worst_level(rows: pd.DataFrame, family: str) -> str | None:
    """The worst level of a family that people are told of; None where none can be told."""
    told = (rows["family"] == family) & (rows["by"] == "all") & rows["window"].isin(TOLD)
    found = rows["level"][told]
    return next((one for one in ("critical", "warning", "ok") if (found == one).any()), None)


def _windows(
    records: Mapping[Part, DailyRecord],
    part: Part,
    record: DailyRecord,
    numbers: IntArray,
    settings: Settings,
) -> Iterator[tuple[int, dict[str, Any]]]:
    for window in WINDOWS:
        figures = _columns(rolling_scores(record, numbers, window), window, settings)
        if window in TOLD:
            low = np.isin(figures["level"], ("warning", "critical"))
            figures["level"][has_recovered(record, numbers, window, low)] = "ok"
        yield window, figures
    if part[1:] == WHOLE:
        markets = ic_by_markets(records, part[0]) if part in records else _NO_MARKETS
        found = cusum_as_window(nearest_cusum(markets), markets.known(numbers))
        yield SINCE_A_SIGN, _columns(found, 1, settings)


def _columns(found: WindowComparison, window: int, settings: Settings) -> dict[str, Any]:
    return {
        "score": found.value,
        "expected": found.expected,
        "limit": found.bounds[:, 0],
        "limit_critical": found.bounds[:, 1],
        "shortfall": shortfall(found.value, found.expected),
        "level": score_levels(found, settings),
        "reason": explain_missing_levels(found, window),
    }
