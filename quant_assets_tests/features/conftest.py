"""A small random market with gaps, and everything computed from it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.market.instruments import COMPETITION_GROUPS, market_of, parse_column
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs, labels_by_known_day
from quant_assets_tests.support.random_market import Features, Market, random_market


@pytest.fixture(scope="session")
def small_market() -> Market:
    return random_market(600)


@pytest.fixture(scope="session")
def small_features(small_market: Market) -> Features:
    return small_market.features()


@pytest.fixture(scope="module")
def real_panel(real_market: Path) -> Market:
    """The real market, filled over up to five days."""
    table = pd.read_csv(real_market / "train.csv", index_col="date_id")
    series = {column: parse_column(column) for column in table.columns}
    names = tuple(dict.fromkeys(s.instrument for s in series.values()))
    shape = (len(table), len(names))
    fields = {s.field: np.full(shape, np.nan) for s in series.values()}
    for column, s in series.items():
        fields[s.field][:, names.index(s.instrument)] = table[column]
    filled = {name: pd.DataFrame(x).ffill(limit=5).to_numpy() for name, x in fields.items()}
    pairs = pd.read_csv(real_market / "target_pairs.csv")
    legs = [[parse_column(c).instrument for c in text.split(" - ")] for text in pairs["pair"]]
    targets = TargetPairs(
        tuple(pairs["target"]),
        pairs["lag"].to_numpy(),
        tuple(leg[0] for leg in legs),
        tuple(leg[1] if len(leg) > 1 else None for leg in legs),
    )
    days = np.datetime64("2010-01-04") + np.arange(len(table))
    panel = PricePanel(
        days,
        table.index.to_numpy(),
        names,
        tuple(map(market_of, names)),
        COMPETITION_GROUPS,
        filled,
    )
    return Market(panel, targets, labels_by_known_day(fields["close"], targets, names))
