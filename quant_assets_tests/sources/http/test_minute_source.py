"""Bars within the day of vendors on loopback: what is delivered, asked and waited for."""

from collections.abc import Iterator
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import MarketError, SourceError
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import parse_description
from quant_assets.market.description.session_slots import list_slots
from quant_assets.market.description.yaml_file import parse_yaml
from quant_assets.sources.deliveries import BAR_FIELDS, BarTable
from quant_assets.sources.http import oanda, tiingo
from quant_assets.sources.http.bar_options import read_bar_options
from quant_assets.sources.http.bar_source import BarSource, open_bars_at
from quant_assets.sources.http.minute_source import MinuteSource
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.protocol import DeliversBars
from quant_assets_tests.support.bar_vendor import open_bar_vendor, set_keys
from quant_assets_tests.support.minute_vendor import MINUTES, MinuteVendor, add_minutes
from quant_assets_tests.support.vendor_server import Scripted

VENDORS = ("alpaca", "massive", "tiingo", "oanda")
DAYS = [day.date() for day in pd.bdate_range("2026-02-17", "2026-03-13")]
SYMBOLS = ["XOM", "SPY"]
MARKET = """
name: bars
instruments: {fields: [open, close, volume], list: [XOM, SPY]}
calendar: {exchanges: [XNYS]}
targets: {returns: {horizons: [1]}}
"""


def vendor_of(name: str) -> Vendor:
    vendor: Vendor = getattr(import_module(f"quant_assets.sources.http.{name}"), name.upper())
    return vendor


@pytest.fixture(params=["alpaca"])
def given(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MinuteVendor]:
    set_keys(monkeypatch)
    monkeypatch.setattr(oanda, "_PAGE", 400)
    monkeypatch.setattr(tiingo, "_ROWS", 400)
    with open_bar_vendor(request.param, DAYS, SYMBOLS) as vendor:
        yield add_minutes(vendor)


all_vendors = pytest.mark.parametrize("given", VENDORS, indirect=True)


def describe() -> MarketDescription:
    return parse_description(MARKET, Path("/market/market.yaml"))


def open_at(given: MinuteVendor, folder: Path, text: str = "bars: {minutes: 15}") -> BarSource:
    vendor = vendor_of(given.vendor.shape)
    lines = f"url: {given.vendor.url}\nfirst_day: {DAYS[0]}\n{text}"
    options = read_bar_options(vendor, parse_yaml(lines, Path("/market/market.yaml")), describe())
    return open_bars_at(vendor, options, describe(), folder, given.vendor.clock)


@pytest.fixture
def source(given: MinuteVendor, tmp_path: Path) -> MinuteSource:
    source = open_at(given, tmp_path)
    assert isinstance(source, MinuteSource)
    return source


def ask_all(source: MinuteSource) -> MinuteSource:
    source.complete(lambda _: None)
    return source


def read_all(source: MinuteSource) -> BarTable:
    return source.bars(DAYS[0], DAYS[-1])


def expect(given: MinuteVendor, until: date = DAYS[-1]) -> BarTable:
    """Return the bars that a vendor has in the sessions up to a day, one after another."""
    slots = list_slots("XNYS", DAYS[0], until, MINUTES)
    starts = [start.item() for start in slots.starts]
    rows = []
    for symbol in SYMBOLS:
        bars = {start.replace(tzinfo=None): row for start, row in given.bars[symbol].items()}
        rows += [bars[start] for start in starts]
    values = np.array(rows)
    return BarTable(
        np.tile(slots.days, 2),
        np.tile(slots.starts, 2),
        tuple(SYMBOLS),
        np.repeat([0, 1], len(starts)),
        {name: values[:, j] for j, name in enumerate(BAR_FIELDS)},
    )


def require_equal(table: BarTable, expected: BarTable) -> None:
    assert table.instruments == expected.instruments
    for name in ("days", "starts", "instrument"):
        np.testing.assert_array_equal(getattr(table, name), getattr(expected, name), name)
    for name in BAR_FIELDS:
        np.testing.assert_array_equal(table.fields[name], expected.fields[name], name)


@all_vendors
def test_bars_of_sessions_come_page_by_page(given: MinuteVendor, source: MinuteSource) -> None:
    ask_all(source)
    assert isinstance(source, DeliversBars)
    assert source.bar_minutes == MINUTES
    require_equal(read_all(source), expect(given))
    assert len(given.asked) == 2 * 2
    assert source.last_day == DAYS[-1]
    assert source.waiting() == ""
    one = source.bars(DAYS[3], DAYS[3])
    assert set(one.days.tolist()) == {DAYS[3]}
    assert len(one.days) == 2 * 26


@all_vendors
def test_unfinished_days_are_left_out_and_come_later(
    given: MinuteVendor, source: MinuteSource
) -> None:
    given.vendor.until(DAYS[-1], hour=13)
    require_equal(read_all(ask_all(source)), expect(given, DAYS[-2]))
    fingerprint = source.fingerprint()
    given.vendor.clock.move(days=1)
    require_equal(read_all(ask_all(source)), expect(given))
    assert source.fingerprint() != fingerprint


