"""Vendors' answers in their recorded shapes, and what goes wrong with them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from quant_assets.core.errors import SettingsError, SourceError
from quant_assets.sources.http import oanda
from quant_assets.sources.http.alpaca import ALPACA, read_alpaca
from quant_assets.sources.http.bars import Bar, Bars, Event, place_actions
from quant_assets.sources.http.client import HttpClient
from quant_assets.sources.http.eia import open_eia, read_eia
from quant_assets.sources.http.fred import open_fred, read_fred, read_fred_graph
from quant_assets.sources.http.massive import MASSIVE, read_massive
from quant_assets.sources.http.oanda import OANDA, read_oanda
from quant_assets.sources.http.observations import Observations
from quant_assets.sources.http.tiingo import TIINGO, read_tiingo
from quant_assets.sources.http.yahoo import YAHOO, read_yahoo
from quant_assets_tests.support.vendor_server import (
    ManualClock,
    Scripted,
    VendorServer,
    open_vendor,
)

KEY = "key-of-a-test"
SPAN = date(2026, 1, 1), date(2026, 1, 31)
NAN = float("nan")
BAR = [50.1, 51.0, 49.8, 50.6, 120300.0]
LETTERS = dict(zip("ohlcv", BAR, strict=True))
OF_XYZ = {"ticker": "XYZ", "limit": "5000"}
Change = Callable[[Any], None]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorServer]:
    for name in ("FRED_API_KEY", "EIA_API_KEY", "TIINGO_API_KEY", "APCA_API_KEY_ID"):
        monkeypatch.setenv(name, KEY)
    for name in ("APCA_API_SECRET_KEY", "MASSIVE_API_KEY", "OANDA_API_TOKEN"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("QUANT_ACCEPT_YAHOO_TERMS", "yes")
    with open_vendor() as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    """Monday evening in New York."""
    return ManualClock(datetime(2026, 1, 6, 2, 0, tzinfo=UTC))


def script(vendor: VendorServer, *answers: Any) -> str:
    return vendor.script("/v", *(Scripted(json.dumps(answer)) for answer in answers))


def days_of(bars: Bars | Observations) -> list[str]:
    return bars.days.astype(str).tolist()


def tiingo_row(day: str, close: float | None = 50.6, split: float | None = 1.0) -> dict[str, Any]:
    raw = dict(zip(("open", "high", "low", "close", "volume"), BAR, strict=True))
    adjusted = {f"adj{name.title()}": 1.0 for name in raw}
    day = f"{day}T00:00:00.000Z"
    return {"date": day, **raw, "close": close, **adjusted, "divCash": 0.5, "splitFactor": split}


def test_tiingo_gives_raw_prices_with_factors(vendor: VendorServer, clock: ManualClock) -> None:
    rows = [tiingo_row("2026-01-02"), tiingo_row("2026-01-05", split=2.0)]
    bars = read_tiingo(TIINGO.open_client(clock=clock), "xyz", *SPAN, url=script(vendor, rows))
    assert days_of(bars) == ["2026-01-02", "2026-01-05"]
    assert bars.values.tolist() == [BAR, BAR]
    assert bars.splits is not None
    assert bars.dividends is not None
    assert bars.splits.tolist() == [1.0, 2.0]
    assert bars.dividends.tolist() == [0.5, 0.5]
    assert vendor.asked[0].headers["Authorization"] == f"Token {KEY}"
    assert vendor.asked[0].path == "/v/xyz/prices"


def test_a_null_close_beside_a_volume_is_a_missing_close(
    vendor: VendorServer, clock: ManualClock
) -> None:
    url = script(vendor, [tiingo_row("2026-01-02", close=None)])
    bars = read_tiingo(TIINGO.open_client(clock=clock), "xyz", *SPAN, url=url)
    np.testing.assert_array_equal(bars.values, [[*BAR[:3], NAN, BAR[4]]])


def test_an_unfinished_bar_is_left_out(vendor: VendorServer, clock: ManualClock) -> None:
    url = script(vendor, [tiingo_row("2026-01-02"), tiingo_row("2026-01-05")])
    clock.moment = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
    bars = read_tiingo(TIINGO.open_client(clock=clock), "xyz", *SPAN, url=url)
    assert days_of(bars) == ["2026-01-02"]


def test_the_last_day_twice(vendor: VendorServer, clock: ManualClock) -> None:
    row = tiingo_row("2026-01-05")
    same = read_tiingo(
        TIINGO.open_client(clock=clock), "xyz", *SPAN, url=script(vendor, [row, row])
    )
    assert days_of(same) == ["2026-01-05"]
    url = script(vendor, [row, tiingo_row("2026-01-05", close=50.7)])
    with pytest.raises(SourceError, match="two different bars"):
        read_tiingo(TIINGO.open_client(clock=clock), "xyz", *SPAN, url=url)


def test_a_renamed_column(vendor: VendorServer, clock: ManualClock) -> None:
    row = tiingo_row("2026-01-02")
    row["Close"] = row.pop("close")
    with pytest.raises(SourceError, match="did you mean Close"):
        read_tiingo(TIINGO.open_client(clock=clock), "xyz", *SPAN, url=script(vendor, [row]))


def yahoo_chart(*rows: tuple[int, list[float | None]], split_at: int | None = None) -> Any:
    names = ("open", "high", "low", "close", "volume")
    quote = {name: [values[i] for _, values in rows] for i, name in enumerate(names)}
    events: dict[str, Any] = {"dividends": {str(rows[0][0]): {"amount": 0.11, "date": rows[0][0]}}}
    if split_at:
        split = {"date": split_at, "numerator": 2, "denominator": 1, "splitRatio": "2:1"}
        events["splits"] = {str(split_at): split}
    result = {
        "meta": {"symbol": "XYZ", "exchangeTimezoneName": "America/New_York", "gmtoffset": -18000},
        "timestamp": [moment for moment, _ in rows],
        "events": events,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": [1.0 for _ in rows]}]},
    }
    return {"chart": {"result": [result], "error": None}}


FRIDAY, MONDAY, TUESDAY = 1767364200, 1767623400, 1767709800


def test_yahoo_after_a_split_gives_the_same_past(vendor: VendorServer, clock: ManualClock) -> None:
    client = YAHOO.open_client(clock=clock)
    clock.move(hours=8)
    before = yahoo_chart((FRIDAY, [100, 102, 98, 101, 4]))
    halved = [50, 51, 49, 50.5, 8]
    after = yahoo_chart((FRIDAY, halved), (MONDAY, [51, 52, 50, 51, 9]), split_at=MONDAY)
    after["chart"]["result"][0]["events"]["dividends"][str(FRIDAY)]["amount"] = 0.055
    old = read_yahoo(client, "XYZ", *SPAN, url=script(vendor, before))
    new = read_yahoo(client, "XYZ", *SPAN, url=script(vendor, after))
    assert days_of(new) == ["2026-01-02", "2026-01-05"]
    np.testing.assert_array_equal(new.values[0], old.values[0])
    assert new.splits is not None
    assert old.dividends is not None
    assert new.dividends is not None
    assert new.splits.tolist() == [1.0, 2.0]
    assert new.dividends.tolist() == [*old.dividends.tolist(), 0.0]


def test_yahoo_today_twice_is_left_out_and_its_split_is_undone(
    vendor: VendorServer, clock: ManualClock
) -> None:
    client = YAHOO.open_client(clock=clock)
    clock.moment = datetime(2026, 1, 5, 21, 30, tzinfo=UTC)
    rows = [(FRIDAY, [50, 51, 49, 50.5, 8]), (MONDAY, [51, 52, 50, 51, 9])]
    chart = yahoo_chart(*rows, (MONDAY + 20_000, [51, 52, 50, None, 12]), split_at=MONDAY)
    bars = read_yahoo(client, "XYZ", *SPAN, url=script(vendor, chart))
    assert days_of(bars) == ["2026-01-02"]
    assert bars.values.tolist() == [[100.0, 102.0, 98.0, 101.0, 4.0]]


def test_yahoo_null_close_beside_a_volume(vendor: VendorServer, clock: ManualClock) -> None:
    chart = yahoo_chart((FRIDAY, [None, None, None, None, 6527]))
    bars = read_yahoo(YAHOO.open_client(clock=clock), "XYZ", *SPAN, url=script(vendor, chart))
    np.testing.assert_array_equal(bars.values, [[NAN, NAN, NAN, NAN, 6527]])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda chart: chart.update(result=None), "chart / result / 0"),
        (lambda chart: chart["result"][0]["timestamp"].append(TUESDAY), "different lengths"),
        (lambda chart: chart["result"][0].update(indicators={"quote": [{}]}), "is missing"),
        (lambda chart: chart["result"][0]["meta"].update(exchangeTimezoneName="Moon"), "zone"),
        (
            lambda chart: chart["result"][0]["events"]["dividends"][str(FRIDAY)].update(
                date=TUESDAY
            ),
            "without a bar",
        ),
    ],
)
def test_yahoo_with_another_shape(
    vendor: VendorServer, clock: ManualClock, change: Change, problem: str
) -> None:
    answer = yahoo_chart((FRIDAY, [1, 1, 1, 1, 1]))
    change(answer["chart"])
    with pytest.raises(SourceError, match=problem):
        read_yahoo(YAHOO.open_client(clock=clock), "XYZ", *SPAN, url=script(vendor, answer))


def test_yahoo_must_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "no", "1"):
        monkeypatch.setenv("QUANT_ACCEPT_YAHOO_TERMS", value)
        with pytest.raises(SourceError, match="terms forbid automated access"):
            YAHOO.open_client()


def test_actions_beside_bars_belong_to_the_next_bar() -> None:
    days = [date(2026, 1, day) for day in (2, 5, 7)]
    bars = [Bar(day, (1.0, 1.0, 1.0, 1.0, 1.0)) for day in days]
    events = [
        Event(date(2025, 12, 1), split=9.0),
        Event(date(2026, 1, 6), dividend=0.5),
        Event(date(2026, 1, 7), split=2.0),
        Event(date(2026, 1, 7), dividend=0.1),
        Event(date(2026, 1, 8), dividend=9.0),
    ]
    placed = place_actions(reversed(bars), reversed(events))
    assert [(bar.day, bar.split) for bar in placed] == [*zip(days, (1.0, 1.0, 2.0), strict=True)]
    assert placed[2].dividend == 0.5 / 2 + 0.1
    assert place_actions([], events) == []


@pytest.mark.parametrize(("split", "cash"), [(0, 1), (-1, 0), (NAN, 0), (1, NAN), (1, -1)])
def test_an_impossible_split_or_dividend(
    vendor: VendorServer, clock: ManualClock, split: float, cash: float
) -> None:
    row = tiingo_row("2026-01-02", split=None if np.isnan(split) else split)
    row["divCash"] = None if np.isnan(cash) else cash
    with pytest.raises(SourceError, match="a split or dividend is impossible"):
        read_tiingo(TIINGO.open_client(clock=clock), "xyz", *SPAN, url=script(vendor, [row]))


def script_alpaca_actions(vendor: VendorServer, **kinds: Any) -> None:
    page = {"corporate_actions": kinds, "next_page_token": None}
    vendor.script("/v1/corporate-actions", Scripted(json.dumps(page)))


def alpaca_page(day: str, token: str | None) -> dict[str, Any]:
    bar = {"t": f"{day}T05:00:00Z", **LETTERS, "n": 931, "vw": 50.4}
    return {"bars": {"XYZ": [bar]}, "next_page_token": token}


def test_alpaca_pages_are_joined(vendor: VendorServer, clock: ManualClock) -> None:
    url = script(vendor, alpaca_page("2026-01-02", "next"), alpaca_page("2026-01-05", None))
    script_alpaca_actions(
        vendor,
        forward_splits=[{"ex_date": "2026-01-05", "new_rate": 3, "old_rate": 2}],
        cash_dividends=[
            {"ex_date": "2026-01-02", "rate": 0.25},
            {"ex_date": "2025-12-01", "rate": 1},
        ],
    )
    bars = read_alpaca(ALPACA.open_client(clock=clock), "XYZ", *SPAN, url=url)
    assert days_of(bars) == ["2026-01-02", "2026-01-05"]
    assert bars.values.tolist() == [BAR, BAR]
    assert bars.splits is not None
    assert bars.dividends is not None
    assert bars.splits.tolist() == [1.0, 1.5]
    assert bars.dividends.tolist() == [0.25, 0.0]
    assert [asked.parameters.get("page_token") for asked in vendor.asked] == [None, "next", None]
    assert vendor.asked[2].parameters["types"] == "forward_split,reverse_split,cash_dividend"
    assert vendor.asked[0].parameters["adjustment"] == "raw"
    assert vendor.asked[0].headers["APCA-API-SECRET-KEY"] == KEY


def test_alpaca_pages_that_repeat_end(vendor: VendorServer, clock: ManualClock) -> None:
    url = script(vendor, alpaca_page("2026-01-02", "next"))
    with pytest.raises(SourceError, match="do not end"):
        read_alpaca(ALPACA.open_client(clock=clock), "XYZ", *SPAN, url=url)


def test_alpaca_has_nothing(vendor: VendorServer, clock: ManualClock) -> None:
    url = script(vendor, {"bars": {}, "next_page_token": None})
    script_alpaca_actions(vendor)
    bars = read_alpaca(ALPACA.open_client(clock=clock), "XYZ", *SPAN, url=url)
    assert bars.values.shape == (0, 5)


def script_massive_events(
    vendor: VendorServer, splits: list[Any] | None = None, dividends: list[Any] | None = None
) -> None:
    for kind, rows in (("splits", splits), ("dividends", dividends)):
        page = {"status": "OK", "results": rows or []}
        vendor.script(f"/stocks/v1/{kind}", Scripted(json.dumps(page)))


def massive_page(**more: Any) -> dict[str, Any]:
    bar = {**LETTERS, "vw": 50.4, "t": 1767330000000, "n": 931}
    return {"ticker": "XYZ", "adjusted": False, "resultsCount": 1, "results": [bar], **more}


def test_massive_bars(vendor: VendorServer, clock: ManualClock) -> None:
    url = script(vendor, massive_page())
    script_massive_events(
        vendor,
        [{"execution_date": "2026-01-02", "split_from": 8, "split_to": 1}],
        [{"ex_dividend_date": "2026-01-02", "cash_amount": 0.26, "currency": "USD"}],
    )
    bars = read_massive(MASSIVE.open_client(clock=clock), "XYZ", *SPAN, url=url)
    assert days_of(bars) == ["2026-01-02"]
    assert bars.values.tolist() == [BAR]
    assert vendor.asked[0].path == "/v/XYZ/range/1/day/2026-01-01/2026-01-31"
    assert vendor.asked[0].parameters["adjusted"] == "false"
    assert bars.splits is not None
    assert bars.dividends is not None
    assert bars.splits.tolist() == [0.125]
    assert bars.dividends.tolist() == [0.26]
    asked = [(each.path, each.parameters) for each in vendor.asked[1:]]
    assert asked == [
        ("/stocks/v1/splits", {"execution_date.gte": "2026-01-01"} | OF_XYZ),
        ("/stocks/v1/dividends", {"ex_dividend_date.gte": "2026-01-01"} | OF_XYZ),
    ]


def test_massive_pages_are_joined(vendor: VendorServer, clock: ManualClock) -> None:
    client = MASSIVE.open_client(clock=clock)
    later = [{**LETTERS, "t": 1767589200000}]
    pages = massive_page(next_url=f"{vendor.url}/v/more?cursor=abc"), massive_page(results=later)
    script_massive_events(vendor)
    bars = read_massive(client, "XYZ", *SPAN, url=script(vendor, *pages))
    assert days_of(bars) == ["2026-01-02", "2026-01-05"]
    assert vendor.asked[1].parameters == {"cursor": "abc"}
    assert vendor.asked[1].headers["Authorization"] == f"Bearer {KEY}"
    assert clock.pauses == pytest.approx([12.5] * 3, abs=0.1)


def test_massive_has_nothing(vendor: VendorServer, clock: ManualClock) -> None:
    url = script(vendor, massive_page(resultsCount=0, results=None))
    script_massive_events(vendor)
    bars = read_massive(MASSIVE.open_client(clock=clock), "XYZ", *SPAN, url=url)
    assert not len(bars.days)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"adjusted": True}, "bars are adjusted"),
        ({"next_url": "https://elsewhere.example/v?cursor=a"}, "on another host"),
    ],
)
def test_massive_refused(
    vendor: VendorServer, clock: ManualClock, more: dict[str, Any], problem: str
) -> None:
    url = script(vendor, massive_page(**more))
    with pytest.raises(SourceError, match=problem):
        read_massive(MASSIVE.open_client(clock=clock), "XYZ", *SPAN, url=url)


def oanda_candle(time: str, *, complete: bool = True) -> dict[str, Any]:
    mid = {"o": "1.16700", "h": "1.17110", "l": "1.16590", "c": "1.16880"}
    return {"complete": complete, "volume": 191082, "time": f"{time}.000000000Z", "mid": mid}


def test_oanda_days_end_in_new_york(vendor: VendorServer, clock: ManualClock) -> None:
    candles = [
        oanda_candle("2026-01-01T22:00:00"),
        oanda_candle("2026-01-04T22:00:00", complete=False),
    ]
    url = script(vendor, {"instrument": "EUR_USD", "granularity": "D", "candles": candles})
    bars = read_oanda(OANDA.open_client(clock=clock), "EUR_USD", date(2026, 1, 2), SPAN[1], url=url)
    assert days_of(bars) == ["2026-01-02"]
    assert bars.values.tolist() == [[1.167, 1.1711, 1.1659, 1.1688, 191082.0]]
    assert vendor.asked[0].parameters["from"] == "2026-01-01T22:00:00Z"
    assert "to" not in vendor.asked[0].parameters


def test_oanda_in_summer_and_with_another_alignment(
    vendor: VendorServer, clock: ManualClock
) -> None:
    summer = {"candles": [oanda_candle("2025-07-01T21:00:00")]}
    span = date(2025, 7, 1), date(2025, 7, 31)
    bars = read_oanda(OANDA.open_client(clock=clock), "EUR_USD", *span, url=script(vendor, summer))
    assert days_of(bars) == ["2025-07-02"]
    other = {"candles": [oanda_candle("2025-07-01T00:00:00")]}
    with pytest.raises(SourceError, match="begins at another time"):
        read_oanda(OANDA.open_client(clock=clock), "EUR_USD", *span, url=script(vendor, other))


def test_oanda_pages_are_joined(
    vendor: VendorServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oanda, "_PAGE", 1)
    starts = ("2025-07-01T21:00:00", "2025-07-02T21:00:00", "2025-07-03T21:00:00")
    url = script(vendor, *({"candles": [oanda_candle(start)]} for start in starts))
    span = date(2025, 7, 2), date(2025, 7, 4)
    bars = read_oanda(OANDA.open_client(clock=clock), "EUR_USD", *span, url=url)
    assert days_of(bars) == ["2025-07-02", "2025-07-03", "2025-07-04"]
    assert vendor.asked[1].parameters["from"] == f"{starts[0]}.000000000Z"
    assert vendor.asked[1].parameters["includeFirst"] == "False"
    assert len(vendor.asked) == 3


def fred_page(offset: int, count: int, *rows: tuple[str, str, str]) -> dict[str, Any]:
    names = ("realtime_start", "date", "value")
    observations = [dict(zip(names, row, strict=True)) for row in rows]
    return {"count": count, "offset": offset, "limit": 100000, "observations": observations}


def test_fred_keeps_vintages(vendor: VendorServer, clock: ManualClock) -> None:
    first = fred_page(0, 3, ("2026-01-06", "2026-01-01", "."), ("2026-01-06", "2026-01-02", "4.17"))
    second = fred_page(2, 3, ("2026-01-20", "2026-01-02", "4.18"))
    result = read_fred(open_fred(clock=clock), "DGS10", url=script(vendor, first, second))
    assert days_of(result) == ["2026-01-01", "2026-01-02", "2026-01-02"]
    np.testing.assert_array_equal(result.values, [NAN, 4.17, 4.18])
    assert result.known_on.astype(str).tolist() == ["2026-01-06", "2026-01-06", "2026-01-20"]
    assert [asked.parameters["offset"] for asked in vendor.asked] == ["0", "2"]
    assert vendor.asked[0].parameters["api_key"] == KEY


@pytest.mark.parametrize("header", ["observation_date", "DATE"])
def test_fred_without_a_key(vendor: VendorServer, clock: ManualClock, header: str) -> None:
    table = f"{header},DGS10\n2026-01-02,4.17\n2026-01-01,.\n2026-01-05,\n"
    client = open_fred(clock=clock, keyed=False)
    result = read_fred_graph(client, "DGS10", vendor.script("/v", Scripted(table)))
    assert days_of(result) == ["2026-01-01", "2026-01-02", "2026-01-05"]
    np.testing.assert_array_equal(result.values, [NAN, 4.17, NAN])
    assert np.isnat(result.known_on).all()
    assert vendor.asked[0].parameters == {"id": "DGS10"}


@pytest.mark.parametrize("header", ["day,DGS10", "observation_date,DGS2"])
def test_fred_with_other_columns(vendor: VendorServer, clock: ManualClock, header: str) -> None:
    url = vendor.script("/v", Scripted(f"{header}\n2026-01-02,4.17\n"))
    with pytest.raises(SourceError, match="columns of a table are unknown"):
        read_fred_graph(open_fred(clock=clock, keyed=False), "DGS10", url)


def eia_page(total: int, *rows: tuple[str, str], series: str = "RWTC") -> dict[str, Any]:
    data = [{"period": day, "series": series, "value": value} for day, value in rows]
    return {
        "response": {"total": str(total), "frequency": "daily", "data": data},
        "request": {"params": {"api_key": KEY}},
    }


def test_eia_values_are_texts_and_may_be_negative(vendor: VendorServer, clock: ManualClock) -> None:
    pages = eia_page(2, ("2020-04-20", "-36.98")), eia_page(2, ("2020-04-21", "8.91"))
    result = read_eia(open_eia(clock=clock), "RWTC", url=script(vendor, *pages))
    assert days_of(result) == ["2020-04-20", "2020-04-21"]
    assert result.values.tolist() == [-36.98, 8.91]
    assert vendor.asked[0].path == "/v/petroleum/pri/spt/data/"
    assert vendor.asked[0].parameters["facets[series][]"] == "RWTC"
    assert [asked.parameters["offset"] for asked in vendor.asked] == ["0", "1"]


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (eia_page(9, ("2020-04-20", "1")), "do not end"),
        (eia_page(1, ("2020-04-20", "1"), series="RBRTE"), "another series"),
        (eia_page(2, ("2020-04-20", "1"), ("2020-04-20", "2")), "two different values"),
        (eia_page(1, ("2020-04-20", "low")), "not a number"),
        (eia_page(1, ("April", "1")), "not a day"),
        ({"response": {"rows": []}}, "response / data"),
    ],
)
def test_eia_refused(
    vendor: VendorServer, clock: ManualClock, page: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SourceError, match=problem) as info:
        read_eia(open_eia(clock=clock), "RWTC", url=script(vendor, page))
    assert KEY not in str(info.value)


@pytest.mark.parametrize(
    "open_client",
    [open_fred, open_eia, *(each.open_client for each in (TIINGO, ALPACA, MASSIVE, OANDA))],
)
def test_a_missing_key_is_named(
    monkeypatch: pytest.MonkeyPatch, open_client: Callable[[], HttpClient]
) -> None:
    for name in ("FRED", "EIA", "TIINGO", "MASSIVE"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "OANDA_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="there is no key for"):
        open_client()
