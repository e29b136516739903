"""Errors of estimated closes beside those of the last close, and the time that estimates take.

Of the observed closes of a market, 2 % are hidden at random, and estimated from the others; and of
the days of each group, 2 % are hidden with all closes of the group, as when its exchange is closed.
"""

from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, extra_memory, seconds
from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.features.imputation import imputation_lookback, impute_closes
from quant_assets.market.description.imputation import DEFAULT_IMPUTATION
from quant_assets.quality.cleaning import CleaningRules, clean
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.protocol import Source
from quant_assets.sources.simulated.market import SimulatedMarket

HIDDEN, SEED = 0.02, 7
WINDOW, LIMIT = DEFAULT_IMPUTATION.window, CleaningRules().fill_limit
SIZES = ((557, 2000), (7153, 1))
"""Numbers of instruments and of days whose estimates are timed."""


def run(market: Path | None) -> list[Figure]:
    """Measure on a folder's market, or on the simulated market; sizes are of random prices."""
    simulated = SimulatedMarket(first_day=date(2010, 1, 4), last_day=date(2017, 11, 10))
    source: Source = simulated if market is None else CompetitionFolder(market)
    figures = _errors(source)
    for instruments, days in SIZES:
        figures += _time(instruments, days)
    return figures


def _errors(source: Source) -> list[Figure]:
    """Compare errors of hidden log closes, of single instruments and of whole groups."""
    cleaned = clean(source.prices(source.first_day, source.last_day), source.name)
    at = [i for i, series in enumerate(cleaned.series.series) if series.field == "close"]
    close = np.take(cleaned.value, at, axis=1)
    groups, of_group = np.unique([cleaned.series.groups[i] for i in at], return_inverse=True)
    random = np.random.default_rng(SEED)
    single = random.random(close.shape) < HIDDEN
    together = (random.random((len(close), len(groups))) < HIDDEN)[:, of_group]
    figures = []
    for name, drawn in (("closes", single), ("groups", together)):
        hidden = drawn & ~np.isnan(close)
        shown = np.where(hidden, np.nan, close)
        estimates = impute_closes(shown, WINDOW, LIMIT, len(close))
        judged = hidden & ~np.isnan(estimates.standard_error)
        error = np.log(estimates.value) - np.log(close)
        before = np.log(_last_close(shown)) - np.log(close)
        parts = {"all": judged}
        parts |= {group: judged & (of_group == i) for i, group in enumerate(groups)}
        figures.append(Figure(f"hidden {name}: cells that are judged", float(judged.sum())))
        figures += [
            Figure(
                f"hidden {name}: RMSE of estimates / of the last close, {part}",
                _rms(error, cells) / _rms(before, cells),
                "x",
                at_most=1 if part == "all" else None,
            )
            for part, cells in parts.items()
        ]
        scaled = _rms(error / estimates.standard_error, judged)
        figures.append(Figure(f"hidden {name}: RMS of error / standard error", scaled))
    return figures


def _time(instruments: int, days: int) -> list[Figure]:
    """Time the estimates of the last days of random prices, of which 2 % are missing."""
    random = np.random.default_rng(SEED)
    rows = days + imputation_lookback(WINDOW, LIMIT)
    close = np.exp(random.normal(0, 0.01, (rows, instruments)).cumsum(axis=0))
    close[random.random(close.shape) < HIDDEN] = np.nan
    name = f"{instruments:,} instruments x {days:,} days"
    taken = seconds(lambda: impute_closes(close, WINDOW, LIMIT, days))
    memory = extra_memory(lambda: impute_closes(close, WINDOW, LIMIT, days))
    return [Figure(f"{name}, one core", taken, "s"), Figure(f"{name}, memory", memory, "GB")]


def _last_close(close: FloatArray) -> FloatArray:
    rows = np.arange(len(close))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(close), 0, rows), axis=0)
    return np.take_along_axis(close, last, axis=0)


def _rms(values: FloatArray, cells: BoolArray) -> float:
    return float(np.sqrt((values[cells] ** 2).mean()))
