"""What descriptions of markets mean; the competition's equals the constants in the code."""

import pickle
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import CalendarError, UnknownNameError
from quant_assets.market import calendar
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import competition_description, parse_description
from quant_assets.market.description.sessions import (
    MarketCalendar,
    calendar_names,
    names_by_exchange_calendars,
)
from quant_assets.market.description.times import ZonedTime
from quant_assets.market.instruments import (
    MARKETS,
    InstrumentSeries,
    column_name,
    market_of,
    parse_column,
)
from quant_assets.market.targets import MAX_LAG
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.simulated.market import SimulatedMarket
from quant_assets.sources.simulated.universe import series_columns

# Further names of every form that the competition has.
OTHER_NAMES = ("LME_ZZ_Close", "JPX_X_Y_Futures_settlement_price", "US_X_adj_open", "FX_NEWPAIR")
COMPETITION = competition_description()

ENERGY = """
name: oil & "gas"
instruments:
  fields: [close, volume]
  labels: {currency: USD}
  closes: {time: "16:00", zone: America/New_York}
  list:
    - {name: XLE, labels: {sector: energy}}
    - {name: XOM, labels: {sector: energy}}
    - {name: TRUE, labels: {sector: cars}, fields: [high, low, close]}
    - {name: NO, labels: {sector: cars, currency: EUR}, closes: {time: 17:30, zone: Europe/Oslo}}
group_by: sector
calendar: {exchanges: [XNYS], first_day: 2014-01-02, last_day: 2014-12-31}
targets:
  spreads:
    against: group
    benchmarks: {energy: XLE, cars: "TRUE"}
    horizons: [10, 1]
"""


def described(text: str) -> MarketDescription:
    return parse_description(text, Path("market.yaml"))


def energy(targets: str) -> MarketDescription:
    return described(ENERGY[: ENERGY.index("targets:")] + targets)


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
    assert COMPETITION.horizons == tuple(range(1, MAX_LAG + 1))
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


def test_a_list_of_instruments() -> None:
    market = described(ENERGY)
    new_york = ZonedTime(time(16), "America/New_York")
    usd = ("currency", "USD")
    assert market.name == 'oil & "gas"'
    assert market.instruments() == (
        Instrument("XLE", (usd, ("sector", "energy")), ("close", "volume"), new_york),
        Instrument("XOM", (usd, ("sector", "energy")), ("close", "volume"), new_york),
        Instrument("TRUE", (usd, ("sector", "cars")), ("high", "low", "close"), new_york),
        Instrument(
            "NO",
            (("currency", "EUR"), ("sector", "cars")),
            ("close", "volume"),
            ZonedTime(time(17, 30), "Europe/Oslo"),
        ),
    )
    assert market.parse_series("TRUE_high") == InstrumentSeries("TRUE", "high")
    assert market.parse_series("XOM") == InstrumentSeries("XOM", "close")
    assert market.series_name(InstrumentSeries("XOM", "volume")) == "XOM_volume"
    for unknown in ("XOM_high", "TRUE_volume", "YPF", "_close"):
        with pytest.raises(UnknownNameError, match="unknown series"):
            market.parse_series(unknown)
    with pytest.raises(UnknownNameError, match=r"unknown field\n  expected: one of close, volume"):
        market.series_name(InstrumentSeries("XOM", "high"))
    with pytest.raises(UnknownNameError, match="did you mean XOM"):
        market.group_of("XOMM")
    instruments = market.instruments(["XOM_close", "NO_volume", "XOM_volume"])
    assert [one.name for one in instruments] == ["XOM", "NO"]


def test_a_description_is_one_frozen_value() -> None:
    market = described(ENERGY)
    assert market == described(ENERGY)
    assert hash(market) == hash(described(ENERGY))
    copy = pickle.loads(pickle.dumps(market))
    assert copy == market
    assert copy.group_of("NO") == "cars"


