"""Time of the feature layer against equal features written plainly in three libraries."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks.figures import Figure, extra_memory, medians
from benchmarks.plain_features import (
    INSTRUMENT_COLUMNS,
    TARGET_COLUMNS,
    Tables,
    with_duckdb,
    with_pandas,
    with_polars,
)
from quant_assets.core.typing import FloatArray
from quant_assets.features import kernels
from quant_assets.features.catalogue import CATALOGUE, LABEL_LOOKBACK
from quant_assets.features.cross_market import (
    group_features,
    join_market_inputs,
    market_features,
)
from quant_assets.features.instruments import instrument_features, winsorised_returns
from quant_assets.features.spreads import label_features, target_features
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs, labels_by_known_day, spread
from quant_assets.quality.cleaning import clean
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.protocol import Source
from quant_assets.sources.simulated.market import SimulatedMarket

Arrays = dict[str, FloatArray]
REPEATS = 3
# pandas carries a window's variance on from day to day and so loses digits where a price comes to
# rest; the euro at its floor of 1.20 francs is the worst case (checked in 50 decimals).
TOLERANCE = {"pandas": 1e-7, "polars": 1e-9, "duckdb": 1e-9}


@dataclass(frozen=True)
class Market:
    """A panel, its targets, and their labels by the day on which they become known."""

    panel: PricePanel
    pairs: TargetPairs
    known_labels: FloatArray

    def last(self, rows: int) -> "Market":
        """Return the market of the last ``rows`` days."""
        return Market(self.panel.rows(-rows), self.pairs, self.known_labels[-rows:])


def load(folder: Path | None) -> Market:
    """Load the market of a folder in the competition's format, or the simulated market."""
    if folder is None:
        return read_market(SimulatedMarket(first_day=date(2010, 1, 4), last_day=date(2017, 11, 10)))
    return read_market(CompetitionFolder(folder))


def read_market(source: Source) -> Market:
    """Read and clean the prices of a source, and compute its labels."""
    cleaned = clean(source.prices(source.first_day, source.last_day), source.name)
    series = cleaned.series.series
    names = tuple(sorted({s.instrument for s in series}))
    position = {name: i for i, name in enumerate(names)}

    def fields(values: FloatArray) -> Arrays:
        empty = (len(values), len(names))
        result = {s.field: np.full(empty, np.nan) for s in series}
        for i, s in enumerate(series):
            result[s.field][:, position[s.instrument]] = values[:, i]
        return result

    groups = tuple(cleaned.series.group_of[name] for name in names)
    panel = PricePanel(
        cleaned.days,
        cleaned.date_ids,
        names,
        groups,
        cleaned.series.all_groups,
        fields(cleaned.filled),
    )
    pairs = source.pairs()
    return Market(panel, pairs, labels_by_known_day(fields(cleaned.value)["close"], pairs, names))


def whole_catalogue(market: Market, last_rows: int | None = None) -> Arrays:
    """Compute all features of the catalogue, as the platform does."""
    instruments = instrument_features(market.panel)
    groups = group_features(market.panel, instruments)
    shared = market_features(instruments)
    labels = label_features(market.known_labels, last_rows)
    targets = target_features(
        market.panel, instruments, shared, market.pairs, labels, last_rows=last_rows
    )
    return instruments | join_market_inputs(market.panel.all_groups, groups, shared) | targets


def with_kernels(market: Market) -> Arrays:
    """Compute the twelve features with the package's kernels."""
    panel, (first, second) = market.panel, market.pairs.legs(market.panel.instruments)

    def z(values: FloatArray, window: int) -> FloatArray:
        mean, std = kernels.rolling_mean_std(values, [window])[window]
        return kernels.ratio(values - mean, std)

    close, high, low, volume = (
        kernels.positive_log(panel.field(name)) for name in ("close", "high", "low", "volume")
    )
    returns = winsorised_returns(close)
    sums = kernels.rolling_sum(returns, [20, 250])
    volatility = kernels.rolling_rms(returns, [20])[20]
    gains, moves = (
        kernels.rolling_sum(x, [14])[14] for x in (np.maximum(returns, 0.0), np.abs(returns))
    )
    leg = np.where(second >= 0, volatility[:, second], 0.0)
    daily = kernels.rolling_rms(spread(returns, first, second), [60])[60]
    return {
        "ret_20": sums[20],
        "vol_20": volatility,
        "momentum_250_20": sums[250] - sums[20],
        "parkinson_20": kernels.rolling_rms(high - low, [20])[20] / np.sqrt(4 * np.log(2)),
        "rsi_14": kernels.ratio(gains, moves) - 0.5,
        "bollinger_20": z(close, 20),
        "volume_z_20": z(volume, 20),
        "diff_ret_20": spread(sums[20], first, second),
        "sum_vol_20": volatility[:, first] + leg,
        "spread_z_60": z(spread(close, first, second), 60),
        "spread_volatility": daily * np.sqrt(market.pairs.lags),
        "label_mean_250": kernels.ratio(*kernels.rolling_mean_std(market.known_labels, [250])[250]),
    }


