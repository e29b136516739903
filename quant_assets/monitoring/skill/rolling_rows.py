"""Rows of ``monitoring.rolling``: the scores of each family and part, compared with earlier days.

The arithmetic is in ``monitoring.skill.rolling_score``, ``.cusum`` and ``.drop_end``.
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

CUSUM_WINDOW = 0
"""The ``window`` of rows about the days since the first sign of a drop, which the CUSUM found."""
ALERT_WINDOWS = (CUSUM_WINDOW, 20)
"""Windows whose levels raise alerts, in judged days. Longer windows find no drop that these two do
not find, and stay low long after it was repaired. Over 20 days a level ends with the drop."""
_PARTS = ("all", "lag", "markets")
_NO_RECORD = DailyRecord(np.empty(0, np.int64), np.empty(0))
_NO_MARKETS = DailyRecord(np.empty(0, np.int64), np.empty((0, 1)))


def rolling_rows(
    records: Mapping[Part, DailyRecord], days: DayArray, date_ids: IntArray, settings: Settings
) -> pd.DataFrame:
    """Make rows of ``monitoring.rolling`` for some days.

    A day has a row for each window of each part that has been judged by the last day. The family
    whose performance raises alerts has rows even if nothing has been judged.

    Args:
        records: daily ICs known by the last of the days. Before the first day of a family, its
            record may hold another family's, which is then what the family is compared with.
        days: (k,) days.
        date_ids: (k,) their numbers.
        settings: how large a shortfall matters.
    """
    with_judged = {
        (choose_judged_family({family for family, *_ in records}), *WHOLE): _NO_RECORD,
        **records,
    }
    measures = [
        {"family": part[0], "by": part[1], "part": part[2], "window": window, **columns}
        for part, record in with_judged.items()
        if part[1] in _PARTS
        for window, columns in _compare_windows(records, part, record, date_ids, settings)
    ]
    return to_frame(ROLLING, days, date_ids, measures)


def find_worst_level(rows: pd.DataFrame, family: str) -> str | None:
    """Find the worst level of a family among the windows that raise alerts.

    Args:
        rows: of ``monitoring.rolling``, of one day.
        family: whose level is wanted.

    Returns:
        ok, warning or critical; None where no window has a level.
    """
    raises = (rows["family"] == family) & (rows["by"] == "all") & rows["window"].isin(ALERT_WINDOWS)
    levels = rows["level"][raises]
    return next((level for level in ("critical", "warning", "ok") if (levels == level).any()), None)


def _compare_windows(
    records: Mapping[Part, DailyRecord],
    part: Part,
    record: DailyRecord,
    date_ids: IntArray,
    settings: Settings,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each window of a part, and its columns of the table."""
    for window in WINDOWS:
        columns = _to_columns(rolling_scores(record, date_ids, window), window, settings)
        if window in ALERT_WINDOWS:
            is_low = np.isin(columns["level"], ("warning", "critical"))
            columns["level"][has_recovered(record, date_ids, window, is_low)] = "ok"
        yield window, columns
    if part[1:] == WHOLE:
        markets = ic_by_markets(records, part[0]) if part in records else _NO_MARKETS
        comparison = cusum_as_window(nearest_cusum(markets), markets.count_known(date_ids))
        yield CUSUM_WINDOW, _to_columns(comparison, 1, settings)


def _to_columns(comparison: WindowComparison, window: int, settings: Settings) -> dict[str, Any]:
    return {
        "score": comparison.value,
        "expected": comparison.expected,
        "limit": comparison.bounds[:, 0],
        "limit_critical": comparison.bounds[:, 1],
        "shortfall": shortfall(comparison.value, comparison.expected),
        "level": score_levels(comparison, settings),
        "reason": explain_missing_levels(comparison, window),
    }
