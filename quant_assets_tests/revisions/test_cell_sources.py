"""The source of each price is stored with it, where several sources deliver the prices."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quant_assets.lake.readers.series import group_rows, series_rows
from quant_assets.lake.schemas.price_tables import RAW_GROUPS, RAW_PRICES, RAW_SERIES
from quant_assets.lake.store.changes import replace_all, replace_days
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import collect
from quant_assets.market.instruments import Group, InstrumentSeries, SeriesList
from quant_assets.quality.cleaning import CleaningRules
from quant_assets.revisions.comparison import Comparison
from quant_assets.revisions.given_prices import (
    join_days,
    keep_stored_days,
    select_columns,
    select_days,
)
from quant_assets.revisions.storing import PriceUpdate, build_update
from quant_assets.sources.deliveries import JoinedPrices

DAYS = np.arange("2026-02-02", "2026-02-06", dtype="datetime64[D]")
COLUMNS = ("A_close", "B_close", "B_volume")
SERIES = SeriesList(
    COLUMNS,
    (
        InstrumentSeries("A", "close"),
        InstrumentSeries("B", "close"),
        InstrumentSeries("B", "volume"),
    ),
    ("all",) * 3,
    (Group("all"),),
)
PLACES = np.array([[0, 0, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]], dtype=np.int8)


@pytest.fixture
def table() -> JoinedPrices:
    values = np.arange(1.0, 13.0).reshape(4, 3)
    values[1, 1], values[3, 0] = -5.0, np.inf
    return JoinedPrices(
        *(DAYS, np.arange(4), SERIES, values),
        names=("one", "two"),
        firsts=np.array([0, 0, 1]),
        places=PLACES,
    )


def update_of(table: JoinedPrices) -> PriceUpdate:
    start, end = DAYS[0].item(), DAYS[-1].item()
    return build_update(Comparison(table), "one, two", CleaningRules(), start, end)


def store(lake: Lake, update: PriceUpdate) -> None:
    rows = collect(RAW_PRICES, update.raw_blocks())
    lake.change(
        replace_all(RAW_SERIES, series_rows(SERIES)),
        replace_all(RAW_GROUPS, group_rows(SERIES.all_groups)),
        replace_days(RAW_PRICES, update.start, update.end, rows),
    )


def test_each_price_is_stored_with_its_source(table: JoinedPrices, tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        store(lake, update_of(table))
        order = "ORDER BY trading_day, instrument, field"
        stored = lake.arrow(f"SELECT source FROM {RAW_PRICES.quoted} {order}")
    named = np.array(["one", "two"])[PLACES].ravel().tolist()
    assert stored["source"].to_pylist() == named


def test_a_rejected_cell_names_its_source(table: JoinedPrices) -> None:
    rejected = update_of(table).cleaned.quarantine
    cells = rejected[["row", "column", "source"]].values.tolist()
    assert cells == [[1, "B_close", "two"], [3, "A_close", "two"]]


def test_parts_of_a_table_keep_their_sources(table: JoinedPrices) -> None:
    turned = select_columns(table, ("B_volume", "A_close"))
    assert isinstance(turned, JoinedPrices)
    np.testing.assert_array_equal(turned.places, PLACES[:, [2, 0]])
    np.testing.assert_array_equal(turned.firsts, [1, 0])
    first, last = (select_days(table, part) for part in (np.arange(4) < 2, np.arange(4) >= 2))
    joined = join_days(first, last)
    assert isinstance(joined, JoinedPrices)
    np.testing.assert_array_equal(joined.places, PLACES)


def test_a_day_that_is_set_aside_keeps_its_stored_sources(
    table: JoinedPrices, tmp_path: Path
) -> None:
    with Lake(tmp_path) as lake:
        store(lake, update_of(table))
        later = replace(table, places=1 - PLACES, values=table.values + 1)
        kept = keep_stored_days(lake, later, [DAYS[1].item()])
    assert isinstance(kept, JoinedPrices)
    np.testing.assert_array_equal(kept.places[1], PLACES[1])
    np.testing.assert_array_equal(kept.values[1], table.values[1])
    np.testing.assert_array_equal(kept.places[2], 1 - PLACES[2])


def test_prices_of_later_sources_are_counted(table: JoinedPrices) -> None:
    assert table.describe_later_sources() == (
        "3 prices are of two, as sources before have none; days 2, the newest 2026-02-05"
    )
    assert replace(table, places=np.array([[0, 0, 1]] * 4)).describe_later_sources() == ""
