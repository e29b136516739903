"""Sources of daily bars with vendors on loopback: what is asked when, and what goes wrong."""

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from quant_assets.core.errors import MarketError, SettingsError, SourceError
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import parse_description
from quant_assets.market.description.yaml_file import parse_yaml
from quant_assets.sources.deliveries import Action
from quant_assets.sources.http import bar_source
from quant_assets.sources.http.bar_options import BarOptions, read_bar_options
from quant_assets.sources.http.bar_source import BarSource, open_bars_at
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.protocol import KeepsResponses, Source, TakesTime
from quant_assets_tests.support.bar_vendor import (
    KEY,
    BarVendor,
    open_bar_vendor,
    set_keys,
)
from quant_assets_tests.support.vendor_server import Scripted

VENDORS = ("tiingo", "alpaca", "massive", "yahoo", "oanda")
# A vendor may have splits and dividends apart from bars.
REQUESTS = {"massive": 3, "alpaca": 2}
ALWAYS = date(1990, 1, 1), date(2040, 1, 1)
DAYS = [day.date() for day in pd.bdate_range("2026-02-02", "2026-03-13") if day.day != 16]
INSTRUMENTS = ("XOM", "BRK.B", "EURUSD", "SPY")
SYMBOLS = {"BRK.B": "brk-b"}
MARKET = """
name: bars
instruments:
  fields: [open, close, volume]
  list: [XOM, BRK.B, EURUSD, {name: SPY, fields: [close]}]
calendar: {exchanges: [XNYS]}
targets: {returns: {horizons: [1, 2]}}
"""


def vendor_of(name: str) -> Vendor:
    found: Vendor = getattr(import_module(f"quant_assets.sources.http.{name}"), name.upper())
    return found


def symbols_of(name: str) -> list[str]:
    euro = "EUR_USD" if name == "oanda" else "EURUSD"
    return ["XOM", "brk-b", euro, "SPY"]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)


@pytest.fixture(params=["tiingo"])
def vendor(request: pytest.FixtureRequest) -> Iterator[BarVendor]:
    with open_bar_vendor(request.param, DAYS, symbols_of(request.param)) as vendor:
        yield vendor


all_vendors = pytest.mark.parametrize("vendor", VENDORS, indirect=True)


def describe(text: str = MARKET) -> MarketDescription:
    return parse_description(text, Path("/market/market.yaml"))


def read_options(vendor: BarVendor, text: str = "", market: str = MARKET) -> BarOptions:
    lines = f"url: {vendor.url}\nfirst_day: 2026-02-02\nsymbols: {{BRK.B: brk-b}}\n{text}"
    options = parse_yaml(lines, Path("/market/market.yaml"))
    return read_bar_options(vendor_of(vendor.shape), options, describe(market))


def open_at(vendor: BarVendor, folder: Path, text: str = "", market: str = MARKET) -> BarSource:
    options = read_options(vendor, text, market)
    return open_bars_at(vendor_of(vendor.shape), options, describe(market), folder, vendor.clock)


def ask_all(source: BarSource) -> BarSource:
    """Ask for all symbols, whatever pace the vendor allows."""
    source.complete(lambda _: None)
    return source


@pytest.fixture
def source(vendor: BarVendor, tmp_path: Path) -> BarSource:
    return open_at(vendor, tmp_path)


@all_vendors
def test_prices_are_as_traded(vendor: BarVendor, source: BarSource) -> None:
    table = ask_all(source).prices(*ALWAYS)
    assert table.days.tolist() == DAYS
    assert table.date_ids.tolist() == list(range(len(DAYS)))
    expected = [
        vendor.bars[symbol][:, at]
        for symbol in symbols_of(vendor.shape)
        for at in ((3,) if symbol == "SPY" else (0, 3, 4))
    ]
    np.testing.assert_array_equal(table.values, np.column_stack(expected))
    assert table.columns[:4] == ("XOM_open", "XOM_close", "XOM_volume", "BRK.B_open")
    assert source.waiting() == ""
    assert sorted(set(vendor.symbols_asked)) == sorted(symbols_of(vendor.shape))
    assert len(vendor.symbols_asked) == 4 * REQUESTS.get(vendor.shape, 1)


