"""The source ``ecb`` with a bank on loopback, which answers in its shapes and fails in its ways."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import MarketError, QuantAssetsError, SourceError
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import parse_description
from quant_assets.market.description.yaml_file import parse_yaml
from quant_assets.sources.deliveries import UnreadCell
from quant_assets.sources.http.ecb import EcbSource, open_ecb, open_ecb_at
from quant_assets.sources.http.ecb_options import EcbOptions, read_ecb_options
from quant_assets.sources.protocol import Source
from quant_assets_tests.support.vendor_server import (
    ManualClock,
    Scripted,
    VendorServer,
    open_vendor,
    zip_bytes,
)

ALWAYS = date(1990, 1, 1), date(2030, 1, 1)
HISTORY = """Date,USD,JPY,CYP,GBP,
2026-01-05,1.1702,156.80,N/A,0.8661,
2026-01-02,1.1688,156.10,N/A,0.8655,
2026-01-01,1.1600,155.00,N/A,0.8650,
2025-12-31,1.1700,N/A,0.58,0.8640,
"""
SDMX = """KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE
EXR.D.USD.EUR.SP00.A,D,USD,EUR,SP00,A,2026-01-06,1.1800
EXR.D.JPY.EUR.SP00.A,D,JPY,EUR,SP00,A,2026-01-06,157.00
"""
MARKET = """
name: rates
instruments:
  list: [{name: EURUSD}, {name: USDJPY}, {name: USDEUR}]