@all_vendors
def test_later_only_the_last_days_are_asked_for(given: MinuteVendor, tmp_path: Path) -> None:
    given.vendor.until(DAYS[-2])
    first = open_at(given, tmp_path)
    assert isinstance(first, MinuteSource)
    look, fingerprint = ask_all(first).look(), first.fingerprint()
    asked = len(given.asked)
    again = open_at(given, tmp_path)
    assert isinstance(again, MinuteSource)
    given.vendor.clock.move(hours=5)
    assert (again.look(), again.fingerprint()) == (look, fingerprint)
    assert len(given.asked) == asked
    given.vendor.until(DAYS[-1])
    assert ask_all(again).last_day == DAYS[-1]
    assert len(given.asked) == asked + len(SYMBOLS)
    require_equal(read_all(again), expect(given))
    require_equal(
        again.bars(DAYS[-1], DAYS[-1]),
        _of_day(expect(given), DAYS[-1]),
    )


def _of_day(table: BarTable, day: date) -> BarTable:
    kept = table.days == np.datetime64(day)
    return BarTable(
        table.days[kept],
        table.starts[kept],
        table.instruments,
        table.instrument[kept],
        {name: values[kept] for name, values in table.fields.items()},
    )


def test_a_bar_twice_is_one_and_two_different_ones_are_an_error(
    given: MinuteVendor, source: MinuteSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, other = given._rows, [0.0]

    def rows(*arguments: object) -> object:
        own = usual(*arguments)  # type: ignore[arg-type]
        start, values = own[0]
        return [own[0], (start, [values[0] + other[0], *values[1:]]), *own[1:]]

    monkeypatch.setattr(given, "_rows", rows)
    require_equal(read_all(ask_all(source)), expect(given))
    other[0] = 1.0
    given.vendor.clock.move(days=8)
    ask_all(source)
    assert "two different bars begin at one moment" in source.waiting()
    require_equal(read_all(source), expect(given))


@pytest.mark.parametrize("given", ["alpaca", "massive"], indirect=True)
def test_repeated_pages_end(
    given: MinuteVendor, source: MinuteSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "page", 0)
    ask_all(source)
    with pytest.raises(SourceError, match="bars within the day are not read yet") as caught:
        read_all(source)
    assert "the pages of an answer do not end" in str(caught.value)
    assert len(given.asked) <= 4


def test_a_day_waits_for_its_bars_for_an_hour(given: MinuteVendor, source: MinuteSource) -> None:
    given.vendor.until(DAYS[-2])
    ask_all(source)
    given.broken = Scripted("out of order", 500)
    given.vendor.until(DAYS[-1], hour=20)
    ask_all(source)
    assert source.last_day == DAYS[-2]
    assert f"the bars within {DAYS[-1]} lack XOM, SPY" in source.waiting()
    given.vendor.clock.move(hours=1, minutes=1)
    assert source.last_day == DAYS[-1]
    assert "status 500" in source.waiting()
    require_equal(read_all(source), expect(given, DAYS[-2]))
    given.broken = None
    given.vendor.clock.move(minutes=11)
    require_equal(read_all(ask_all(source)), expect(given))
    assert source.waiting() == ""


def test_nothing_read_at_all_is_an_error_of_bars_alone(
    given: MinuteVendor, source: MinuteSource
) -> None:
    given.broken = Scripted("out of order", 500)
    given.vendor.clock.move(hours=2)
    assert ask_all(source).last_day == DAYS[-1]
    assert len(source.prices(DAYS[0], DAYS[-1]).days) == len(DAYS)
    assert source.fingerprint()
    with pytest.raises(SourceError, match="bars within the day are not read yet"):
        read_all(source)


def test_a_stop_in_the_middle_goes_on_where_it_ended(given: MinuteVendor, tmp_path: Path) -> None:
    source = open_at(given, tmp_path)
    given.broken = Scripted("slow down", 429, {"Retry-After": "30"})
    source.complete(lambda _: None)
    given.broken = None
    daily = len(given.vendor.server.asked) - len(given.asked)
    again = open_at(given, tmp_path)
    assert isinstance(again, MinuteSource)
    require_equal(read_all(ask_all(again)), expect(given))
    assert len(given.vendor.server.asked) - len(given.asked) == daily


def test_without_the_option_nothing_else_is_asked(given: MinuteVendor, tmp_path: Path) -> None:
    source = open_at(given, tmp_path, "refresh_after_hours: 6")
    source.complete(lambda _: None)
    assert not isinstance(source, DeliversBars)
    assert not given.asked


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bars: {minutes: 7}", "bars of another length"),
        ("bars: {}", "minutes"),
        ("bars: {minutes: 15, folder: bars}", "folder"),
    ],
)
def test_options_that_cannot_be_used(
    given: MinuteVendor, tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(MarketError, match=problem):
        open_at(given, tmp_path, text)


@pytest.mark.parametrize("given", ["oanda"], indirect=True)
def test_a_day_of_currencies_begins_on_the_evening_before(
    given: MinuteVendor, tmp_path: Path
) -> None:
    market = parse_description(
        MARKET.replace("{exchanges: [XNYS]}", "{days: data}"), Path("/market/market.yaml")
    )
    vendor = vendor_of("oanda")
    lines = f"url: {given.vendor.url}\nfirst_day: {DAYS[0]}\nbars: {{minutes: 15}}"
    options = read_bar_options(vendor, parse_yaml(lines, Path("/market/market.yaml")), market)
    evening = min(given.bars["XOM"]) + timedelta(hours=10)
    assert evening.hour == 23
    given.bars["XOM"] = {evening: [1.0, 1.0, 1.0, 1.0, 5.0]}
    source = open_bars_at(vendor, options, market, tmp_path, given.vendor.clock)
    assert isinstance(source, MinuteSource)
    table = read_all(ask_all(source))
    assert table.days[table.instrument == 0].tolist() == [DAYS[1]]
