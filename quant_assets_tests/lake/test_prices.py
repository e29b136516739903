"""Prices and pairs that are written to a small lake and read again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.lake.readers.imputed import read_feature_panel
from quant_assets.lake.readers.prices import (
    find_history_start,
    pairs_rows,
    raw_rows,
    read_pairs,
    read_panel,
    read_raw,
)
from quant_assets.lake.schemas.price_tables import (
    IMPUTED,
    RAW_PRICES,
    RAW_TARGET_PAIRS,
    VALIDATED_PRICES,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.imputation import Imputation
from quant_assets.market.instruments import FIELDS, parse_column
from quant_assets.market.targets import TargetPairs
from quant_assets.quality.cleaning import clean
from quant_assets.quality.rows import validated_rows
from quant_assets.sources.deliveries import PriceTable, UnreadCell
from quant_assets_tests.support import synthetic

DAYS = 15
CELLS = (UnreadCell(3, "FX_EURUSD", "n/a"), UnreadCell(7, "LME_CA_Close", "1,234.5"))


@pytest.fixture(scope="module")
def source_prices() -> PriceTable:
    """Prices with empty, infinite and negative cells, and two cells with text."""
    table = synthetic.until(synthetic.prices(), DAYS - 1)
    values = table.values.copy()
    values[2, 5], values[4, 6], values[5, 7] = np.inf, -np.inf, -1.0
    for cell in CELLS:
        values[cell.row, table.columns.index(cell.column)] = np.nan
    return replace(table, values=values, date_ids=table.date_ids + 500, unread=CELLS)


def part_of(table: PriceTable, rows: slice) -> PriceTable:
    first = rows.indices(len(table.days))[0]
    cells = [
        replace(cell, row=cell.row - first)
        for cell in table.unread
        if cell.row in range(*rows.indices(len(table.days)))
    ]
    return replace(
        table,
        days=table.days[rows],
        date_ids=table.date_ids[rows],
        values=table.values[rows],
        unread=tuple(cells),
    )


def write(lake: Lake, table: PriceTable) -> None:
    ends = table.days[0].item(), table.days[-1].item()
    lake.replace_days(RAW_PRICES, *ends, raw_rows(table, "simulated"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, source_prices: PriceTable) -> Iterator[Lake]:
    """The prices, written in three parts, not in order."""
    with Lake(tmp_path_factory.mktemp("lake")) as opened:
        for rows in (slice(8, 15), slice(0, 3), slice(3, 8)):
            write(opened, part_of(source_prices, rows))
        cleaned = clean(read_raw(opened, *synthetic.ALWAYS), "simulated")
        ends = source_prices.days[0].item(), source_prices.days[-1].item()
        opened.replace_days(VALIDATED_PRICES, *ends, validated_rows(cleaned, ends[0]))
        yield opened


def by_column(table: PriceTable) -> np.ndarray:
    return table.values[:, np.argsort(table.columns)]


def test_raw_prices_come_back_as_given(lake: Lake, source_prices: PriceTable) -> None:
    result = read_raw(lake, *synthetic.ALWAYS)
    assert sorted(result.columns) == sorted(source_prices.columns)
    np.testing.assert_array_equal(result.days, source_prices.days)
    assert result.days.dtype == source_prices.days.dtype
    np.testing.assert_array_equal(result.date_ids, source_prices.date_ids)
    np.testing.assert_array_equal(by_column(result), by_column(source_prices))
    assert set(result.unread) == set(CELLS)


def test_a_part_of_the_days_has_every_series(lake: Lake, source_prices: PriceTable) -> None:
    result = read_raw(lake, source_prices.days[7].item(), source_prices.days[9].item())
    np.testing.assert_array_equal(by_column(result), by_column(source_prices)[7:10])
    assert result.unread == (UnreadCell(0, "LME_CA_Close", "1,234.5"),)
    none = read_raw(lake, date(2030, 1, 1), date(2030, 2, 1))
    assert none.values.shape == (0, len(source_prices.columns))


@pytest.mark.parametrize("value", ["value", "filled"])
def test_a_panel_is_what_was_validated(lake: Lake, source_prices: PriceTable, value: str) -> None:
    panel = read_panel(lake, value, *synthetic.ALWAYS)
    cleaned = clean(source_prices, "simulated")
    expected = synthetic.panel_of(source_prices, getattr(cleaned, value))
    assert panel.instruments == expected.instruments == tuple(sorted(synthetic.INSTRUMENTS))
    assert set(panel.fields) == set(expected.fields) == set(FIELDS)
    np.testing.assert_array_equal(panel.days, source_prices.days)
    np.testing.assert_array_equal(panel.date_ids, source_prices.date_ids)
    for name, values in panel.fields.items():
        np.testing.assert_array_equal(values, expected.fields[name], err_msg=name)
    empty = panel.instruments.index(synthetic.EMPTY)
    assert all(np.isnan(values[:, empty]).all() for values in panel.fields.values())


def test_a_panel_has_the_same_shape_for_any_days(lake: Lake, source_prices: PriceTable) -> None:
    whole = read_panel(lake, "filled", *synthetic.ALWAYS)
    day = source_prices.days[4].item()
    alone = read_panel(lake, "filled", day, day)
    assert (alone.instruments, set(alone.fields)) == (whole.instruments, set(whole.fields))
    for name, values in alone.fields.items():
        np.testing.assert_array_equal(values, whole.fields[name][4:5])


def test_features_get_the_prices_that_the_description_says(
    lake: Lake, source_prices: PriceTable
) -> None:
    filled, value = (read_panel(lake, name, *synthetic.ALWAYS) for name in ("filled", "value"))
    for method, expected in (("none", value), ("carry_forward", filled)):
        panel = read_feature_panel(lake, Imputation(method), *synthetic.ALWAYS)
        for name, values in panel.fields.items():
            np.testing.assert_array_equal(values, expected.fields[name])
    with pytest.raises(LakeError, match="materialise the asset validated/imputed"):
        read_feature_panel(lake, Imputation("conditional_mean"), *synthetic.ALWAYS)
    row, column = np.argwhere(np.isnan(value.close) & ~np.isnan(filled.close))[0]
    estimate = {"trading_day": source_prices.days[[row]], "close": [3.5], "standard_error": [0.1]}
    estimate |= {"instrument": [filled.instruments[column]]}
    ends = source_prices.days[[0, -1]].tolist()
    lake.replace_days(IMPUTED, *ends, estimate)
    panel = read_feature_panel(lake, Imputation("conditional_mean"), *synthetic.ALWAYS)
    assert panel.close[row, column] == 3.5
    assert all(np.isnan(panel.fields[x][row, column]) for x in ("open", "high", "low"))
    for name, values in panel.fields.items():
        own = filled.fields[name].copy()
        own[row, column] = values[row, column]
        np.testing.assert_array_equal(values, own)


def test_pairs_come_back_in_submission_order(tmp_path: Path) -> None:
    pairs = synthetic.pairs()
    shuffled = np.random.default_rng(0).permutation(len(pairs))
    with Lake(tmp_path) as lake:
        rows = pairs_rows(pairs)
        rows = {name: [list(column)[i] for i in shuffled] for name, column in rows.items()}
        lake.replace_all(RAW_TARGET_PAIRS, rows)
        result = read_pairs(lake)
        assert isinstance(result, TargetPairs)
        assert (result.targets, result.leg_a, result.leg_b) == (
            pairs.targets,
            pairs.leg_a,
            pairs.leg_b,
        )
        np.testing.assert_array_equal(result.lags, pairs.lags)
        with pytest.raises(LakeError, match="materialise the asset raw/prices"):
            read_raw(lake, *synthetic.ALWAYS)


def test_history_starts_so_many_days_before(lake: Lake, source_prices: PriceTable) -> None:
    def result(row: int, rows: int) -> date:
        return find_history_start(lake, RAW_PRICES, source_prices.days[row].item(), rows)

    assert result(10, 0) == source_prices.days[10].item()
    assert result(10, 1) == source_prices.days[9].item()
    assert result(10, 10) == source_prices.days[0].item()
    assert result(10, 11) == source_prices.days[0].item()
    assert result(0, 5) == source_prices.days[0].item()
    after = source_prices.days[-1].item() + timedelta(days=1)
    assert find_history_start(lake, RAW_PRICES, after, 2) == source_prices.days[-2].item()
    assert find_history_start(lake, RAW_TARGET_PAIRS, after, 2) == after


def test_every_column_is_a_series_of_its_own(source_prices: PriceTable) -> None:
    """The keys of the tables distinguish all columns."""
    assert len({parse_column(column) for column in source_prices.columns}) == len(
        source_prices.columns
    )