@all_vendors
def test_it_is_a_source(vendor: BarVendor, source: BarSource) -> None:
    protocol: Source = ask_all(source)
    assert isinstance(source, KeepsResponses)
    assert isinstance(source, TakesTime)
    assert protocol.name == vendor.shape
    assert (protocol.first_day, protocol.last_day) == (DAYS[0], DAYS[-1])
    assert len(protocol.pairs()) == 8
    assert protocol.second_prices(*ALWAYS) is None
    assert protocol.published_labels(*ALWAYS) is None
    assert protocol.best_forecast(*ALWAYS) is None
    assert protocol.prices(DAYS[3], DAYS[4]).date_ids.tolist() == [3, 4]
    assert {record.dataset.split()[0] for record in source.responses()} == set(
        symbols_of(vendor.shape)
    )


@all_vendors
def test_an_unfinished_bar_is_left_out_and_comes_later(
    vendor: BarVendor, source: BarSource
) -> None:
    vendor.until(DAYS[-1], hour=13)
    assert ask_all(source).last_day == DAYS[-2]
    look = source.look()
    vendor.clock.move(days=1)
    assert ask_all(source).last_day == DAYS[-1]
    assert source.look() != look


@all_vendors
def test_only_what_is_old_is_asked_for_and_then_the_last_days_only(
    vendor: BarVendor, source: BarSource, tmp_path: Path
) -> None:
    vendor.until(DAYS[-2])
    look = ask_all(source).look()
    again = open_at(vendor, tmp_path)
    vendor.clock.move(hours=5)
    assert (again.look(), again.fingerprint()) == (look, source.fingerprint())
    assert len(vendor.server.asked) == 4 * REQUESTS.get(vendor.shape, 1)
    vendor.until(DAYS[-1])
    assert ask_all(again).last_day == DAYS[-1]
    assert len(vendor.server.asked) == 8 * REQUESTS.get(vendor.shape, 1)
    symbols = symbols_of(vendor.shape)
    sizes = [record.size for record in again.responses() if record.dataset in symbols]
    assert max(sizes[4:]) < min(sizes[:4])
    np.testing.assert_array_equal(again.prices(*ALWAYS).values[:, 0], vendor.bars["XOM"][:, 0])


def test_the_past_as_the_vendor_revised_it(vendor: BarVendor, source: BarSource) -> None:
    old, new = source.look(), DAYS[-2]
    vendor.bars["XOM"][-2, 3] += 0.5
    vendor.bars["XOM"][0, 3] += 0.5
    vendor.clock.move(hours=7)
    assert source.look() != old
    closes = source.prices(*ALWAYS).values[:, 1]
    assert closes[DAYS.index(new)] == vendor.bars["XOM"][-2, 3]
    assert closes[0] == vendor.bars["XOM"][0, 3] - 0.5
    # The whole history is asked for once a week.
    vendor.clock.move(days=7)
    assert source.prices(*ALWAYS).values[0, 1] == vendor.bars["XOM"][0, 3]


@pytest.mark.parametrize("vendor", ["tiingo", "yahoo"], indirect=True)
def test_splits_and_dividends_of_a_closed_day_belong_to_the_next(
    vendor: BarVendor, source: BarSource
) -> None:
    closed, after = date(2026, 2, 16), date(2026, 2, 17)
    at = DAYS.index(after)
    vendor.days = [*DAYS[:at], closed, *DAYS[at:]]
    for symbol, bars in vendor.bars.items():
        vendor.bars[symbol] = np.insert(bars, at, bars[at], axis=0)
    vendor.splits = {"XOM": {closed: 2.0}, "SPY": {closed: 2.0, after: 4.0}}
    vendor.dividends = {"SPY": {closed: 0.5, after: 0.25}, "XOM": {after: 1.0}}
    table = ask_all(source).prices(*ALWAYS)
    assert table.days.tolist() == DAYS
    assert table.actions == [Action(at, "XOM", 2.0, 1.0), Action(at, "SPY", 8.0, 0.375)]
    assert source.prices(after, after).actions[0].row == 0
    assert source.prices(DAYS[0], DAYS[at - 1]).actions == []
    look = source.look()
    vendor.dividends["XOM"][after] = 1.5
    vendor.clock.move(days=8)
    assert ask_all(source).look() != look