def test_spreads_against_the_benchmark_of_a_group() -> None:
    pairs = described(ENERGY).target_pairs(described(ENERGY).instruments())
    assert pairs.targets == ("XOM-XLE_1d", "NO-TRUE_1d", "XOM-XLE_10d", "NO-TRUE_10d")
    assert pairs.lags.tolist() == [1, 1, 10, 10]
    assert pairs.leg_a == ("XOM", "NO") * 2
    assert pairs.leg_b == ("XLE", "TRUE") * 2


def test_spreads_against_the_benchmark_of_the_market() -> None:
    market = energy("targets: {spreads: {against: market, benchmark: XLE, horizons: [3]}}")
    pairs = market.target_pairs(market.instruments())
    assert pairs.targets == ("XOM-XLE_3d", "TRUE-XLE_3d", "NO-XLE_3d")
    assert set(pairs.leg_b) == {"XLE"}


def test_returns_of_every_instrument() -> None:
    market = energy("targets: {returns: {horizons: [1, 250]}}")
    pairs = market.target_pairs(market.instruments())
    assert len(pairs) == 8
    assert (pairs.targets[0], pairs.targets[-1]) == ("XLE_1d", "NO_250d")
    assert set(pairs.leg_b) == {None}
    assert market.horizons == (1, 250)


def test_names_of_legs_may_hold_the_separator(tmp_path: Path) -> None:
    text = """
name: odd
instruments: {list: ["a - b", "c/d", "é 日本", "a"]}
calendar: {days: data}
targets: {pairs: pairs.csv}
"""
    rows = ("x,1,a - b", "y,30,a - b - c/d", "z,2,c/d - é 日本_close")
    (tmp_path / "pairs.csv").write_text("\n".join(["target,lag,pair", *rows]) + "\n")
    market = parse_description(text, tmp_path / "market.yaml")
    pairs = market.target_pairs(market.instruments())
    assert pairs.leg_a == ("a - b", "a - b", "c/d")
    assert pairs.leg_b == (None, "c/d", "é 日本")
    assert pairs.lags.tolist() == [1, 30, 2]


def test_a_table_of_instruments(tmp_path: Path) -> None:
    (tmp_path / "instruments.csv").write_text(
        "symbol,industry,has,shuts,tz\nXOM,oil,close volume,16:00,America/New_York\nNO,,,,\n"
    )
    text = """
name: table
instruments:
  table: instruments.csv
  fields: [open, close]
  labels: {sector: other}
  columns: {name: symbol, fields: has, close_time: shuts, zone: tz, labels: {sector: industry}}
group_by: sector
calendar: {days: data}
targets: {returns: {horizons: [1]}}
"""
    market = parse_description(text, tmp_path / "market.yaml")
    closes = ZonedTime(time(16), "America/New_York")
    assert market.instruments() == (
        Instrument("XOM", (("sector", "oil"),), ("close", "volume"), closes),
        Instrument("NO", (("sector", "other"),), ("open", "close")),
    )
    plain = text.replace("table: instruments.csv", "table: plain.csv")
    plain = "\n".join(line for line in plain.splitlines() if "columns" not in line)
    (tmp_path / "plain.csv").write_text("name,fields,sector,country\nXOM,close,oil,US\n")
    (found,) = parse_description(plain, tmp_path / "market.yaml").instruments()
    assert found == Instrument("XOM", (("sector", "oil"), ("country", "US")), ("close",))


def test_the_longest_prefix_and_suffix_apply() -> None:
    market = described("""
name: rules
instruments:
  rules:
    - {prefix: "", suffixes: {"": close}, labels: {kind: other}}
    - {prefix: F, suffixes: {_c: close, _last_c: open}, labels: {kind: future}}
group_by: kind
calendar: {days: data}
targets: {returns: {horizons: [1]}}
""")
    assert market.parse_series("F1_last_c") == InstrumentSeries("F1", "open")
    assert market.parse_series("F1_c") == InstrumentSeries("F1", "close")
    assert market.parse_series("G_c") == InstrumentSeries("G_c", "close")
    assert [market.group_of(name) for name in ("F1", "G_c")] == ["future", "other"]
    assert market.target_pairs(market.instruments(["G_c", "F1_c"])).targets == ("G_c_1d", "F1_1d")


