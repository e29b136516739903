"""The delay until a drop of scores is noticed, and the rate of false alarms.

Years are drawn in blocks from real daily ICs of the market's ensemble, so the true skill of its
forecasts is known: that of the record, less the drop.
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
"""Number of years that are drawn, and number of judged days of each year."""
BRIEF = 14
GONE = {"a lost signal": 1.0, "a signal of the wrong sign": 2.0, "a halved signal": 0.5}
"""Lasting drops, and the share of the mean IC that each takes away."""
COLLAPSED = 6.0
"""Share of the mean IC that a drop of ``BRIEF`` days takes away."""


def run(market: Path | None) -> list[Figure]:
    """Measure on the simulated market, or on a folder's market, after a ``demo`` of it."""
    with tempfile.TemporaryDirectory() as data:
        command(Path(data), "demo", *([str(market)] if market else []))
        return in_fresh_process(measure, Path(data))


def measure(data: Path) -> list[Figure]:
    """Draw years from the record of a loaded data directory, and judge each day of them."""
    settings = load_settings(data_dir=data)
    with Lake(settings.lake_dir, read_only=True) as lake:
        records = read_daily_records(lake, (), date.max)
    markets = [part for part in records if part[:2] == (ENSEMBLE_FAMILY, "markets")]
    scored = ic_by_markets(records, ENSEMBLE_FAMILY).values.T
    stored = dict(zip([(ENSEMBLE_FAMILY, *WHOLE), *markets], scored, strict=True))
    return [
        *_clean(stored, settings),
        *(figure for name in GONE for figure in _lasting(stored, settings, name)),
        *_collapse(stored, settings),
    ]


def _clean(stored: Mapping[Part, FloatArray], settings: Settings) -> list[Figure]:
    levels = [watched(stored, settings, seed, 0.0) for seed in range(DRAWN)]
    critical = np.mean([(year == "critical").any() for year in levels])
    some = np.mean([(year != "ok").any() for year in levels])
    return [
        Figure("drops: years without one that bring an error", 100 * critical, "%"),
        Figure("drops: years without one that bring any level", 100 * some, "%"),
    ]


def _lasting(stored: Mapping[Part, FloatArray], settings: Settings, name: str) -> list[Figure]:
    noticed = [watched(stored, settings, seed, GONE[name]) != "ok" for seed in range(DRAWN)]
    days_until = np.array([first(year) for year in noticed])
    held = np.mean(
        [
            year[int(day) - 1 :].mean()
            for year, day in zip(noticed, days_until, strict=True)
            if day < np.inf
        ]
    )
    return [
        Figure(f"drops: years in which {name} is told", 100 * np.mean(days_until < np.inf), "%"),
        *_spread(f"drops: {name} is told, judged days", days_until),
        Figure(f"drops: days since on which {name} is told", 100 * held, "%"),
    ]


def _collapse(stored: Mapping[Part, FloatArray], settings: Settings) -> list[Figure]:
    noticed = [watched(stored, settings, seed, COLLAPSED, BRIEF) != "ok" for seed in range(DRAWN)]
    last = [year[: BRIEF + 60].nonzero()[0].max(initial=BRIEF - 1) + 1 - BRIEF for year in noticed]
    name = f"a collapse of {BRIEF} days"
    return [
        *_spread(
            f"drops: {name} is told, judged days", np.array([first(year) for year in noticed])
        ),
        *_spread(f"drops: {name} is over, judged days after", np.array(last)),
    ]


def watched(
    stored: Mapping[Part, FloatArray], settings: Settings, seed: int, share: float, days: int = YEAR
) -> AnyArray:
    """Return the (YEAR,) worst levels of the days of a drawn year.

    Args:
        stored: (n,) ICs that the year is drawn from, by part; NaN on days without an IC.
        settings: settings with the limits of a shortfall.
        seed: seed of the draw.
        share: share of each part's mean IC that is taken away on the first ``days`` of the year.
        days: number of days with the drop.
    """
    known = len(stored[ENSEMBLE_FAMILY, *WHOLE])
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, known, size=-(-(known + YEAR) // BLOCK_DAYS))
    drawn = ((starts[:, None] + np.arange(BLOCK_DAYS)) % known).ravel()[: known + YEAR]
    numbers = np.arange(known + YEAR)
    records = {}
    for part, ics in stored.items():
        values = ics[drawn]
        values[known : known + days] -= share * np.nanmean(ics)
        known_days = ~np.isnan(values)
        records[part] = DailyRecord(numbers[known_days], values[known_days])
    year = numbers[known:]
    rows = rolling_rows(records, year.astype("datetime64[D]"), year, settings)
    rows = rows[(rows["by"] == "all") & rows["window"].isin(ALERT_WINDOWS)]
    ranked = rows["level"].map({"ok": 0, "warning": 1, "critical": 2})
    worst = ranked.groupby(rows["date_id"]).max().reindex(year).fillna(0).to_numpy(np.int64)
    return np.array(["ok", "warning", "critical"], dtype=object)[worst]


def first(noticed: BoolArray) -> float:
    """Return the first day on which a drop is noticed, from 1; infinity if there is none."""
    return float(noticed.argmax() + 1) if noticed.any() else np.inf


def _spread(name: str, values: FloatArray) -> list[Figure]:
    return [
        Figure(f"{name}: median", float(np.median(values)), "d"),
        Figure(f"{name}: nine of ten", float(np.quantile(values, 0.9, method="higher")), "d"),
    ]
