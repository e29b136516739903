"""A small part of the simulated market, and everything known of it, in memory and in a lake.

The package cleans the prices and computes the features; only the loop over layers is repeated here,
for arrays and for tables.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.features.cross_market import (
    group_features,
    join_market_inputs,
    market_features,
)
from quant_assets.features.instruments import instrument_features
from quant_assets.features.spreads import label_features, target_features
from quant_assets.lake.readers.arrays import long_rows
from quant_assets.lake.readers.features import read_features
from quant_assets.lake.readers.labels import label_rows
from quant_assets.lake.readers.point_in_time import read_known_labels
from quant_assets.lake.readers.prices import pairs_rows, raw_rows, read_pairs, read_panel, read_raw
from quant_assets.lake.schemas.feature_tables import (
    GROUP_FEATURES,
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    TARGET_FEATURES,
)
from quant_assets.lake.schemas.price_tables import RAW_PRICES, RAW_TARGET_PAIRS, VALIDATED_PRICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import closing_orders
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs, labels_by_known_day
from quant_assets.models.protocol import FeatureBlock, Observations
from quant_assets.quality.cleaning import clean
from quant_assets.quality.rows import validated_rows
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.simulated.market import SimulatedMarket

Units = tuple[str, tuple[str, ...]] | tuple[()]
ALWAYS = (date(2000, 1, 4), date(2030, 12, 31))
SOURCE = SimulatedMarket(seed=3, first_day=date(2021, 1, 4), last_day=date(2022, 8, 31))
EMPTY = "US_Stock_GOLD"
INSTRUMENTS = (
    *("LME_AH", "LME_CA", "LME_PB", "LME_ZS"),
    *("JPX_Gold_Standard_Futures", "JPX_Platinum_Standard_Futures", "JPX_RSS3_Rubber_Futures"),
    *("US_Stock_VT", "US_Stock_XOM", "US_Stock_CVX", "US_Stock_SLV", "US_Stock_IEF"),
    *("US_Stock_NUGT", "US_Stock_X", "US_Stock_OXY", EMPTY),
    *("FX_EURUSD", "FX_USDJPY", "FX_ZARJPY", "FX_AUDNZD"),
)


@cache
def prices() -> PriceTable:
    """Return about 430 days of twenty instruments, of which one has no value."""
    whole = SOURCE.prices(SOURCE.first_day, SOURCE.last_day)
    kept = [i for i, s in enumerate(whole.series.series) if s.instrument in INSTRUMENTS]
    series = whole.series.select([whole.columns[i] for i in kept])
    values = whole.values[:, kept]
    values[:, [each.instrument == EMPTY for each in series.series]] = np.nan
    return PriceTable(whole.days, whole.date_ids, series, values)


@cache
def pairs(horizons: tuple[int, ...] = (1, 2, 3, 4)) -> TargetPairs:
    """Return forty targets, about as many of each horizon; every tenth has a single leg."""
    random = np.random.default_rng(5)
    legs = [name for name in INSTRUMENTS if name != EMPTY]
    drawn = [random.choice(legs, size=2, replace=False).tolist() for _ in range(40)]
    return TargetPairs(
        tuple(f"target_{i}" for i in range(40)),
        np.sort(np.resize(horizons, 40)),
        tuple(a for a, _ in drawn),
        tuple(None if i % 10 == 3 else b for i, (_, b) in enumerate(drawn)),
    )


def until(table: PriceTable, row: int) -> PriceTable:
    """Copy the days up to ``row``."""
    return replace(
        table,
        days=table.days[: row + 1],
        date_ids=table.date_ids[: row + 1],
        values=table.values[: row + 1].copy(),
    )


def altered_after(table: PriceTable, row: int, seed: int = 0) -> PriceTable:
    """Return the table with changed prices after ``row``, of which some are missing."""
    random = np.random.default_rng(seed)
    values = table.values.copy()
    later = values[row + 1 :]
    later *= np.exp(random.normal(scale=0.1, size=later.shape))
    later[random.random(later.shape) < 0.05] = np.nan
    return replace(table, values=values)


def panel_of(table: PriceTable, values: FloatArray) -> PricePanel:
    """Return the panel of (n, c) values in the table's columns."""
    series = table.series.series
    names = tuple(sorted({s.instrument for s in series}))
    fields = {s.field: np.full((len(table.days), len(names)), np.nan) for s in series}
    for i, s in enumerate(series):
        fields[s.field][:, names.index(s.instrument)] = values[:, i]
    groups = tuple(table.series.group_of[name] for name in names)
    return PricePanel(table.days, table.date_ids, names, groups, table.series.all_groups, fields)


