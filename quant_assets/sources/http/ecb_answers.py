"""What the European Central Bank answered: asking again when it is old, and the rates that follow.

The whole history comes from a zip once a day, the newest days from the bank's interface.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.client import HttpClient
from quant_assets.sources.http.ecb_options import EcbOptions
from quant_assets.sources.http.ecb_rates import (
    MISSING,
    Rates,
    parse_history,
    parse_newest,
    require_currencies,
)
from quant_assets.sources.http.requests import Answer, Kind, Request
from quant_assets.sources.http.responses import Refresh, ResponseRecord, ResponseStore

NAME = "ecb"
_HISTORY, _NEWEST = "history", "newest"
_HISTORY_EVERY = timedelta(hours=24)
_AFTER_FAILURE = timedelta(minutes=10)
# A new zip may be older than the newest days that the interface gave before.
_OVERLAP = timedelta(days=7)


@dataclass(frozen=True)
class MergedRates:
    """The rates that the answers give.

    Attributes:
        rates: by day and currency.
        waiting: why the newest days are left out; empty if none is.
    """

    rates: Rates
    waiting: str


@dataclass(frozen=True)
class EcbAnswers:
    """The kept answers of the bank.

    Attributes:
        options: where the bank is asked, and for which currencies.
        client: asks it.
        store: keeps its answers.
    """

    options: EcbOptions
    client: HttpClient
    store: ResponseStore

    def refresh(self) -> None:
        """Ask the bank if the answers are old. A failure is noted if there are answers already.

        Raises:
            SourceError: there are no answers, and the bank gives none.
        """
        now = self.client.clock.now()
        history = self.store.newest(NAME, _HISTORY)
        last = self.store.last_refresh(NAME)
        if history and last and last.at <= now < last.at + self._pause_after(last):
            return
        problems = [self._refresh_history(history, now), self._refresh_newest(now)]
        self.store.note_refresh(NAME, Refresh(now, "; ".join(filter(None, problems))))

    def problem(self) -> str:
        """Say why the last refresh failed; empty if it did not."""
        last = self.store.last_refresh(NAME)
        if last is None or not last.problem:
            return ""
        return f"the bank was asked at {last.at:%Y-%m-%d %H:%M} UTC in vain: {last.problem}"

    def current(self) -> tuple[ResponseRecord, ...]:
        """Return the records of the answers that count: the newest zip, then newer days.

        Raises:
            SourceError: there are none.
        """
        history = self.store.newest(NAME, _HISTORY)
        if history is None:
            raise SourceError(
                "there are no rates yet",
                where=str(self.store.folder),
                expected="an answer of the bank",
                found="nothing",
                hint="check the network",
            )
        newest = self.store.accepted(NAME, _NEWEST, history.at - _OVERLAP)
        # The last answer of each content, in order.
        distinct = {record.sha256: record for record in newest}
        return (history, *sorted(distinct.values(), key=lambda record: record.id))

    def merge(self, used: tuple[ResponseRecord, ...]) -> MergedRates:
        """Merge the rates that answers give.

        Args:
            used: records of the answers, as from :meth:`current`.

        Raises:
            SourceError: an answer is damaged.
        """
        return _merge(self.store, used, self.options.currencies)

    def _pause_after(self, last: Refresh) -> timedelta:
        after = self.options.refresh_after
        return min(after, _AFTER_FAILURE) if last.problem else after

    def _refresh_history(self, history: ResponseRecord | None, now: datetime) -> str:
        """Ask for the zip if it is old, and return why that failed."""
        if history and history.at <= now < history.at + _HISTORY_EVERY:
            return ""

        def check(answer: Answer) -> None:
            rates = parse_history(answer.body, answer.url)
            require_currencies(rates, self.options.currencies, answer.url)

        request = Request(_HISTORY, self.options.url, Kind.ZIP)
        try:
            self.client.fetch(request, check)
        except SourceError as error:
            if history is None:
                raise
            return _on_one_line(error)
        return ""

    def _refresh_newest(self, now: datetime) -> str:
        """Ask for the days after the zip, and return why that failed."""
        first = max(_history_of(self.store, self.current()[0])) + timedelta(days=1)
        if first > now.date():
            return ""
        request = Request(
            _NEWEST,
            f"{self.options.api_url}/D.{'+'.join(self.options.currencies)}.EUR.SP00.A",
            Kind.CSV,
            {"startPeriod": str(first), "format": "csvdata", "detail": "dataonly"},
            empty_is_nothing=True,
        )
        try:
            self.client.fetch(request, lambda answer: parse_newest(answer.text, answer.url))
        except SourceError as error:
            return _on_one_line(error)
        return ""


def _on_one_line(error: SourceError) -> str:
    return f"{error.problem} ({error.found}, at {error.where})"


@lru_cache(maxsize=2)
def _history_of(store: ResponseStore, record: ResponseRecord) -> Rates:
    return parse_history(store.read(record), record.url)


@lru_cache(maxsize=2)
def _merge(
    store: ResponseStore, used: tuple[ResponseRecord, ...], currencies: tuple[str, ...]
) -> MergedRates:
    """Join the history with the newer days; of a day in several answers the last one counts."""
    rates = dict(_history_of(store, used[0]))
    require_currencies(rates, currencies, used[0].url)
    whole_until = max(rates)
    for record in used[1:]:
        newer = parse_newest(store.read(record).decode("utf-8-sig"), record.url)
        rates |= {day: cells for day, cells in newer.items() if day > whole_until}
    waiting = ""
    newest = sorted(day for day in rates if day >= whole_until)
    while len(newest) > 1 and (lack := _find_lack(rates, newest, currencies)):
        day = newest.pop()
        del rates[day]
        waiting = f"the rates of {day} lack {', '.join(lack)}"
    return MergedRates(rates, waiting)


def _find_lack(rates: Rates, days: list[date], currencies: tuple[str, ...]) -> list[str]:
    """Return the currencies that the last of some days lacks, and the day before it has."""
    before, last = rates[days[-2]], rates[days[-1]]
    return [
        c for c in currencies if last.get(c, "") in MISSING and before.get(c, "") not in MISSING
    ]
