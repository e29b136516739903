"""The competition's description equals the constants in the code."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import UnknownNameError
from quant_assets.market import calendar
from quant_assets.market.description.reading import competition_description
from quant_assets.market.instruments import (
    COMPETITION_GROUPS,
    MARKETS,
    InstrumentSeries,
    column_name,
    list_competition_series,
    market_of,
    parse_column,
)
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.competition.folder_files import COMPETITION_LAGS
from quant_assets.sources.simulated.market import SimulatedMarket
from quant_assets.sources.simulated.universe import series_columns

# Further names of every form that the competition has.
OTHER_NAMES = ("LME_ZZ_Close", "JPX_X_Y_Futures_settlement_price", "US_X_adj_open", "FX_NEWPAIR")
COMPETITION = competition_description()


def test_names_of_the_competition_mean_the_same() -> None:
    assert len(series_columns()) == 557
    for name in (*series_columns(), *OTHER_NAMES):
        expected = parse_column(name)
        assert COMPETITION.parse_series(name) == expected
        assert COMPETITION.series_name(expected) == column_name(expected) == name
        assert COMPETITION.group_of(expected.instrument) == market_of(expected.instrument)


@pytest.mark.parametrize("name", ["US_Stock_X_close", "LME_AH", "NYSE_X_close", "LME_Close", ""])
def test_names_that_the_competition_has_not(name: str) -> None:
    with pytest.raises(UnknownNameError, match="expected: one of"):
        COMPETITION.parse_series(name)


def test_the_competition_has_the_same_markets_and_instruments() -> None:
    instruments = COMPETITION.instruments(series_columns())
    groups = COMPETITION.groups(instruments)
    assert tuple(groups) == MARKETS
    parsed = [parse_column(name) for name in series_columns()]
    assert {(one.name, field) for one in instruments for field in one.fields} == {
        (series.instrument, series.field) for series in parsed
    }
    assert [one.name for one in instruments] == list(dict.fromkeys(s.instrument for s in parsed))


def test_the_competition_has_the_same_groups_leads_and_closes() -> None:
    assert COMPETITION.all_groups == COMPETITION_GROUPS
    assert COMPETITION.list_series(series_columns()) == list_competition_series(series_columns())


@pytest.mark.parametrize("year", range(2005, 2031))
def test_the_competition_has_the_same_trading_days(year: int) -> None:
    first, last = date(year, 1, 1), date(year, 12, 31)
    expected = calendar.trading_days(first, last)
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    np.testing.assert_array_equal(COMPETITION.calendar.trading_days(first, last), expected)
    np.testing.assert_array_equal(
        COMPETITION.calendar.is_trading_day(days), calendar.is_trading_day(days)
    )
    for day in days[-20:].tolist():
        newest = COMPETITION.calendar.newest_trading_day(day)
        assert newest == calendar.newest_trading_day(day)


def test_the_competitions_targets_and_submission() -> None:
    assert COMPETITION.horizons == COMPETITION_LAGS
    columns = COMPETITION.submission.columns(424)
    assert columns == tuple(f"target_{i}" for i in range(424))
    day = date(2024, 3, 1)
    due = datetime(2024, 3, 1, 22, tzinfo=UTC)
    assert COMPETITION.calendar.due_at(day) == due
    assert COMPETITION.calendar.late_at(day) == due + timedelta(hours=4)


def test_the_competitions_pairs_are_those_that_its_source_reads(real_market: Path) -> None:
    source = CompetitionFolder(real_market)
    with (real_market / "train.csv").open() as file:
        series = file.readline().strip().split(",")[1:]
    pairs = COMPETITION.target_pairs(COMPETITION.instruments(series), real_market)
    expected = source.pairs()
    assert pairs.targets == expected.targets
    np.testing.assert_array_equal(pairs.lags, expected.lags)
    assert (pairs.leg_a, pairs.leg_b) == (expected.leg_a, expected.leg_b)


def test_pairs_of_the_simulated_market_are_read_from_a_file(tmp_path: Path) -> None:
    expected = SimulatedMarket(seed=1).pairs()
    rows = [
        f"{target},{lag},{a}" if b is None else f"{target},{lag},{a} - {b}"
        for target, lag, a, b in zip(
            expected.targets,
            expected.lags,
            map(close_of, expected.leg_a),
            [b and close_of(b) for b in expected.leg_b],
            strict=True,
        )
    ]
    (tmp_path / "target_pairs.csv").write_text("\n".join(["target,lag,pair", *rows]) + "\n")
    pairs = COMPETITION.target_pairs(COMPETITION.instruments(series_columns()), tmp_path)
    assert (pairs.targets, pairs.leg_a, pairs.leg_b) == (
        expected.targets,
        expected.leg_a,
        expected.leg_b,
    )
    np.testing.assert_array_equal(pairs.lags, expected.lags)


def close_of(instrument: str) -> str:
    return column_name(InstrumentSeries(instrument, "close"))
