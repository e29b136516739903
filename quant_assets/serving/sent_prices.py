"""Prices that a caller sends, and the answer: their forms, and how they become a price table."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import numpy as np

from quant_assets.core.errors import CalendarError, RequestError, suggest_names
from quant_assets.core.typing import DayArray
from quant_assets.market.instruments import SeriesList
from quant_assets.promotion.publishing import SubmittedForecast
from quant_assets.serving.known_days import KnownDays
from quant_assets.serving.session import ServedForecast
from quant_assets.sources.deliveries import PriceTable

MOST_DAYS = 30
"""Number of days that a request may send: each takes as long as a request of one day."""


class SentDay(msgspec.Struct, forbid_unknown_fields=True):
    """The prices of a day by the names of series; null for a series without a price."""

    day: date
    prices: dict[str, float | None]


class SentPrices(msgspec.Struct, forbid_unknown_fields=True):
    """Prices that are forecast from.

    Attributes:
        days: the days, ascending.
        release: the release that forecasts; null for what would be submitted.
        targets: the targets that are answered; null for all.
    """

    days: list[SentDay]
    release: str | None = None
    targets: list[str] | None = None


_DECODER = msgspec.json.Decoder(SentPrices)


def read_sent_prices(body: bytes) -> SentPrices:
    """Read the body of a request.

    Raises:
        RequestError: the body is no JSON, or does not have the form of ``SentPrices``.
    """
    try:
        sent = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        problem, _, place = str(error).partition(" - at ")
        raise RequestError(
            "the body does not have the expected form",
            where=f"body {place.strip('`')}".strip(),
            expected='{"days": [{"day": "2024-01-02", "prices": {"series": 1.5}}]}',
            found=problem,
            hint="a price is a number, or null where there is none; JSON has no NaN",
        ) from None
    days = [each.day for each in sent.days]
    if not 1 <= len(days) <= MOST_DAYS or sorted(set(days)) != days:
        raise RequestError(
            "the days cannot be forecast together",
            where="body days",
            expected=f"1 to {MOST_DAYS} different days, ascending",
            found=f"{len(days)} days" + (f", {days[0]} to {days[-1]}" if days else ""),
        )
    return sent


def build_table(known: KnownDays, sent: Sequence[SentDay]) -> tuple[PriceTable, list[str]]:
    """Build the price table of sent days; also say which trading days are left out before them.

    Args:
        known: what is known at the close of the newest stored day.
        sent: the days, ascending.

    Raises:
        RequestError: a day is no trading day, or a series is unknown.
    """
    series = known.prices.series
    days = np.array([each.day for each in sent], dtype="datetime64[D]")
    _require_trading_days(known, days)
    unknown = [name for each in sent for name in each.prices if name not in series.by_column]
    if unknown:
        raise RequestError(
            "a series is unknown",
            where="body days.prices",
            expected=f"names of the market's {len(series)} series, such as {series.columns[0]}",
            found=unknown[0],
            hint=suggest_names(unknown[0], series.columns),
        )
    numbers = int(known.date_ids[-1]) + 1 + np.arange(len(days))
    values = np.stack([_read_row(series, each.prices) for each in sent])
    return PriceTable(days, numbers, series, values), _describe_gap(known, days)


def encode_answer(
    served: ServedForecast, known: KnownDays, targets: Sequence[str] | None, notes: Sequence[str]
) -> bytes:
    """Encode the answer to sent prices as JSON; a target without a forecast has null.

    Args:
        served: the forecasts.
        known: what was known before the days.
        targets: the targets that are answered; None for all.
        notes: further sentences, which come first.

    Raises:
        RequestError: a target is unknown.
    """
    place = {name: i for i, name in enumerate(served.targets)}
    names = served.targets if targets is None else tuple(dict.fromkeys(targets))
    for name in names:
        if name not in place:
            raise RequestError(
                "a target is unknown",
                where="body targets",
                expected=f"names of the market's {len(place)} targets",
                found=name,
                hint=suggest_names(name, place),
            )
    at = [place[name] for name in names]
    forecasts = [_describe_forecast(each, names, at) for each in served.forecasts]
    return msgspec.json.encode(
        {
            "known_until": known.days[known.days < served.days[0]][-1].item(),
            "forecasts": forecasts,
            "notes": [*notes, *served.notes],
        }
    )


def _describe_forecast(
    forecast: SubmittedForecast, names: Sequence[str], at: Sequence[int]
) -> dict[str, Any]:
    values = forecast.values[list(at)].tolist()
    return {
        "day": forecast.day,
        "release": forecast.champion,
        "challenger": forecast.challenger,
        "share": forecast.share,
        "fit_as_of": forecast.fit_as_of.astype("datetime64[D]").item(),
        # A number that JSON does not have becomes null.
        "values": dict(zip(names, values, strict=True)),
    }


def _read_row(series: SeriesList, prices: Mapping[str, float | None]) -> Any:
    row = np.full(len(series), np.nan)
    for name, price in prices.items():
        if price is not None:
            row[series.by_column[name]] = price
    return row


def _require_trading_days(known: KnownDays, days: DayArray) -> None:
    calendar = known.market.calendar
    if not calendar.exchanges:
        return
    try:
        wrong = days[~calendar.is_trading_day(days)]
    except CalendarError as error:
        raise RequestError(
            error.problem, where="body days.day", expected=error.expected, found=error.found
        ) from None
    if len(wrong):
        raise RequestError(
            "a day is no trading day",
            where="body days.day",
            expected=f"no day on which {calendar.closed_text}",
            found=str(wrong[0]),
        )


def _describe_gap(known: KnownDays, days: DayArray) -> list[str]:
    """Say how many trading days lie between the known days and the first day."""
    calendar, last = known.market.calendar, known.days[-1]
    if not calendar.exchanges or days[0] <= last:
        return []
    between = calendar.trading_days(last.item(), days[0].item())
    left_out = int(((between > last) & (between < days[0])).sum())
    if not left_out:
        return []
    return [f"{left_out} trading days between {last} and {days[0]} are neither stored nor sent"]