def observe(table: PriceTable, horizons: tuple[int, ...] = (1, 2, 3, 4)) -> Observations:
    """Everything known at the close of the table's last day, without a lake."""
    cleaned, targets = clean(table, SOURCE.name), pairs(horizons)
    observed, filled = (panel_of(table, x) for x in (cleaned.value, cleaned.filled))
    labels = labels_by_known_day(observed.close, targets, observed.instruments)
    by_instrument = instrument_features(filled)
    by_market = market_features(by_instrument)
    by_group = group_features(filled, by_instrument)
    by_target = target_features(filled, by_instrument, by_market, targets, label_features(labels))
    return Observations(
        table.days,
        targets.targets,
        targets.lags,
        observed.instruments,
        observed.groups,
        closing_orders(observed.groups, observed.all_groups),
        np.stack(targets.legs(observed.instruments), axis=1),
        labels,
        _block(by_target),
        _block(by_instrument),
        _block(join_market_inputs(observed.all_groups, by_group, by_market)),
    )


def fill(lake: Lake, table: PriceTable, horizons: tuple[int, ...] = (1, 2, 3, 4)) -> None:
    """Write the layers from raw to features, each computed from the layer before in the lake."""
    start, end = table.days[0].item(), table.days[-1].item()
    lake.replace_all(RAW_TARGET_PAIRS, pairs_rows(pairs(horizons)))
    lake.replace_days(RAW_PRICES, start, end, raw_rows(table, SOURCE.name))
    cleaned = clean(read_raw(lake, start, end), SOURCE.name)
    lake.replace_days(VALIDATED_PRICES, start, end, validated_rows(cleaned, start))
    panel, targets = read_panel(lake, "value", start, end), read_pairs(lake)
    labels = labels_by_known_day(panel.close, targets, panel.instruments)
    lake.replace_days(LABELS, start, end, label_rows(panel, targets, labels, start))
    panel = read_panel(lake, "filled", start, end)
    units = ("instrument", panel.instruments)
    by_instrument = instrument_features(panel)
    _write(lake, INSTRUMENT_FEATURES, panel, by_instrument, units)
    groups = ("instrument_group", tuple(group.name for group in panel.all_groups))
    _write(lake, GROUP_FEATURES, panel, group_features(panel, by_instrument), groups)
    _write(lake, MARKET_FEATURES, panel, market_features(by_instrument))
    by_target = target_features(
        panel,
        read_features(lake, INSTRUMENT_FEATURES, panel.days, *units),
        read_features(lake, MARKET_FEATURES, panel.days),
        targets,
        label_features(read_known_labels(lake, panel.days, targets)),
    )
    _write(lake, TARGET_FEATURES, panel, by_target, ("target", targets.targets))


def number_days(lake: Lake, days: DayArray, first_id: int) -> None:
    """Write the market's features, all zero, for tests that need the days' numbers only."""
    values = {column.name: np.zeros(len(days)) for column in MARKET_FEATURES.columns[2:]}
    rows = {"trading_day": days, "date_id": first_id + np.arange(len(days)), **values}
    lake.replace_days(MARKET_FEATURES, days[0].item(), days[-1].item(), rows)


def assert_same(ours: Observations, expected: Observations) -> None:
    """Assert that both hold the same, bit for bit."""
    assert (ours.targets, ours.target.names) == (expected.targets, expected.target.names)
    for a, b in zip(_arrays(ours), _arrays(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def _arrays(seen: Observations) -> Iterable[FloatArray]:
    blocks = (seen.target, seen.instrument, seen.market)
    return (seen.days, seen.lags, seen.known_labels, *(block.values for block in blocks))


def _block(arrays: dict[str, FloatArray]) -> FeatureBlock:
    values = np.stack(list(arrays.values()), axis=-1)
    return FeatureBlock(tuple(arrays), values.astype(np.float32))


def _write(
    lake: Lake, table: Table, panel: PricePanel, values: dict[str, FloatArray], units: Units = ()
) -> None:
    rows = long_rows(panel.days, panel.date_ids, values, *units)
    lake.replace_days(table, panel.days[0].item(), panel.days[-1].item(), rows)
