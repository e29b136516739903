"""What descriptions of markets mean: instruments, groups and targets."""

import pickle
from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import CalendarError, UnknownNameError
from quant_assets.market.description.imputation import Imputation
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.market import MarketDescription, SourceChoice
from quant_assets.market.description.reading import parse_description
from quant_assets.market.description.times import ZonedTime
from quant_assets.market.instruments import Group, InstrumentSeries

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


def test_groups_are_in_the_order_of_the_description_with_leaders_and_closes() -> None:
    """Oslo closes before New York, but one instrument of the group trades in New York."""
    market = described(ENERGY + "leads: {energy: [cars]}\n")
    assert market.all_groups == (Group("energy"), Group("cars", leader="energy"))
    early = ENERGY.replace("labels: {sector: cars}, fields", "labels: {sector: energy}, fields")
    assert described(early.replace('"TRUE"', '"NO"')).all_groups == (
        Group("energy", closing_order=1),
        Group("cars", closing_order=0),
    )


def test_without_groups_there_is_one_of_all_instruments() -> None:
    text = ENERGY.replace("group_by: sector\n", "")
    market = described(text[: text.index("targets:")] + "targets: {returns: {horizons: [1]}}\n")
    assert market.all_groups == (Group("all"),)
    series = market.list_series(["XLE_close", "NO_volume"])
    assert series.groups == ("all", "all")


def test_a_description_names_its_source_and_what_it_says_to_it() -> None:
    assert described(ENERGY).source is None
    assert described(ENERGY + "source: ecb\n").source == SourceChoice("ecb", None)
    source = described(ENERGY + "source: {files: {folder: prices}}\n").source
    assert source
    assert source.options
    assert (source.name, source.options.entries()["folder"].text()) == ("files", "prices")
    assert hash(described(ENERGY + "source: {files: {folder: prices}}\n"))


def test_a_description_says_what_features_get_in_place_of_a_missing_close() -> None:
    assert described(ENERGY).imputation == Imputation("carry_forward")
    assert described(f"{ENERGY}imputation: none\n").imputation == Imputation("none")
    estimated = described(f"{ENERGY}imputation: conditional_mean\n").imputation
    assert estimated == Imputation("conditional_mean", 250)
    assert estimated.estimates
    assert "the day's other returns and the 250 days before" in estimated.text
    text = f"{ENERGY}imputation: {{conditional_mean: {{window: 60}}}}\n"
    assert described(text).imputation == Imputation("conditional_mean", 60)


def test_days_of_the_data_are_the_trading_days_once_they_are_given() -> None:
    calendar = ENERGY.index("calendar:")
    text = ENERGY[:calendar] + "calendar: {days: data}\n" + ENERGY[ENERGY.index("targets:") :]
    market, days = described(text), np.array(["2024-01-02", "2024-01-06"], "datetime64[D]")
    with pytest.raises(CalendarError, match="none are given"):
        market.calendar.trading_days(date(2024, 1, 1), date(2024, 1, 31))
    bound = market.with_days(lambda: days)
    assert bound.calendar.trading_days(date(2024, 1, 1), date(2024, 1, 31)).tolist() == [
        date(2024, 1, 2),
        date(2024, 1, 6),
    ]
    assert described(ENERGY).with_days(lambda: days) == described(ENERGY)
