"""Bars within the day of vendors on loopback, in the shapes of four vendors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np

from quant_assets.market.description.session_slots import list_slots
from quant_assets_tests.support.bar_vendor import NAMES, NEW_YORK, BarVendor
from quant_assets_tests.support.vendor_server import Asked, Scripted

MINUTES = 15
Rows = dict[datetime, list[float]]
"""Open, high, low, close and volume of bars, by their starts."""


@dataclass
class MinuteVendor:
    """What a vendor has of bars within the day.

    Attributes:
        vendor: the vendor.
        bars: the bars of each symbol.
        page: most bars of an answer of vendors with pages.
        broken: an answer to all requests for bars within the day instead of the usual ones.
    """

    vendor: BarVendor
    bars: dict[str, Rows]
    page: int = 400
    broken: Scripted | None = None

    def __post_init__(self) -> None:
        self.vendor.respond_minutes = self.respond

    @property
    def asked(self) -> list[Asked]:
        return [each for each in self.vendor.server.asked if _is_about_minutes(each)]

    def respond(self, asked: Asked, symbol: str) -> Scripted | None:
        if not _is_about_minutes(asked):
            return None
        return self.broken or Scripted(
            json.dumps(getattr(self, f"_{self.vendor.shape}")(asked, symbol))
        )

    def _rows(self, symbol: str, first: datetime, last: datetime) -> list[tuple[datetime, Any]]:
        """Return the bars that begin in a span, among them one that is not finished."""
        until = min(last, self.vendor.clock.now())
        return [row for row in self.bars[symbol].items() if first <= row[0] <= until]

    def _alpaca(self, asked: Asked, symbol: str) -> Any:
        assert asked.parameters["timeframe"] == f"{MINUTES}Min"
        ends = (datetime.fromisoformat(asked.parameters[name]) for name in ("start", "end"))
        rows = self._rows(symbol, *ends)
        first = int(asked.parameters.get("page_token", 0))
        last = first + self.page
        bars = [{"t": f"{start:%Y-%m-%dT%H:%M:%SZ}", **_letters(row)} for start, row in rows]
        token = str(last) if last < len(bars) else None
        return {"bars": {symbol: bars[first:last]}, "next_page_token": token}

    def _massive(self, asked: Asked, symbol: str) -> Any:
        assert f"/range/{MINUTES}/minute/" in asked.path
        start, end = map(date.fromisoformat, asked.path.split("/")[-2:])
        rows = self._rows(symbol, _midnight(start), _midnight(end + timedelta(days=1)))
        first = int(asked.parameters.get("cursor", 0))
        last = first + self.page
        bars = [{"t": int(begin.timestamp() * 1000), **_letters(row)} for begin, row in rows]
        page: dict[str, Any] = {"adjusted": False, "resultsCount": len(bars[first:last])}
        page["results"] = bars[first:last]
        if last < len(bars):
            page["next_url"] = f"{self.vendor.server.url}{asked.path}?cursor={last}"
        return page

    def _tiingo(self, asked: Asked, symbol: str) -> Any:
        assert asked.parameters["resampleFreq"] == f"{MINUTES}min"
        assert asked.parameters["columns"] == ",".join(NAMES)
        start, end = (date.fromisoformat(asked.parameters[n]) for n in ("startDate", "endDate"))
        rows = self._rows(symbol, _midnight(start), _midnight(end + timedelta(days=1)))
        return [
            {"date": f"{begin:%Y-%m-%dT%H:%M:%S}.000Z", **dict(zip(NAMES, row, strict=True))}
            for begin, row in rows
        ]

    def _oanda(self, asked: Asked, symbol: str) -> Any:
        assert asked.parameters["granularity"] == f"M{MINUTES}"
        begin = datetime.fromisoformat(asked.parameters["from"][:19]).replace(tzinfo=UTC)
        now = self.vendor.clock.now()
        rows = self._rows(symbol, begin, now)
        if asked.parameters["includeFirst"] == "False":
            rows = [row for row in rows if row[0] > begin]
        candles = [
            {
                "complete": start + timedelta(minutes=MINUTES) <= now,
                "volume": row[4],
                "time": f"{start:%Y-%m-%dT%H:%M:%S}.000000000Z",
                "mid": {name: str(value) for name, value in zip("ohlc", row[:4], strict=True)},
            }
            for start, row in rows
        ]
        return {"candles": candles[: int(asked.parameters["count"])]}


def _is_about_minutes(asked: Asked) -> bool:
    return (
        "Min" in asked.parameters.get("timeframe", "")
        or asked.parameters.get("granularity", "").startswith("M")
        or "/minute/" in asked.path
        or asked.path.startswith("/iex/")
    )


def _letters(row: list[float]) -> dict[str, float]:
    return dict(zip("ohlcv", row, strict=True))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)


def list_starts(first: date, last: date) -> list[datetime]:
    """Return when the bars of the sessions begin, and one before each session."""
    slots = list_slots("XNYS", first, last, MINUTES)
    starts = [start.item().replace(tzinfo=UTC) for start in slots.starts]
    opens = [start for start, place in zip(starts, slots.places, strict=True) if place == 0]
    return sorted([*starts, *(start - timedelta(hours=1) for start in opens)])


def add_minutes(vendor: BarVendor, seed: int = 3) -> MinuteVendor:
    """Give a vendor bars within its days."""
    random = np.random.default_rng(seed)
    bars: dict[str, Rows] = {}
    for symbol in vendor.bars:
        bars[symbol] = dict(_draw(list_starts(vendor.days[0], vendor.days[-1]), random))
    return MinuteVendor(vendor, bars)


def _draw(
    starts: list[datetime], random: np.random.Generator
) -> Iterator[tuple[datetime, list[float]]]:
    for start in starts:
        opened, close = np.round(random.uniform(70, 80, 2), 2).tolist()
        volume = float(random.integers(100, 900))
        yield start, [opened, max(opened, close) + 0.5, min(opened, close) - 0.5, close, volume]