calendar: {days: data}
targets: {returns: {horizons: [1, 2]}}
"""
USD, JPY = np.array([1.17, 1.16, 1.1688, 1.1702]), np.array([np.nan, 155.0, 156.1, 156.8])


@pytest.fixture
def bank() -> Iterator[VendorServer]:
    with open_vendor() as server:
        server.script("/hist.zip", Scripted(zip_bytes(HISTORY)))
        server.script("/EXR", Scripted(""))
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def describe(text: str = MARKET) -> MarketDescription:
    return parse_description(text, Path("/market/market.yaml"))


def read_options(bank_url: str, text: str = "", market: str = MARKET) -> EcbOptions:
    lines = f"url: {bank_url}/hist.zip\napi_url: {bank_url}/EXR\n{text}"
    return read_ecb_options(parse_yaml(lines, Path("/market/market.yaml")), describe(market))


@pytest.fixture
def source(bank: VendorServer, clock: ManualClock, tmp_path: Path) -> EcbSource:
    return open_ecb_at(read_options(bank.url), describe(), tmp_path, clock)


def paths(bank: VendorServer) -> list[str]:
    return [asked.path for asked in bank.asked]


def test_prices_are_ratios_of_two_rates_of_the_day(source: EcbSource) -> None:
    table = source.prices(*ALWAYS)
    expected = np.column_stack([USD, JPY / USD, 1 / USD])
    np.testing.assert_array_equal(table.values, expected)
    assert table.columns == ("EURUSD_close", "USDJPY_close", "USDEUR_close")
    assert table.series.groups == ("all", "all", "all")
    assert table.days.astype(str).tolist() == [
        *("2025-12-31", "2026-01-01", "2026-01-02", "2026-01-05")
    ]
    assert table.date_ids.tolist() == [0, 1, 2, 3]
    assert table.unread == []


def test_it_is_a_source(source: EcbSource) -> None:
    protocol: Source = source
    assert protocol.name == "ecb"
    assert (protocol.first_day, protocol.last_day) == (date(2025, 12, 31), date(2026, 1, 5))
    assert protocol.pairs().targets[:1]
    assert len(protocol.pairs()) == 6
    assert protocol.waiting() == ""
    assert protocol.second_prices(*ALWAYS) is None
    assert protocol.published_labels(*ALWAYS) is None
    assert protocol.best_forecast(*ALWAYS) is None


def test_a_range_of_days(source: EcbSource) -> None:
    table = source.prices(date(2026, 1, 1), date(2026, 1, 4))
    assert table.date_ids.tolist() == [1, 2]
    np.testing.assert_array_equal(table.values[:, 0], [1.16, 1.1688])
    assert len(source.prices(date(2026, 2, 1), date(2026, 1, 1)).days) == 0


def test_newest_days_come_from_the_interface(bank: VendorServer, source: EcbSource) -> None:
    bank.script("/EXR", Scripted(SDMX))
    assert source.last_day == date(2026, 1, 6)
    np.testing.assert_array_equal(source.prices(*ALWAYS).values[-1, :2], [1.18, 157.0 / 1.18])
    assert paths(bank) == ["/hist.zip", "/EXR/D.USD+JPY.EUR.SP00.A"]
    assert bank.asked[1].parameters == {
        "startPeriod": "2026-01-06",
        "format": "csvdata",
        "detail": "dataonly",
    }


def test_the_interface_is_not_asked_for_days_to_come(
    bank: VendorServer, source: EcbSource, clock: ManualClock
) -> None:
    clock.moment = datetime(2026, 1, 5, 18, 0, tzinfo=UTC)
    assert source.last_day == date(2026, 1, 5)
    assert paths(bank) == ["/hist.zip"]


def test_the_bank_is_asked_when_answers_are_old_only(
    bank: VendorServer, source: EcbSource, clock: ManualClock
) -> None:
    look = source.look()
    assert source.prices(*ALWAYS)
    assert len(bank.asked) == 2
    clock.move(minutes=61)
    assert source.look() == look
    assert paths(bank)[2:] == ["/EXR/D.USD+JPY.EUR.SP00.A"]
    clock.move(hours=24)
    source.last_day  # noqa: B018
    assert paths(bank)[3:] == ["/hist.zip", "/EXR/D.USD+JPY.EUR.SP00.A"]


def test_kept_answers_serve_the_next_process(
    bank: VendorServer, source: EcbSource, clock: ManualClock, tmp_path: Path
) -> None:
    look, table = source.look(), source.prices(*ALWAYS)
    again = open_ecb_at(read_options(bank.url), describe(), tmp_path, clock)
    assert (again.look(), again.fingerprint()) == (look, source.fingerprint())
    np.testing.assert_array_equal(again.prices(*ALWAYS).values, table.values)
    assert len(bank.asked) == 2


def test_look_and_fingerprint_follow_a_new_day(
    bank: VendorServer, source: EcbSource, clock: ManualClock
) -> None:
    before = source.look(), source.fingerprint()
    bank.script("/EXR", Scripted(SDMX))
    clock.move(hours=2)
    after = source.look(), source.fingerprint()
    assert not set(before) & set(after)
    bank.script("/EXR", Scripted(""))
    clock.move(hours=2)
    assert (source.look(), source.fingerprint()) == after
    assert source.last_day == date(2026, 1, 6)


def test_a_revised_history_is_delivered_as_it_is_now(
    bank: VendorServer, source: EcbSource, clock: ManualClock
) -> None:
    bank.script("/EXR", Scripted(SDMX))
    look = source.look()
    bank.script("/hist.zip", Scripted(zip_bytes(HISTORY.replace("1.1688", "1.1699"))))
    clock.move(hours=25)
    assert source.look() != look
    assert source.prices(*ALWAYS).values[2, 0] == 1.1699
    assert source.last_day == date(2026, 1, 6), "the interface gave that day before"


def test_the_whole_history_counts_where_it_has_a_day(
    bank: VendorServer, source: EcbSource, clock: ManualClock
) -> None:
    bank.script("/EXR", Scripted(SDMX))
    assert source.prices(*ALWAYS).values[-1, 0] == 1.18
    newer = HISTORY.replace("2026-01-05,1", "2026-01-06,1.1801,157,N/A,0.8,\n2026-01-05,1")
    bank.script("/hist.zip", Scripted(zip_bytes(newer)))
    clock.move(hours=25)
    assert source.prices(*ALWAYS).values[-1, 0] == 1.1801


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        (Scripted("Too Many Requests", 429), "a vendor did not answer"),
        (Scripted("Too Many Requests", 429, {"Retry-After": "30"}), "a vendor did not answer"),
        (Scripted("<html>moved</html>"), "a web page"),
        (Scripted(""), "an empty body"),
        (Scripted(zip_bytes(HISTORY), resets_after=100), "a vendor did not answer"),
        (Scripted(zip_bytes(HISTORY)[:-30]), "cannot be unpacked"),
        (Scripted(zip_bytes(HISTORY, "notes.txt")), "cannot be unpacked"),
        (Scripted(zip_bytes("")), "no header"),
        (Scripted(zip_bytes("Date,USD,JPY,\n")), "no days"),
        (Scripted(zip_bytes(HISTORY.replace("Date", "Day"))), "a column is missing"),
        (Scripted(zip_bytes(HISTORY.replace("USD", "US dollar"))), "columns .* are unknown"),
        (Scripted(zip_bytes(HISTORY.replace("JPY", "JPX"))), "a currency has no rates"),
        (Scripted(zip_bytes(HISTORY.replace("2026-01-02", "02.01.2026"))), "not a day"),
        (Scripted(zip_bytes(HISTORY.replace("2026-01-02", "2026-01-05"))), "given twice"),
        (Scripted(zip_bytes(HISTORY[:-14])), "another number of cells"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_without_answers_a_failure_is_an_error_and_with_answers_it_waits(
    bank: VendorServer, source: EcbSource, clock: ManualClock, history: Scripted, problem: str
) -> None:
    bank.script("/hist.zip", history)
    with pytest.raises(SourceError, match=problem):
        source.prices(*ALWAYS)
    assert source.look() == ""
    bank.script("/hist.zip", Scripted(zip_bytes(HISTORY)))
    look = source.look()
    bank.script("/hist.zip", history)
    clock.move(hours=25)
    assert source.last_day == date(2026, 1, 5)
    assert source.look() == look
    assert "in vain: " in source.waiting()
    asked = len(bank.asked)
    assert source.waiting()
    assert len(bank.asked) == asked
    bank.script("/hist.zip", Scripted(zip_bytes(HISTORY)))
    clock.move(minutes=11)
    assert source.waiting() == ""


@pytest.mark.parametrize(
    ("newest", "problem"),
    [
        (Scripted("down", 503), "status 503"),
        (Scripted("<html>"), "a web page"),
        (Scripted(SDMX.replace("OBS_VALUE", "VALUE")), "a column is missing"),
        (Scripted(SDMX.replace("D,USD,EUR", "D,USD,GBP")), "no euro rate"),
        (Scripted(SDMX + SDMX.splitlines()[1].replace("1.18", "1.19")), "given twice"),
    ],
)
def test_days_of_the_history_do_not_wait_for_the_interface(
    bank: VendorServer, source: EcbSource, newest: Scripted, problem: str
) -> None:
    bank.script("/EXR", newest)
    assert source.last_day == date(2026, 1, 5)
    assert problem in source.waiting()


def test_the_last_day_twice_with_the_same_rates_is_one_day(
    bank: VendorServer, source: EcbSource
) -> None:
    bank.script("/EXR", Scripted(SDMX + SDMX.splitlines()[1] + "\n"))
    assert source.prices(*ALWAYS).days[-1] == np.datetime64("2026-01-06")
    assert source.waiting() == ""


def test_an_unfinished_day_waits(bank: VendorServer, source: EcbSource, clock: ManualClock) -> None:
    usd_only = "\n".join(SDMX.splitlines()[:2])
    bank.script("/EXR", Scripted(usd_only))
    assert source.last_day == date(2026, 1, 5)
    assert source.waiting() == "the rates of 2026-01-06 lack JPY"
    bank.script("/EXR", Scripted(SDMX))
    clock.move(hours=2)
    assert source.last_day == date(2026, 1, 6)
    assert source.waiting() == ""


def test_a_hanging_bank(bank: VendorServer, source: EcbSource, clock: ManualClock) -> None:
    look = source.look()
    client = source.answers.client
    client.limits = type(client.limits)(read_s=0.2, attempts=1)
    for path in ("/hist.zip", "/EXR"):
        bank.script(path, Scripted(hangs=True))
    clock.move(hours=25)
    assert source.look() == look
    assert source.waiting().count("ReadTimeout") == 2


def test_text_in_a_cell_is_delivered_for_quarantine(bank: VendorServer, source: EcbSource) -> None:
    bank.script("/hist.zip", Scripted(zip_bytes(HISTORY.replace("156.10", "156x"))))
    table = source.prices(date(2026, 1, 1), *ALWAYS[1:])
    assert table.unread == [UnreadCell(1, "USDJPY_close", "156x")]
    assert np.isnan(table.values[1, 1])


def test_days_that_are_no_sessions_are_left_out(
    bank: VendorServer, clock: ManualClock, tmp_path: Path
) -> None:
    text = MARKET.replace("days: data", "exchanges: [XLON], first_day: 2026-01-01")
    source = open_ecb_at(read_options(bank.url, "", text), describe(text), tmp_path, clock)
    table = source.prices(*ALWAYS)
    assert table.days.astype(str).tolist() == ["2026-01-02", "2026-01-05"]
    assert table.date_ids.tolist() == [0, 1]
    assert source.first_day == date(2026, 1, 2)


def test_no_session_in_common(bank: VendorServer, clock: ManualClock, tmp_path: Path) -> None:
    text = MARKET.replace("days: data", "days: data, last_day: 1998-01-02")
    source = open_ecb_at(read_options(bank.url, "", text), describe(text), tmp_path, clock)
    with pytest.raises(SourceError, match="no trading day has prices"):
        source.last_day  # noqa: B018


def test_options_have_defaults() -> None:
    options = read_ecb_options(None, describe())
    assert options.currencies == ("USD", "JPY")
    assert options.url.startswith("https://www.ecb.europa.eu/")
    assert options.refresh_after == timedelta(hours=1)


def test_a_currency_that_is_added_later_must_be_there(
    bank: VendorServer, source: EcbSource, clock: ManualClock, tmp_path: Path
) -> None:
    assert source.look()
    text = MARKET.replace("USDEUR", "EURXXX")
    other = open_ecb_at(read_options(bank.url, "", text), describe(text), tmp_path, clock)
    with pytest.raises(SourceError, match="a currency has no rates"):
        other.prices(*ALWAYS)


def test_opening_asks_nothing(bank: VendorServer, tmp_path: Path) -> None:
    text = f"url: {bank.url}/hist.zip\nrefresh_after_hours: 0.5\ncrosses: [USDJPY]"
    source = open_ecb(parse_yaml(text, Path("market.yaml")), describe(), tmp_path / "ecb")
    assert source.answers.options.refresh_after == timedelta(minutes=30)
    assert not bank.asked
    assert not (tmp_path / "ecb").exists()


@pytest.mark.parametrize(
    ("options", "market", "problem"),
    [
        ("crosses: false", MARKET, "is a cross rate"),
        ("crosses: [EURUSD]", MARKET, "unknown pair"),
        ("crosses: maybe", MARKET, "unknown answer"),
        ("currencies: [USD]", MARKET, "needs a currency that is not listed"),
        ("currencies: [USD, JPY, yen]", MARKET, "not a currency"),
        ("refresh_after_hours: -1", MARKET, "not a number"),
        ("key: abc", MARKET, "unknown key"),
        ("", MARKET.replace("EURUSD", "GOLD"), "not a currency pair"),
        ("", MARKET.replace("EURUSD", "EUREUR"), "not a currency pair"),
        (
            "",
            MARKET.replace("name: EURUSD", "name: EURUSD, fields: [close, volume]"),
            "not a currency pair",
        ),
    ],
)
def test_options_that_do_not_fit(options: str, market: str, problem: str) -> None:
    with pytest.raises(MarketError, match=problem):
        read_options("http://127.0.0.1:9", options, market)


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "nowhere", "https://x:port/y", "https://me:secretword@host/x"]
)
def test_an_address_that_cannot_be_asked(url: str) -> None:
    with pytest.raises(QuantAssetsError, match="not an address") as info:
        read_ecb_options(parse_yaml(f"url: {url}", Path("market.yaml")), describe())
    assert "secretword" not in str(info.value)