def test_the_oldest_days_that_a_vendor_no_longer_gives_stay(
    vendor: BarVendor, source: BarSource
) -> None:
    before = source.prices(*ALWAYS)
    vendor.bars["XOM"] = vendor.bars["XOM"] + 1.0
    vendor.bars["XOM"][:20] = np.nan
    vendor.clock.move(days=8)
    after = source.prices(*ALWAYS)
    assert after.days.tolist() == DAYS
    np.testing.assert_array_equal(after.values[:20], before.values[:20])
    np.testing.assert_array_equal(after.values[20:, :2], before.values[20:, :2] + 1.0)


def test_a_rate_limit_in_the_middle_then_going_on(
    vendor: BarVendor, source: BarSource, tmp_path: Path
) -> None:
    limit = Scripted("slow down", 429, {"Retry-After": "30"})
    vendor.fail = lambda symbol: limit if symbol == "EURUSD" else None
    with pytest.raises(SourceError, match="not read yet") as info:
        source.prices(*ALWAYS)
    assert "none of 2, such as EURUSD" in str(info.value)
    assert "status 429" in str(info.value)
    assert vendor.symbols_asked == ["XOM", "brk-b", "EURUSD"]
    assert source.look() == ""
    assert len(vendor.symbols_asked) == 3
    vendor.fail = lambda _: None
    vendor.clock.move(minutes=11)
    again = open_at(vendor, tmp_path)
    assert again.last_day == DAYS[-1]
    assert again.waiting() == ""
    assert vendor.symbols_asked[3:] == ["EURUSD", "SPY"]


def test_a_stop_in_the_middle_goes_on_where_it_ended(
    vendor: BarVendor, source: BarSource, tmp_path: Path
) -> None:
    # The client is interrupted, as by Ctrl-C, before it asks for the third symbol.
    pause = type(vendor.clock).sleep
    waits = iter(range(10))

    def sleep(clock: object, seconds: float) -> None:
        if next(waits) == 1:
            raise KeyboardInterrupt
        pause(vendor.clock, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(vendor.clock), "sleep", sleep)
        with pytest.raises(KeyboardInterrupt):
            ask_all(source)
    assert vendor.symbols_asked == ["XOM", "brk-b"]
    ask_all(open_at(vendor, tmp_path))
    assert vendor.symbols_asked == symbols_of("tiingo")


def test_a_symbol_that_fails_makes_the_day_wait_and_harms_nothing(
    vendor: BarVendor, source: BarSource
) -> None:
    vendor.until(DAYS[-2])
    before = source.prices(*ALWAYS)
    vendor.until(DAYS[-1])
    vendor.fail = lambda symbol: Scripted("[{}]") if symbol == "SPY" else None
    after = source.prices(*ALWAYS)
    np.testing.assert_array_equal(after.values, before.values)
    assert source.last_day == DAYS[-2]
    assert f"the bars of {DAYS[-1]} lack SPY; SPY: a field of an answer is missing" in (
        source.waiting()
    )
    asked = len(vendor.symbols_asked)
    vendor.clock.move(minutes=5)
    source.look()
    assert len(vendor.symbols_asked) == asked
    vendor.fail = lambda _: None
    vendor.clock.move(minutes=6)
    assert source.last_day == DAYS[-1]
    assert source.waiting() == ""
    assert vendor.symbols_asked[asked:] == ["SPY"]


def test_a_bar_that_comes_late_is_waited_for_until_the_morning(
    vendor: BarVendor, source: BarSource
) -> None:
    kept = vendor.bars["XOM"][-1].copy()
    vendor.bars["XOM"][-1] = np.nan
    assert source.last_day == DAYS[-2]
    assert source.waiting() == f"the bars of {DAYS[-1]} lack XOM"
    vendor.clock.move(hours=13)
    assert source.last_day == DAYS[-1]
    assert np.isnan(source.prices(*ALWAYS).values[-1, 1])
    vendor.bars["XOM"][-1] = kept
    vendor.clock.move(hours=7)
    assert source.prices(*ALWAYS).values[-1, 1] == kept[3]


def test_a_symbol_that_the_vendor_does_not_know(vendor: BarVendor, source: BarSource) -> None:
    del vendor.bars["SPY"]
    with pytest.raises(SourceError, match=r"SPY: .*status 404"):
        source.prices(*ALWAYS)
    vendor.bars["SPY"] = np.full((len(DAYS), 5), np.nan)
    vendor.clock.move(minutes=11)
    with pytest.raises(SourceError, match="has no bars of a symbol"):
        source.prices(*ALWAYS)


