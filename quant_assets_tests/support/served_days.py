"""The part of a competition folder that a gateway serves: ``test.csv`` and the lagged labels."""

from collections.abc import Sequence
from math import log
from pathlib import Path

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.protocol import Source
from quant_assets_tests.support.competition_market import write


def write_served_days(
    folder: Path, source: Source, first: int, count: int, *, empty: Sequence[str] = ()
) -> Path:
    """Write some days of a source as the competition's evaluation has them.

    Args:
        folder: the folder, which is created.
        source: a source of closes by the competition's names.
        first: row of the first day among the source's days.
        count: number of days.
        empty: series of which no cell is filled, as of a delisted stock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = source.prices(source.first_day, source.last_day)
    values = np.where(np.isin(table.columns, list(empty)), np.nan, table.values)
    rows: list[list[object]] = [
        [int(table.date_ids[row]), *map(_cell, values[row]), "True"]
        for row in range(first, first + count)
    ]
    write(folder / "test.csv", ["date_id", *table.columns, "is_scored"], rows)
    pairs = source.pairs()
    for lag in sorted({int(lag) for lag in pairs.lags}):
        _write_lag(folder, table, pairs, lag, range(first, first + count))
    return folder


def _write_lag(
    folder: Path, table: PriceTable, pairs: TargetPairs, lag: int, served: range
) -> None:
    targets = [i for i, of in enumerate(pairs.lags) if of == lag]
    rows: list[list[object]] = [
        [
            int(table.date_ids[row]),
            *(_cell(_label(table, pairs, i, row - lag - 1, lag)) for i in targets),
            int(table.date_ids[row - lag - 1]),
        ]
        for row in served
        if row - lag - 1 >= served.start
    ]
    header = ["date_id", *(pairs.targets[i] for i in targets), "label_date_id"]
    write(folder / "lagged_test_labels" / f"test_labels_lag_{lag}.csv", header, rows)


def _label(table: PriceTable, pairs: TargetPairs, target: int, row: int, lag: int) -> float:
    result = 0.0
    for leg, sign in ((pairs.leg_a[target], 1), (pairs.leg_b[target], -1)):
        if not leg:
            continue
        closes = _closes(table, leg)
        result += sign * log(closes[row + lag + 1] / closes[row + 1])
    return result


def _closes(table: PriceTable, instrument: str) -> FloatArray:
    at = next(
        i
        for i, series in enumerate(table.series.series)
        if series.instrument == instrument and series.field == "close"
    )
    return table.values[:, at]


def _cell(number: float) -> str:
    return "" if np.isnan(number) else repr(float(number))
