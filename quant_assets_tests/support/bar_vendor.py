"""Vendors of daily bars on loopback, in the shapes of five vendors, with prices that tests change.

A vendor knows the bars of all days, and gives those that are complete on its clock. Bars within the
day are in ``minute_vendor``.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import prod
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets_tests.support.vendor_server import (
    Asked,
    ManualClock,
    Scripted,
    VendorServer,
    open_vendor,
)

KEY = "secret-key-of-a-test"
KEYS = ("TIINGO_API_KEY", "APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "MASSIVE_API_KEY")
NEW_YORK = ZoneInfo("America/New_York")
NAMES = ("open", "high", "low", "close", "volume")


def set_keys(patch: pytest.MonkeyPatch) -> None:
    """Set the keys of all vendors, and accept Yahoo's terms."""
    for name in (*KEYS, "OANDA_API_TOKEN"):
        patch.setenv(name, KEY)
    patch.setenv("QUANT_ACCEPT_YAHOO_TERMS", "yes")


@dataclass
class BarVendor:
    """A vendor.

    Attributes:
        server: its server.
        clock: the clock of its clients.
        shape: name of the vendor whose shape the answers have.
        days: the n trading days.
        bars: (n, 5) bars as they were traded, by symbol; NaN is null, a row of NaN is no bar.
        splits: shares after for each share before, by symbol and day.
        dividends: cash for each share, by symbol and day.
        fail: returns another answer to a request; None for the usual one.
        respond_minutes: answers requests for bars within the day; None for other requests.
    """

    server: VendorServer
    clock: ManualClock
    shape: str
    days: list[date]
    bars: dict[str, FloatArray]
    splits: dict[str, dict[date, float]] = field(default_factory=dict)
    dividends: dict[str, dict[date, float]] = field(default_factory=dict)
    fail: Callable[[str], Scripted | None] = lambda _: None
    respond_minutes: Callable[[Asked, str], Scripted | None] = lambda *_: None

    def __post_init__(self) -> None:
        self.server.respond = self.respond

    @property
    def url(self) -> str:
        return f"{self.server.url}/v"

    @property
    def symbols_asked(self) -> list[str]:
        """The symbols of all requests, in order."""
        return [self._symbol(asked) for asked in self.server.asked]

    def until(self, day: date, hour: int = 22) -> None:
        """Set the clock to an hour of a day in New York, when its bars are complete by default."""
        if self.shape == "yahoo" and hour == 22:
            day, hour = day + timedelta(days=1), 1
        self.clock.moment = datetime.combine(day, time(hour), NEW_YORK).astimezone(UTC)

    def respond(self, asked: Asked) -> Scripted:
        symbol = self._symbol(asked)
        if failure := self.fail(symbol):
            return failure
        if symbol not in self.bars:
            return Scripted("no such symbol", 404)
        if answer := self.respond_minutes(asked, symbol):
            return answer
        if asked.path.startswith(("/stocks/v1/", "/v1/")):
            return Scripted(json.dumps(self._events(asked, symbol)))
        return Scripted(json.dumps(getattr(self, f"_{self.shape}")(asked, symbol)))

    def _symbol(self, asked: Asked) -> str:
        if symbol := asked.parameters.get("symbols") or asked.parameters.get("ticker"):
            return symbol
        part = asked.path.split("/")[-1 if self.shape == "yahoo" else 2]
        return unquote(part)

    def _rows(self, symbol: str, start: date, end: date) -> Iterator[tuple[date, list[Any]]]:
        now = self.clock.now().astimezone(NEW_YORK)
        for day, row in zip(self.days, self.bars[symbol], strict=True):
            if start <= day <= min(end, now.date()) and not np.isnan(row).all():
                yield day, [None if np.isnan(value) else value for value in row.tolist()]

    def _tiingo(self, asked: Asked, symbol: str) -> Any:
        start, end = (date.fromisoformat(asked.parameters[n]) for n in ("startDate", "endDate"))
        return [
            {
                "date": f"{day}T00:00:00.000Z",
                **dict(zip(NAMES, row, strict=True)),
                "divCash": self.dividends.get(symbol, {}).get(day, 0.0),
                "splitFactor": self.splits.get(symbol, {}).get(day, 1.0),
            }
            for day, row in self._rows(symbol, start, end)
        ]

    def _alpaca(self, asked: Asked, symbol: str) -> Any:
        start, end = (date.fromisoformat(asked.parameters[name]) for name in ("start", "end"))
        rows = [
            {"t": f"{_midnight(day):%Y-%m-%dT%H:%M:%SZ}", **dict(zip("ohlcv", row, strict=True))}
            for day, row in self._rows(symbol, start, end)
        ]
        return {"bars": {symbol: rows} if rows else {}, "next_page_token": None}

    def _massive(self, asked: Asked, symbol: str) -> Any:
        start, end = map(date.fromisoformat, asked.path.split("/")[-2:])
        rows = [
            {"t": int(_midnight(day).timestamp() * 1000), **dict(zip("ohlcv", row, strict=True))}
            for day, row in self._rows(symbol, start, end)
        ]
        return {"adjusted": False, "resultsCount": len(rows), "results": rows}

    def _events(self, asked: Asked, symbol: str) -> Any:
        """Answer as Massive or Alpaca does about splits and dividends."""
        splits = self.splits.get(symbol, {}).items()
        dividends = self.dividends.get(symbol, {}).items()
        if asked.path == "/stocks/v1/splits":
            rows = [
                {"execution_date": str(day), "split_from": 1, "split_to": split}
                for day, split in splits
                if str(day) >= asked.parameters["execution_date.gte"]
            ]
            return {"status": "OK", "results": rows}
        if asked.path == "/stocks/v1/dividends":
            rows = [
                {"ex_dividend_date": str(day), "cash_amount": cash, "currency": "USD"}
                for day, cash in dividends
                if str(day) >= asked.parameters["ex_dividend_date.gte"]
            ]
            return {"status": "OK", "results": rows}
        kinds = {
            "forward_splits": [
                {"ex_date": str(day), "new_rate": split, "old_rate": 1}
                for day, split in splits
                if split > 1
            ],
            "reverse_splits": [
                {"ex_date": str(day), "new_rate": 1, "old_rate": 1 / split}
                for day, split in splits
                if split < 1
            ],
            "cash_dividends": [{"ex_date": str(day), "rate": cash} for day, cash in dividends],
        }
        given = {kind: rows for kind, rows in kinds.items() if rows}
        return {"corporate_actions": given, "next_page_token": None}

    def _yahoo(self, asked: Asked, symbol: str) -> Any:
        start = datetime.fromtimestamp(int(asked.parameters["period1"]), UTC).date()
        rows = list(self._rows(symbol, start, date.max))
        shown = {day for day, _ in rows}
        splits = {d: s for d, s in self.splits.get(symbol, {}).items() if d in shown}
        columns: list[list[Any]] = [[] for _ in NAMES]
        for day, row in rows:
            later = prod(split for on, split in splits.items() if on > day)
            for column, value in zip(columns[:4], row[:4], strict=True):
                column.append(None if value is None else value / later)
            columns[4].append(None if row[4] is None else row[4] * later)
        dividends = {
            str(_opening(day)): {
                "date": _opening(day),
                "amount": cash / prod(split for on, split in splits.items() if on > day),
            }
            for day, cash in self.dividends.get(symbol, {}).items()
            if day in shown
        }
        events = {
            "dividends": dividends,
            "splits": {
                str(_opening(day)): {"date": _opening(day), "numerator": split, "denominator": 1}
                for day, split in splits.items()
            },
        }
        result = {
            "meta": {"exchangeTimezoneName": "America/New_York"},
            "timestamp": [_opening(day) for day, _ in rows],
            "events": events,
            "indicators": {"quote": [dict(zip(NAMES, columns, strict=True))]},
        }
        return {"chart": {"result": [result], "error": None}}

    def _oanda(self, asked: Asked, symbol: str) -> Any:
        begin = datetime.fromisoformat(asked.parameters["from"])
        candles = []
        for day, row in self._rows(symbol, date.min, date.max):
            opened = datetime.combine(day - timedelta(days=1), time(17), NEW_YORK).astimezone(UTC)
            if opened >= begin:
                candles.append(
                    {
                        "complete": opened + timedelta(days=1) <= self.clock.now(),
                        "volume": row[4],
                        "time": f"{opened:%Y-%m-%dT%H:%M:%S}.000000000Z",
                        "mid": {name: str(v) for name, v in zip("ohlc", row[:4], strict=True)},
                    }
                )
        return {"candles": candles}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), NEW_YORK).astimezone(UTC)


