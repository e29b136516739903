"""Intervals as rows of the lake, and their coverage. ``ensemble.intervals`` computes them."""

import hashlib
from datetime import date
from typing import Any

import numpy as np

from quant_assets.core.code_digest import digest_code
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.ensemble.intervals import LEVELS, covered, resume_intervals
from quant_assets.lake.readers.arrays import long_rows, to_cube
from quant_assets.lake.readers.forecasts import read_forecasts
from quant_assets.lake.readers.point_in_time import (
    read_date_ids,
    read_known_days,
    read_known_labels,
)
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.forecast_tables import ADAPTATION, ENSEMBLE_FORECASTS, INTERVALS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs

PERCENT = tuple(round(100 * level) for level in LEVELS)
BOUNDS = tuple(c.name for c in INTERVALS.columns if c.name.startswith(("lower", "upper")))
_MISSED = tuple(c.name for c in ADAPTATION.columns if c.name.startswith("missed"))


def interval_rows(lake: Lake, start: date, end: date) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compute rows of ``forecasts.intervals``, without origin, on days with an ensemble forecast.

    All labels known on ``end`` are read, since intervals adapt from the first day on. The
    adaptation goes on from the newest stored day up to which no label has changed.

    Returns the rows, and rows of ``forecasts.adaptation`` from the first day that is not stored so.

    Args:
        lake: the lake.
        start: first forecast day.
        end: last forecast day.
    """
    pairs, days = read_pairs(lake), read_known_days(lake, end)
    forecasts = read_forecasts(lake, ENSEMBLE_FORECASTS, pairs.targets, start, end)
    known_labels = read_known_labels(lake, days, pairs)
    digests = _digest_labels(known_labels, pairs)
    alpha = _read_adaptation(lake, days, digests)
    rows = np.flatnonzero(np.isin(days, forecasts.days))
    bounds, alphas = resume_intervals(known_labels, pairs.lags, rows, alpha)
    bounds[np.isnan(forecasts.on(days[rows]))] = np.nan
    values = {name: bounds[:, :, i] for i, name in enumerate(BOUNDS)}
    date_ids = read_date_ids(lake, forecasts.days)
    new = slice(len(alpha), None)
    state = {"trading_day": days[new], "labels": digests[new]}
    state |= {name: alphas[new, i] for i, name in enumerate(_MISSED)}
    return long_rows(forecasts.days, date_ids, values, "target", pairs.targets), state


def _digest_labels(known_labels: FloatArray, pairs: TargetPairs) -> list[str]:
    """Digest, for each of the n days, all labels known by then, and what is computed from them."""
    digest = hashlib.blake2b(digest_code(resume_intervals).encode(), digest_size=16)
    digest.update("\n".join(pairs.targets).encode())
    digest.update(pairs.lags.tobytes())
    digests = []
    for row in np.where(np.isnan(known_labels), np.nan, known_labels):
        digest.update(row)
        digests.append(digest.hexdigest())
    return digests


def _read_adaptation(lake: Lake, days: DayArray, digests: list[str]) -> FloatArray:
    """Read the (p, levels) alpha of the first p days, as far as their labels are unchanged."""
    if not lake.has(ADAPTATION):
        return np.empty((0, len(_MISSED)))
    rows = lake.columns(f"FROM {ADAPTATION.quoted} ORDER BY trading_day")
    stored = rows["trading_day"].astype("datetime64[D]")
    count = min(len(stored), len(days))
    same = (stored[:count] == days[:count]) & (rows["labels"][:count] == np.array(digests[:count]))
    valid = count if same.all() else int(np.argmin(same))
    return np.stack([rows[name][:valid] for name in _MISSED], axis=1)


def read_coverage(
    lake: Lake, days: DayArray, targets: tuple[str, ...], labels: FloatArray
) -> dict[str, FloatArray]:
    """Compute the share of each day's labels that lie within their stored intervals.

    Returns (n,) shares by level in percent; NaN on a day without intervals or labels.

    Args:
        lake: the lake.
        days: (n,) consecutive forecast days.
        targets: m names.
        labels: (n, m) labels by forecast day; NaN where empty.
    """
    within = covered(_read_bounds(lake, days, targets), labels)
    known = (~np.isnan(within)).sum(axis=1)
    share = np.where(known > 0, np.nansum(within, axis=1) / np.maximum(known, 1), np.nan)
    return {str(level): share[:, i] for i, level in enumerate(PERCENT)}


def _read_bounds(lake: Lake, days: DayArray, targets: tuple[str, ...]) -> FloatArray:
    """Read the (n, m, 2 * levels) bounds of the stored intervals; NaN without an interval."""
    if not lake.has(INTERVALS):
        return np.full((len(days), len(targets), len(BOUNDS)), np.nan)
    columns = ", ".join(BOUNDS)
    # A withdrawn day that was submitted live has intervals, and is no forecast day any more.
    rows = lake.arrow(
        f"SELECT trading_day, target, {columns} FROM {INTERVALS.quoted}"
        " WHERE trading_day IN (SELECT unnest(?::DATE[]))",
        [days.tolist()],
    )
    bounds: FloatArray = to_cube(rows, days, "target", targets, BOUNDS)
    return bounds