def test_haste_ends_after_some_seconds_and_the_next_call_goes_on(
    vendor: BarVendor, source: BarSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = source.answers.client
    monkeypatch.setattr(client, "_pace", type(client._pace)(10.0, vendor.clock))
    with pytest.raises(SourceError, match="not read yet"):
        source.prices(*ALWAYS)
    assert len(vendor.symbols_asked) == 2
    assert source.look() == ""
    assert len(vendor.symbols_asked) == 2
    vendor.clock.move(minutes=1)
    assert source.last_day == DAYS[-1]


def test_another_process_that_asks_is_not_disturbed(
    vendor: BarVendor, source: BarSource, tmp_path: Path
) -> None:
    with FileLock(tmp_path / "asking.lock"), pytest.raises(SourceError, match="not read yet"):
        source.prices(*ALWAYS)
    assert vendor.symbols_asked == []
    assert source.last_day == DAYS[-1]


def test_a_folder_that_cannot_be_written(vendor: BarVendor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    source = open_at(vendor, tmp_path / "file")
    assert source.look() == ""
    with pytest.raises(SourceError, match="cannot be read or written"):
        source.prices(*ALWAYS)


def test_progress_is_said_when_it_takes_time(
    vendor: BarVendor, source: BarSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    source.complete(lines.append)
    # The pace of one second makes two seconds pass.
    assert lines == ["tiingo: 3 of 4 symbols read"]
    source.complete(lines.append)
    assert len(lines) == 1
    assert len(vendor.symbols_asked) == 4


def test_other_options_count_as_nothing_kept(
    vendor: BarVendor, source: BarSource, tmp_path: Path
) -> None:
    assert source.look()
    vendor.clock.move(minutes=2)
    earlier = read_options(vendor, "refresh_after_hours: 9").first_day - timedelta(days=5)
    text = f"url: {vendor.url}\nfirst_day: {earlier}\nsymbols: {{BRK.B: brk-b}}"
    options = read_bar_options(
        vendor_of("tiingo"), parse_yaml(text, Path("/market/market.yaml")), describe()
    )
    other = open_bars_at(vendor_of("tiingo"), options, describe(), tmp_path, vendor.clock)
    assert other.look() == source.look()
    assert len(vendor.symbols_asked) == 8


def test_opening_asks_nothing_and_needs_a_key(
    vendor: BarVendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tiingo"
    options = parse_yaml("first_day: 2026-02-02", Path("market.yaml"))
    opened = bar_source.open_bars(vendor_of("tiingo"), options, describe(), folder)
    assert opened.answers.options.refresh_after == timedelta(hours=6)
    assert not folder.exists()
    monkeypatch.delenv("TIINGO_API_KEY")
    with pytest.raises(SettingsError, match="TIINGO_API_KEY"):
        bar_source.open_bars(vendor_of("tiingo"), options, describe(), folder)
    monkeypatch.delenv("QUANT_ACCEPT_YAHOO_TERMS")
    with pytest.raises(SourceError, match="QUANT_ACCEPT_YAHOO_TERMS"):
        bar_source.open_bars(vendor_of("yahoo"), options, describe(), folder)


@pytest.mark.parametrize("vendor", [name for name in VENDORS if name != "yahoo"], indirect=True)
def test_a_key_is_in_no_log_error_or_file(
    vendor: BarVendor, source: BarSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ask_all(source)
    vendor.clock.move(days=1)
    vendor.fail = lambda _: Scripted(f"the key {KEY} has ended", 401)
    texts = [repr(source), source.look(), source.waiting(), caplog.text]
    assert "has ended" in texts[2]
    assert not any(KEY in text for text in texts)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 4
    assert not any(KEY.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("name", "options", "market", "problem"),
    [
        ("tiingo", "", MARKET, "the first day of the history is not said"),
        ("tiingo", "first_day: 2015-13-02", MARKET, "not a day"),
        ("tiingo", "first_day: 2015-01-02\nsymbols: {XMO: x}", MARKET, "unknown key"),
        ("tiingo", "first_day: 2015-01-02\nsymbols: {XOM: SPY}", MARKET, "have one symbol"),
        ("tiingo", "first_day: 2015-01-02\nfeed: iex", MARKET, "unknown key"),
        ("alpaca", "first_day: 2015-01-02\nfeed: ixe", MARKET, "unknown feed"),
        ("tiingo", "first_day: 2015-01-02\nkey: abc", MARKET, "unknown key"),
        ("tiingo", "first_day: 2015-01-02\nurl: nowhere", MARKET, "not an address"),
        (
            "tiingo",
            "first_day: 2015-01-02",
            MARKET.replace("[close]", "[close, open_interest]"),
            "lacks a field",
        ),
    ],
)
def test_options_that_do_not_fit(name: str, options: str, market: str, problem: str) -> None:
    value = parse_yaml(options, Path("market.yaml")) if options else None
    with pytest.raises(MarketError, match=problem):
        read_bar_options(vendor_of(name), value, describe(market))


def test_the_first_day_may_be_that_of_the_calendar() -> None:
    market = describe(MARKET.replace("[XNYS]", "[XNYS], first_day: 2014-01-02"))
    assert read_bar_options(vendor_of("oanda"), None, market).first_day == date(2014, 1, 2)


LISTED = MARKET.replace(
    "XOM,",
    f"{{name: XOM, renamed: {{OLD: {DAYS[10]}}}}}, {{name: OLD, listed: {DAYS[12]}}},"
    f" {{name: GONE, delisted: {DAYS[-3]}}},",
)


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[tuple[BarVendor, BarSource]]:
    with open_bar_vendor("tiingo", DAYS, ["OLD", "GONE", *symbols_of("tiingo")]) as vendor:
        vendor.bars["XOM"][:10] = vendor.bars["XOM"][:10] * 7
        vendor.bars["GONE"][-2:] = np.nan
        vendor.dividends["GONE"] = {DAYS[5]: 1.0, DAYS[-1]: 2.0}
        yield vendor, open_at(vendor, tmp_path, market=LISTED)


def test_a_renamed_instrument_has_the_bars_of_both_symbols(
    listed: tuple[BarVendor, BarSource],
) -> None:
    vendor, source = listed
    table = ask_all(source).prices(*ALWAYS)
    own, old = vendor.bars["XOM"][:, 3], vendor.bars["OLD"][:, 3]
    close = table.values[:, table.columns.index("XOM_close")]
    np.testing.assert_array_equal(close, [*old[:10], *own[10:]])
    np.testing.assert_array_equal(
        table.values[:, table.columns.index("OLD_close")], [*[np.nan] * 10, *old[10:]]
    )
    assert sorted(vendor.symbols_asked) == sorted(["OLD", "GONE", *symbols_of("tiingo")])


def test_no_bar_of_a_delisted_instrument_is_awaited(listed: tuple[BarVendor, BarSource]) -> None:
    vendor, source = listed
    assert ask_all(source).last_day == DAYS[-1]
    assert source.waiting() == ""
    assert source.prices(*ALWAYS).actions == [Action(5, "GONE", dividend=1.0)]
    asked = len(vendor.symbols_asked)
    vendor.until(DAYS[-1] + timedelta(days=20))
    assert ask_all(source).last_day == DAYS[-1]
    # The days since have settled what it had, so from now on it is not asked for any more.
    assert "GONE" in vendor.symbols_asked[asked:]
    asked = len(vendor.symbols_asked)
    vendor.clock.move(days=8)
    ask_all(source)
    assert sorted(vendor.symbols_asked[asked:]) == sorted(["OLD", *symbols_of("tiingo")])
    assert source.waiting() == ""


def test_two_instruments_may_have_one_symbol_after_each_other(vendor: BarVendor) -> None:
    text = MARKET.replace("[XOM,", "[{name: XOM, listed: 2026-03-02}, {name: old, LAST},")
    text = text.replace("BRK.B, EURUSD", "BRK.B")
    same = "symbols: {XOM: X, old: X, BRK.B: brk-b}"
    lines = f"url: {vendor.url}\nfirst_day: 2026-02-02\n{same}"
    options = parse_yaml(lines, Path("/market/market.yaml"))
    tiingo = vendor_of("tiingo")
    read = read_bar_options(tiingo, options, describe(text.replace("LAST", "delisted: 2026-02-27")))
    assert read.symbols == ("X", "brk-b", "SPY")
    with pytest.raises(MarketError, match="two instruments have one symbol"):
        read_bar_options(tiingo, options, describe(text.replace("LAST", "delisted: 2026-03-02")))