def _opening(day: date) -> int:
    return int(datetime.combine(day, time(9, 30), NEW_YORK).timestamp())


def draw_bars(days: Sequence[date], symbols: Sequence[str], seed: int = 7) -> dict[str, FloatArray]:
    """Draw bars as they would be without splits: (n, 5) of each symbol, prices in cents."""
    random = np.random.default_rng(seed)
    bars = {}
    for symbol in symbols:
        close = 80 * np.exp(np.cumsum(random.normal(0, 0.01, len(days))))
        opened = close * np.exp(random.normal(0, 0.004, len(days)))
        high = np.maximum(opened, close) * 1.004
        low = np.minimum(opened, close) * 0.996
        volume = random.integers(10_000, 90_000, len(days)).astype(float)
        prices = np.round(np.column_stack([opened, high, low, close]), 2)
        bars[symbol] = np.column_stack([prices, volume])
    return bars


@contextmanager
def open_bar_vendor(
    shape: str, days: Sequence[date], symbols: Sequence[str]
) -> Iterator[BarVendor]:
    """Run a vendor within the context."""
    with open_vendor() as server:
        clock = ManualClock()
        vendor = BarVendor(server, clock, shape, list(days), draw_bars(days, symbols))
        vendor.until(days[-1])
        yield vendor