def test_without_groups_all_are_one() -> None:
    market = described(
        ENERGY.replace("group_by: sector\n", "").split("targets:")[0]
        + "targets: {returns: {horizons: [1]}}"
    )
    assert list(market.groups(market.instruments())) == ["all"]


def test_names_of_calendars_are_those_of_the_library() -> None:
    assert list(calendar_names()) == names_by_exchange_calendars()


def test_sessions_of_exchanges_are_joined() -> None:
    new_york, oslo = MarketCalendar(("XNYS",)), MarketCalendar(("XOSL",))
    both = MarketCalendar(("XNYS", "XOSL"))
    span = (date(2016, 12, 1), date(2017, 7, 31))
    days = [found.trading_days(*span) for found in (new_york, oslo, both)]
    np.testing.assert_array_equal(days[2], np.union1d(days[0], days[1]))
    assert len(days[2]) > max(len(days[0]), len(days[1]))
    # Independence Day, and the national day of Norway.
    assert date(2017, 7, 4) not in days[0].tolist()
    assert date(2017, 5, 17) not in days[1].tolist()
    assert new_york.newest_trading_day(date(2017, 7, 4)) == date(2017, 7, 3)
    asked = np.array(["2017-07-04", "2017-07-03", "2017-07-01"], dtype="datetime64[D]")
    assert new_york.is_trading_day(asked).tolist() == [False, True, False]
    assert new_york.is_trading_day(asked[:0]).tolist() == []


def test_the_joined_calendar_of_london_and_tokyo_is_that_of_the_library() -> None:
    span = (date(2020, 1, 1), date(2021, 12, 31))
    shipped = MarketCalendar(("XTKS", "XLON")).trading_days(*span)
    joined = [MarketCalendar((name,)).trading_days(*span) for name in ("XLON", "XTKS")]
    np.testing.assert_array_equal(shipped, np.union1d(*joined))


def test_days_of_the_data() -> None:
    found = MarketCalendar(())
    data = np.array(["2020-01-05", "2020-01-03", "2020-01-05", "2020-02-01"], dtype="datetime64[D]")
    days = found.trading_days(date(2020, 1, 1), date(2020, 1, 31), data)
    assert days.astype(str).tolist() == ["2020-01-03", "2020-01-05"]
    assert found.newest_trading_day(date(2020, 1, 4), data) == date(2020, 1, 3)
    with pytest.raises(CalendarError, match="no trading day in the year"):
        found.newest_trading_day(date(2020, 1, 1), data)
    with pytest.raises(CalendarError, match="those of the data, and none are given"):
        found.trading_days(date(2020, 1, 1), date(2020, 1, 31))
    assert found.due_at(date(2020, 1, 3)) is None
    assert found.late_at(date(2020, 1, 3)) is None


@pytest.mark.parametrize("year", [1900, 2100])
def test_a_calendar_that_does_not_reach_so_far(year: int) -> None:
    with pytest.raises(CalendarError, match="the calendar XHKG does not reach so far"):
        MarketCalendar(("XHKG",)).trading_days(date(year, 1, 1), date(year, 2, 1))


def test_a_day_is_due_in_its_zone() -> None:
    found = MarketCalendar(("XNYS",), ZonedTime(time(17), "America/New_York"), 1.5)
    summer, winter = found.due_at(date(2024, 7, 1)), found.late_at(date(2024, 1, 2))
    assert summer == datetime(2024, 7, 1, 21, tzinfo=UTC)
    assert winter == datetime(2024, 1, 2, 23, 30, tzinfo=UTC)
