"""Cleaning: rejected cells, prices carried forward, flags, and no use of later rows."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.market.instruments import parse_column
from quant_assets.market.universe import UniverseState
from quant_assets.quality.cleaning import CellFlag, CleanedTable, CleaningRules, clean
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.deliveries import PriceTable, UnreadCell
from quant_assets_tests.support.cleaning_market import (
    BAR,
    CLOSE,
    COLUMNS,
    FX,
    INTEREST,
    LME,
    SERIES,
    VOLUME,
    market,
    table_of,
)


def one_day(**cells: float) -> CleanedTable:
    values = np.array([[10.0, 11, 9, 10, 1000, 5, 7, 1.2, 6000]])
    for name, value in cells.items():
        values[0, COLUMNS.index(name)] = value
    return clean(table_of(values), "test")


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("FX_USDJPY", np.inf, "infinite"),
        ("FX_USDJPY", -np.inf, "infinite"),
        ("FX_USDJPY", 0.0, "price not above zero"),
        (BAR[3], -5.0, "price not above zero"),
        ("JPX_Gold_Mini_Futures_settlement_price", -1.0, "price not above zero"),
        (BAR[4], -1.0, "below zero"),
        ("JPX_Gold_Mini_Futures_open_interest", -2.0, "below zero"),
        (BAR[4], np.inf, "infinite"),
    ],
)
def test_an_impossible_number_is_rejected(column: str, value: float, reason: str) -> None:
    cleaned = one_day(**{column: value})
    at = COLUMNS.index(column)
    assert np.isnan(cleaned.value[0, at])
    assert np.isnan(cleaned.filled[0, at])
    assert cleaned.flags[0, at] == CellFlag.REJECTED
    assert cleaned.flags.sum() == CellFlag.REJECTED
    (row,) = cleaned.quarantine.to_dict("records")
    assert (row["column"], row["value"], row["reason"]) == (column, str(value), reason)
    assert (row["row"], row["source"], str(row["trading_day"].date())) == (0, "test", "2018-01-02")


def test_zero_volume_and_a_settlement_outside_the_bar_are_no_errors() -> None:
    cleaned = one_day(**{BAR[4]: 0.0, "JPX_Gold_Mini_Futures_settlement_price": 1e6})
    assert cleaned.quarantine.empty
    assert not cleaned.flags.any()


def test_text_is_quarantined_with_its_date_id() -> None:
    values = market(3)
    values[1, LME] = np.nan
    cleaned = clean(table_of(values, UnreadCell(1, "LME_CA_Close", "n/a")), "test")
    (row,) = cleaned.quarantine.to_dict("records")
    assert (row["row"], row["value"], row["reason"]) == (1, "n/a", "not a number")
    assert cleaned.flags[1, LME] == CellFlag.REJECTED | CellFlag.FILLED
    assert cleaned.filled[1, LME] == values[0, LME]


@pytest.mark.parametrize(
    ("opened", "high", "low", "close"),
    [(10, 9.5, 9, 9.2), (10, 11, 9.5, 9), (10, 9, 11, 10), (9, 11, 9.5, 10), (10, 10.5, 9, 11)],
)
def test_a_bar_that_contradicts_itself_keeps_its_close(
    opened: float, high: float, low: float, close: float
) -> None:
    cleaned = one_day(**dict(zip(BAR, (opened, high, low, close), strict=False)))
    assert cleaned.quarantine["column"].tolist() == list(BAR[:3])
    assert set(cleaned.quarantine["reason"]) == {"bar contradicts itself"}
    assert np.isnan(cleaned.value[0, :3]).all()
    assert cleaned.value[0, CLOSE] == close


def test_rounding_and_missing_fields_do_not_break_a_bar() -> None:
    bar = dict(zip(BAR, (10.0, 10.0, 10.0000001, 10.0), strict=False))
    assert one_day(**bar).quarantine.empty
    assert one_day(**{BAR[0]: np.nan, BAR[1]: np.nan}).quarantine.empty
    # A rejected low no longer speaks against the rest.
    assert one_day(**{BAR[2]: -1.0}).quarantine["column"].tolist() == [BAR[2]]


def test_prices_are_carried_five_rows_and_volumes_not_at_all() -> None:
    values = np.full((9, len(COLUMNS)), np.nan)
    values[1] = [10.0, 11, 9, 10, 1000, 5, 7, 1.2, 6000]
    cleaned = clean(table_of(values), "test")
    prices = [i for i in range(len(COLUMNS)) if i not in (VOLUME, INTEREST)]
    for row, known in enumerate([False, True, True, True, True, True, True, False, False]):
        expected = values[1, prices] if known else np.full(len(prices), np.nan)
        np.testing.assert_array_equal(cleaned.filled[row, prices], expected)
    np.testing.assert_array_equal(
        cleaned.filled[:, [VOLUME, INTEREST]], values[:, [VOLUME, INTEREST]]
    )
    filled = (cleaned.flags & CellFlag.FILLED) != 0
    assert filled[:, FX].tolist() == [False, False, *[True] * 5, False, False]
    assert not filled[:, [VOLUME, INTEREST]].any()
    np.testing.assert_array_equal(cleaned.value, values)


def test_a_price_is_stale_from_its_tenth_observation_holidays_apart() -> None:
    values = market(40)
    values[:, [FX, LME, VOLUME]] = np.arange(1, 41)[:, None]
    values[10:25, [FX, LME, VOLUME]] = 7.0
    values[14:16, FX] = np.nan
    values[14:20, LME] = np.nan
    stale = (clean(table_of(values), "test").flags & CellFlag.STALE) != 0
    assert np.flatnonzero(stale[:, FX]).tolist() == [21, 22, 23, 24]
    assert not stale[:, [LME, VOLUME]].any()


def test_a_jump_is_flagged_and_left_as_it_is() -> None:
    values = market(130)
    values[100:, [CLOSE, FX]] *= np.exp(-0.75)
    values[:, :3] = np.nan
    values[99:101, FX] = [np.nan, values[100, FX]]
    cleaned = clean(table_of(values), "test")
    jumps = np.argwhere((cleaned.flags & CellFlag.JUMP) != 0).tolist()
    first_close = int(np.flatnonzero(~np.isnan(values[100:, CLOSE]))[0]) + 100
    assert jumps == sorted([[first_close, CLOSE], [100, FX]])
    np.testing.assert_array_equal(cleaned.value, values)
    assert cleaned.quarantine.empty


def test_jumps_equal_the_definition_read_aloud() -> None:
    rules = CleaningRules(jump_z=1.5)
    values = market(200)
    cleaned = clean(table_of(values), "test", rules)
    closes = [i for i, name in enumerate(COLUMNS) if parse_column(name).field == "close"]
    expected = np.zeros(values.shape, dtype=bool)
    for column in closes:
        value, filled = cleaned.value[:, column], cleaned.filled[:, column]
        returns = [np.nan] + [float(np.log(value[t] / filled[t - 1])) for t in range(1, 200)]
        for t in range(200):
            past = np.array([r for r in returns[max(0, t - 60) : t] if np.isfinite(r)])
            if len(past) < 30 or not abs(returns[t]) > 0.01:
                continue
            middle = np.median(past)
            mad = np.median(np.abs(past - middle))
            expected[t, column] = abs(returns[t] - middle) > 1.5 * 1.4826 * mad
    assert expected.sum() > 5
    np.testing.assert_array_equal((cleaned.flags & CellFlag.JUMP) != 0, expected)


def test_a_move_after_a_calm_without_any_deviation_is_a_jump() -> None:
    values = np.full((80, len(COLUMNS)), 10.0)
    values[:, FX] = 1.2
    values[70:, FX] = 1.2 * 1.02
    values[75:, FX] *= 1.005
    jumps = (clean(table_of(values), "test").flags & CellFlag.JUMP) != 0
    assert np.argwhere(jumps).tolist() == [[70, FX]]


@pytest.mark.parametrize(
    "rules",
    [
        CleaningRules(),
        CleaningRules(fill_limit=10, jump_z=2.0),
        CleaningRules(fill_limit=0, stale_after=2, jump_window=5, jump_z=1.0),
    ],
)
def test_the_history_is_enough_for_the_last_row(rules: CleaningRules) -> None:
    values = market(260)
    values[60:75, FX] = 90.0
    random = np.random.default_rng(1)
    for column in (FX, LME, CLOSE):
        start = random.integers(100, 200)
        values[start : start + 80 : 2, column] = np.nan
        values[start : start + 80, column][~np.isnan(values[start : start + 80, column])] = 50.0
    table = table_of(values)
    whole = clean(table, "test", rules)
    assert all((whole.flags & flag).any() for flag in (CellFlag.STALE, CellFlag.JUMP))
    for stop in range(rules.history + 1, 261):
        part = slice(stop - rules.history - 1, stop)
        window = PriceTable(table.days[part], table.date_ids[part], SERIES, values[part])
        last = clean(window, "test", rules)
        for name in ("value", "filled", "flags"):
            np.testing.assert_array_equal(getattr(last, name)[-1], getattr(whole, name)[stop - 1])


def test_history_is_that_of_the_default_rules() -> None:
    assert CleaningRules().history == 66


def test_nothing_depends_on_later_rows() -> None:
    values = market(150)
    before = clean(table_of(values), "test")
    later = values.copy()
    later[120:] = market(30, seed=9) * -7
    later[130:] = np.inf
    after = clean(table_of(later), "test")
    for name in ("value", "filled", "flags"):
        np.testing.assert_array_equal(getattr(after, name)[:120], getattr(before, name)[:120])


def test_the_table_given_is_not_changed_and_may_be_empty() -> None:
    values = market(20)
    values[3, FX] = -1
    copy = values.copy()
    clean(table_of(values), "test")
    np.testing.assert_array_equal(values, copy)
    assert clean(table_of(values[:0]), "test").flags.shape == (0, len(COLUMNS))


def test_the_real_market_is_left_almost_as_it_is(real_market: Path) -> None:
    table = CompetitionFolder(real_market).prices(date(2000, 1, 4), date(2030, 12, 31))
    cleaned = clean(table, "competition")
    assert cleaned.quarantine["column"].nunique() == len(cleaned.quarantine) == 3
    jumps = np.argwhere((cleaned.flags & CellFlag.JUMP) != 0)
    assert 10 < len(jumps) < 100
    unpegged = [
        cleaned.series.columns[column]
        for row, column in jumps
        if cleaned.days[row] == np.datetime64("2015-01-15")
    ]
    assert {"FX_EURCHF", "FX_USDCHF", "FX_GBPCHF"} <= set(unpegged)


def clean_listed(values: np.ndarray, first: int, last: int) -> CleanedTable:
    """Clean a table whose instruments can trade from one row to another."""
    states = np.full(values.shape, UniverseState.LISTED)
    states[:first] = UniverseState.NOT_YET_LISTED
    states[last + 1 :] = UniverseState.DELISTED
    return clean(table_of(values), "test", listing_states=states)


def test_prices_of_days_without_trading_are_rejected() -> None:
    values = market(60)
    cleaned = clean_listed(values, 5, 49)
    inside = slice(5, 50)
    assert np.isnan(cleaned.value[:5]).all()
    assert np.isnan(cleaned.filled[:5]).all()
    assert np.isnan(cleaned.filled[50:]).all()
    np.testing.assert_array_equal(
        cleaned.value[inside], clean(table_of(values), "test").value[5:50]
    )
    outside = np.ones(60, dtype=bool)
    outside[inside] = False
    given = ~np.isnan(values) & outside[:, None]
    np.testing.assert_array_equal((cleaned.flags & CellFlag.UNLISTED) != 0, given)
    assert not (cleaned.flags[outside] & CellFlag.REJECTED).any()
    reasons = cleaned.quarantine.groupby("row")["reason"].unique().map(list).to_dict()
    assert {row: reasons[row] for row in (0, 4, 50, 59)} == {
        **{row: ["not yet listed"] for row in (0, 4)},
        **{row: ["delisted"] for row in (50, 59)},
    }
    assert len(cleaned.quarantine) == given.sum()


def test_prices_of_days_without_trading_change_nothing_else() -> None:
    values = market(60)
    expected = clean_listed(values, 5, 49)
    changed = values.copy()
    outside = np.r_[0:5, 50:60]
    changed[outside] = np.random.default_rng(4).uniform(-5, 900, changed[outside].shape)
    cleaned = clean_listed(changed, 5, 49)
    np.testing.assert_array_equal(cleaned.value, expected.value)
    np.testing.assert_array_equal(cleaned.filled, expected.filled)
    np.testing.assert_array_equal(cleaned.flags[5:50], expected.flags[5:50])


def test_text_outside_of_the_listing_is_no_reason_of_its_own() -> None:
    table = table_of(market(3), UnreadCell(0, "LME_CA_Close", "n/a"))
    states = np.full(table.values.shape, UniverseState.NOT_YET_LISTED)
    cleaned = clean(table, "test", listing_states=states)
    assert set(cleaned.quarantine["reason"]) == {"not yet listed"}
    assert "n/a" in set(cleaned.quarantine["value"])