def long_tables(market: Market) -> Tables:
    """Convert a market to pandas frames; NaN where a value is missing."""

    def long(unit: str, arrays: Arrays) -> pd.DataFrame:
        days, units = next(iter(arrays.values())).shape
        keys = {unit: np.repeat(np.arange(units), days), "day": np.tile(np.arange(days), units)}
        return pd.DataFrame(keys | {name: x.T.ravel() for name, x in arrays.items()})

    fields = ("close", "high", "low", "volume")
    first, second = market.pairs.legs(market.panel.instruments)
    pairs = {"target": np.arange(len(first)), "lag": market.pairs.lags, "a": first}
    return Tables(
        long("instrument", {name: market.panel.field(name) for name in fields}),
        pd.DataFrame(pairs | {"b": pd.Series(second).where(second >= 0).astype("Int64")}),
        long("target", {"value": market.known_labels}),
    )


def contestants(
    market: Market, libraries: Collection[str] = tuple(TOLERANCE)
) -> dict[str, Callable[[], Any]]:
    """Return the functions to time, by name; those of libraries return two long tables."""
    tables = long_tables(market)
    native = Tables(*(pl.from_pandas(x) for x in (tables.prices, tables.pairs, tables.released)))
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    for name in ("prices", "pairs", "released"):
        connection.register("source", getattr(native, name).to_arrow())
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM source")
        connection.unregister("source")
    theirs: dict[str, Callable[[], Any]] = {
        "pandas": lambda: with_pandas(tables),
        "polars": lambda: with_polars(native),
        "duckdb": lambda: with_duckdb(connection),
    }
    return {"kernels": lambda: with_kernels(market), **{name: theirs[name] for name in libraries}}


def largest_disagreement(ours: Arrays, frames: Iterable[Any]) -> float:
    """Return the largest |ours - theirs| / max(1, |ours|); infinity if one side alone is NaN."""
    largest = 0.0
    for frame, columns in zip(frames, (INSTRUMENT_COLUMNS, TARGET_COLUMNS), strict=True):
        table = frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()
        ordered = table.sort_values(list(table.columns[:2]))
        for name in columns:
            mine = ours[name]
            theirs = ordered[name].to_numpy().reshape(mine.shape[::-1]).T
            theirs = np.where(np.isinf(theirs), np.nan, theirs)
            if (np.isnan(mine) != np.isnan(theirs)).any():
                return float("inf")
            gap = np.abs(mine - theirs) / np.maximum(1.0, np.abs(mine))
            largest = max(largest, float(np.nanmax(gap, initial=0.0)))
    return largest


def compare(market: Market, libraries: Collection[str], repeats: int) -> list[Figure]:
    """Measure the seconds and memory of twelve features, ours and in each library.

    Every library starts from its own tables in memory, sorted as it prefers; creating them is not
    timed. Each has its idiomatic form: grouped rolling windows, lazy expressions, SQL windows. The
    kernels use one core, polars and DuckDB use all cores. Values are compared before timing.

    Args:
        market: the market.
        libraries: names of libraries, of ``TOLERANCE``.
        repeats: number of times that each is measured.

    Raises:
        AssertionError: a library's values differ by more than its ``TOLERANCE``.
    """
    works = contestants(market, libraries)
    ours = with_kernels(market)
    days, features = len(ours["ret_20"]), len(ours)
    gaps, memory = {}, {}
    for name, work in works.items():
        results: list[Any] = []
        memory[name] = extra_memory(lambda: results.append(work()))  # noqa: B023  # called at once
        if name in libraries:
            gaps[name] = largest_disagreement(ours, results.pop())
    assert all(gap <= TOLERANCE[name] for name, gap in gaps.items()), gaps
    taken = medians(works, repeats, warm_ups=0)
    fastest = min(libraries, key=taken.__getitem__)
    ratio = taken[fastest] / taken["kernels"]
    names = {"kernels": "ours, one core"} | {name: name for name in libraries}
    what = f"{features} features of {days} days"
    return [
        *(Figure(f"{what}, {text}", taken[name], "s") for name, text in names.items()),
        *(Figure(f"{what}, memory, {text}", memory[name], "GB") for name, text in names.items()),
        Figure(f"fastest library ({fastest}) / ours", ratio, "x", at_least=3),
        *(Figure(f"largest difference, {x}", gaps[x], at_most=TOLERANCE[x]) for x in libraries),
    ]


def run(folder: Path | None) -> list[Figure]:
    """Measure twelve features in each library, and the whole catalogue.

    Raises:
        AssertionError: values of twelve features differ from those of the catalogue.
    """
    market = load(folder)
    recent = market.last(LABEL_LOOKBACK + 1)
    expected, alone = whole_catalogue(market), with_kernels(market)
    assert all(np.array_equal(alone[x], expected[x], equal_nan=True) for x in alone)
    taken = medians(
        {
            "all days": lambda: whole_catalogue(market),
            "one day": lambda: whole_catalogue(recent, last_rows=1),
        },
        REPEATS,
        warm_ups=0,
    )
    days = len(market.panel.days)
    return [
        *compare(market, tuple(TOLERANCE), REPEATS),
        Figure(f"all {len(CATALOGUE)} features of {days} days", taken["all days"], "s"),
        Figure(f"all {len(CATALOGUE)} features of one day", taken["one day"], "s"),
    ]
