"""Lakes with features and forecasts of the small market: one as it is, one changed after a day."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.schemas.tables import forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.protocol import PriceTable
from quant_assets_tests.support import synthetic

FAMILIES = ("ridge", "rank_prior")
ALTERED_AFTER = 330
FIT_ROWS = np.array([200, 300, 400])


def fill(folder: Path, table: PriceTable, altered_after: int | None = None) -> Lake:
    """Fill a lake with features, and with random forecasts from the first fit on.

    Args:
        folder: of the lake.
        table: prices.
        altered_after: row after which forecasts are one higher.
    """
    lake = Lake(folder)
    synthetic.fill(lake, table)
    days = table.days[FIT_ROWS[0] :]
    rows = np.arange(FIT_ROWS[0], len(table.days))
    as_of = table.days[FIT_ROWS[np.searchsorted(FIT_ROWS, rows, side="right") - 1]]
    targets = synthetic.pairs().targets
    for seed, name in enumerate((*FAMILIES, "ensemble")):
        values = np.random.default_rng(seed).normal(size=(len(days), len(targets)))
        if altered_after is not None:
            values[rows > altered_after] += 1.0
        stored = Forecasts(days, values, as_of, targets)
        lake.replace_days(
            forecasts_table(name), days[0].item(), days[-1].item(), forecast_rows(lake, stored)
        )
    return lake


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with fill(tmp_path_factory.mktemp("watched"), synthetic.prices()) as lake:
        yield lake


@pytest.fixture(scope="session")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake in which every price after a day differs."""
    prices = synthetic.altered_after(synthetic.prices(), ALTERED_AFTER)
    with fill(tmp_path_factory.mktemp("altered"), prices, ALTERED_AFTER) as lake:
        yield lake
