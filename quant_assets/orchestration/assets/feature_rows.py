"""Rows of the features' tables, computed from the lake in blocks of days that fit into memory.

The assets that store them are in ``features``; the arithmetic is in the package ``features``.
"""

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.features.catalogue import (
    LABEL_LOOKBACK,
    LEG_FEATURES,
    SPREAD_LOOKBACK,
)
from quant_assets.features.cross_market import group_features, market_features
from quant_assets.features.instruments import instrument_features
from quant_assets.features.kernels import tail_rows
from quant_assets.features.spreads import label_features, target_features
from quant_assets.lake.readers.arrays import ROWS_AT_ONCE, day_blocks, long_rows
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.readers.features import read_features
from quant_assets.lake.readers.imputed import read_feature_panel
from quant_assets.lake.readers.point_in_time import read_known_labels
from quant_assets.lake.readers.prices import find_history_start
from quant_assets.lake.readers.universe import find_settled_targets
from quant_assets.lake.schemas.feature_tables import INSTRUMENT_FEATURES, MARKET_FEATURES
from quant_assets.lake.schemas.price_tables import VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs

_LABEL_ROWS = 4 * ROWS_AT_ONCE
"""Rows whose labels are computed at once; they have long windows, so more than other features."""


def compute_target_blocks(
    lake: Lake, market: MarketDescription, pairs: TargetPairs, start: date, end: date
) -> Iterator[dict[str, Any]]:
    """Compute the rows of the targets in blocks of days that fit into memory.

    Args:
        lake: holds prices, labels, and the features of instruments and of the market.
        market: says what features have in place of missing closes.
        pairs: the targets.
        start: first day.
        end: last day.
    """
    days = read_days(lake, VALIDATED_PRICES)
    days = days[days <= np.datetime64(end)]
    first = int(np.searchsorted(days, np.datetime64(start)))
    labelled = max(first - LABEL_LOOKBACK, 0)
    known_labels = read_known_labels(lake, days[labelled:], pairs)
    history = find_history_start(lake, VALIDATED_PRICES, start, SPREAD_LOOKBACK)
    panel = read_feature_panel(lake, market.imputation, history, end, fields=("close",))
    begins = int(np.searchsorted(days, panel.days[0])) if len(panel.days) else 0
    for span in day_blocks(len(days) - first, len(pairs), _LABEL_ROWS):
        stop = first + span.stop - labelled
        known = known_labels[max(stop - span.stop + span.start - LABEL_LOOKBACK, 0) : stop]
        labels = label_features(known, span.stop - span.start)
        for block in day_blocks(span.stop - span.start, len(pairs)):
            start_row, stop_row = (first + span.start + x for x in (block.start, block.stop))
            part = panel.rows(max(start_row - SPREAD_LOOKBACK - begins, 0), stop_row - begins)
            of_block = {name: values[block] for name, values in labels.items()}
            yield _target_rows(lake, part, pairs, of_block, block.stop - block.start)


def instrument_rows(panel: PricePanel, members: BoolArray, rows: int) -> Iterator[dict[str, Any]]:
    """Compute the rows of instruments, of groups and of the market on the last days of a panel.

    Args:
        panel: (n, k) prices.
        members: (n, k) which instruments are in the universe.
        rows: number of last days.
    """
    by_instrument = instrument_features(panel)
    groups = tuple(group.name for group in panel.all_groups)
    for values, units in (
        (by_instrument, ("instrument", panel.instruments)),
        (group_features(panel, by_instrument, members), ("instrument_group", groups)),
        (market_features(by_instrument, members), ()),
    ):
        kept = {name: tail_rows(array, rows) for name, array in values.items()}
        yield long_rows(tail_rows(panel.days, rows), tail_rows(panel.date_ids, rows), kept, *units)


def _target_rows(
    lake: Lake, panel: PricePanel, pairs: TargetPairs, labels: dict[str, FloatArray], rows: int
) -> dict[str, Any]:
    """Compute the rows of the targets on the last days of a panel.

    Args:
        lake: holds the features of instruments and of the market.
        panel: (n, k) prices.
        pairs: the m targets.
        labels: features of the labels that are known on the last days.
        rows: number of last days.
    """
    days, date_ids = tail_rows(panel.days, rows), tail_rows(panel.date_ids, rows)
    read = partial(
        read_features, lake, INSTRUMENT_FEATURES, unit_column="instrument", units=panel.instruments
    )
    values = target_features(
        panel,
        # Of the days before, only returns are needed.
        {**read(days=days, only=LEG_FEATURES), **read(days=panel.days, only=("ret_1",))},
        read_features(lake, MARKET_FEATURES, panel.days),
        pairs,
        labels,
        last_rows=rows,
    )
    return long_rows(days, date_ids, values, "target", pairs.targets)


def frame_settled(
    lake: Lake, market: MarketDescription, pairs: TargetPairs, columns: dict[str, Any]
) -> pd.DataFrame:
    """Return the rows of targets that have been in the universe for long enough to be checked.

    The columns become a frame as they are: by way of Arrow it would take thrice as long.

    Args:
        lake: holds the universe.
        market: says whether instruments come and go.
        pairs: the targets.
        columns: rows of whole days, in the order of the targets.
    """
    names = columns["target"]
    targets = pd.Categorical.from_codes(names.indices.to_numpy(), names.dictionary.to_pylist())
    rows = {**columns, "target": targets}
    if market.universe is not None:
        days = np.unique(columns["trading_day"]).astype("datetime64[D]")
        settled = find_settled_targets(lake, pairs, days).ravel()
        rows = {name: values[settled] for name, values in rows.items()}
    return pd.DataFrame(rows, copy=False)
