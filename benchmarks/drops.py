"""How soon a drop in performance is told, and how often one is told for nothing.

Years are drawn in blocks from what the market's ensemble really scored, so how good its forecasts
are in truth is known: as good as in the record, less what a drop takes away.
"""

import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, in_fresh_process
from benchmarks.pipeline import command
from quant_assets.core.settings import Settings, load_settings
from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.skill.daily_records import (
    ENSEMBLE_FAMILY,
    WHOLE,
    Part,
    ic_by_markets,
    read_daily_records,
)
from quant_assets.monitoring.skill.reference_window import BLOCK_DAYS, DailyRecord
from quant_assets.monitoring.skill.rolling_rows import ALERT_WINDOWS, rolling_rows

DRAWN, YEAR = 200, 250
"""Years drawn, and judged days of each that are watched."""
BRIEF = 14
GONE = {"a lost signal": 1.0, "a signal of the wrong sign": 2.0, "a halved signal": 0.5}
"""Drops that stay, by the share of the mean IC that they take away."""
COLLAPSED = 6.0
"""The same of one that lasts ``BRIEF`` days."""


def run(market: Path | None) -> list[Figure]:
    """Of the simulated market, or of a folder's, after a ``demo`` of it."""
    with tempfile.TemporaryDirectory() as data:
        command(Path(data), "demo", *([str(market)] if market else []))
        return in_fresh_process(measure, Path(data))


def measure(data: Path) -> list[Figure]:
    """Draw years from the record of a loaded data directory, and watch them."""
    settings = load_settings(data_dir=data)
    with Lake(settings.lake_dir, read_only=True) as lake:
        found = read_daily_records(lake, (), date.max)
    markets = [part for part in found if part[:2] == (ENSEMBLE_FAMILY, "markets")]
    scored = ic_by_markets(found, ENSEMBLE_FAMILY).values.T
    stored = dict(zip([(ENSEMBLE_FAMILY, *WHOLE), *markets], scored, strict=True))
    return [
        *_clean(stored, settings),
        *(figure for name in GONE for figure in _lasting(stored, settings, name)),
        *_collapse(stored, settings),
    ]


def _clean(stored: Mapping[Part, FloatArray], settings: Settings) -> list[Figure]:
    levels = [watched(stored, settings, seed, 0.0) for seed in range(DRAWN)]
    critical = np.mean([(one == "critical").any() for one in levels])
    some = np.mean([(one != "ok").any() for one in levels])
    return [
        Figure("drops: years without one that bring an error", 100 * critical, "%"),
        Figure("drops: years without one that bring any level", 100 * some, "%"),
    ]


def _lasting(stored: Mapping[Part, FloatArray], settings: Settings, name: str) -> list[Figure]:
    told = [watched(stored, settings, seed, GONE[name]) != "ok" for seed in range(DRAWN)]
    found = np.array([first(one) for one in told])
    held = np.mean(
        [one[int(day) - 1 :].mean() for one, day in zip(told, found, strict=True) if day < np.inf]
    )
    return [
        Figure(f"drops: years in which {name} is told", 100 * np.mean(found < np.inf), "%"),
        *_spread(f"drops: {name} is told, judged days", found),
        Figure(f"drops: days since on which {name} is told", 100 * held, "%"),
    ]


def _collapse(stored: Mapping[Part, FloatArray], settings: Settings) -> list[Figure]:
    told = [watched(stored, settings, seed, COLLAPSED, BRIEF) != "ok" for seed in range(DRAWN)]
    last = [one[: BRIEF + 60].nonzero()[0].max(initial=BRIEF - 1) + 1 - BRIEF for one in told]
    name = f"a collapse of {BRIEF} days"
    return [
        *_spread(f"drops: {name} is told, judged days", np.array([first(one) for one in told])),
        *_spread(f"drops: {name} is over, judged days after", np.array(last)),
    ]


def watched(
    stored: Mapping[Part, FloatArray], settings: Settings, seed: int, share: float, days: int = YEAR
) -> AnyArray:
    """(YEAR,) worst level of each watched day.

    Args:
        stored: (n,) ICs that the years are drawn from, NaN on days without.
        settings: how large a shortfall matters.
        seed: of the draw.
        share: of each part's mean IC, taken away on the first ``days`` of the year.
        days: how many.
    """
    known = len(stored[ENSEMBLE_FAMILY, *WHOLE])
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, known, size=-(-(known + YEAR) // BLOCK_DAYS))
    drawn = ((starts[:, None] + np.arange(BLOCK_DAYS)) % known).ravel()[: known + YEAR]
    numbers = np.arange(known + YEAR)
    records = {}
    for part, one in stored.items():
        values = one[drawn]
        values[known : known + days] -= share * np.nanmean(one)
        there = ~np.isnan(values)
        records[part] = DailyRecord(numbers[there], values[there])
    year = numbers[known:]
    rows = rolling_rows(records, year.astype("datetime64[D]"), year, settings)
    rows = rows[(rows["by"] == "all") & rows["window"].isin(ALERT_WINDOWS)]
    ranked = rows["level"].map({"ok": 0, "warning": 1, "critical": 2})
    worst = ranked.groupby(rows["date_id"]).max().reindex(year).fillna(0).to_numpy(np.int64)
    return np.array(["ok", "warning", "critical"], dtype=object)[worst]


def first(told: BoolArray) -> float:
    """The day on which it is told, from 1; infinite if on none."""
    return float(told.argmax() + 1) if told.any() else np.inf


def _spread(name: str, values: FloatArray) -> list[Figure]:
    return [
        Figure(f"{name}: median", float(np.median(values)), "d"),
        Figure(f"{name}: nine of ten", float(np.quantile(values, 0.9, method="higher")), "d"),
    ]
