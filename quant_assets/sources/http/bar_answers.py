"""What a vendor of bars answered: asking again for symbols that are old, and the bars that follow.

Each symbol is asked for by itself, and counts as soon as it came: a stop in the middle goes on
where it ended. The whole history is asked for once a week, the last days in between.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from filelock import FileLock, Timeout

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.bar_options import BarOptions
from quant_assets.sources.http.bars import Bars, join_bars
from quant_assets.sources.http.client import Asker, HttpClient
from quant_assets.sources.http.readings import (
    Failure,
    Reading,
    ReadingStore,
    Recorder,
    Replay,
    SymbolReadings,
)
from quant_assets.sources.http.responses import Refresh, ResponseStore
from quant_assets.sources.http.vendor import Vendor
from quant_assets.sources.http.waiting import NoAnswerError

Note = Callable[[str], None]
"""Is called with a line about progress."""

_WHOLE_EVERY = timedelta(days=7)
_OVERLAP = timedelta(days=7)
_AFTER_FAILURE = timedelta(minutes=10)
# A sensor's tick, which has 60 seconds, reads the source several times.
_HASTE, _PAUSE_OF_HASTE = timedelta(seconds=10), timedelta(seconds=45)
_NOTE_EVERY_S = 2.0
_WAIT_FOR_OTHERS_S = 3600.0


@dataclass(frozen=True)
class BarAnswers:
    """The kept bars of a vendor.

    Attributes:
        vendor: the vendor.
        options: the symbols, and where the vendor is asked.
        client: asks it.
        store: keeps its answers.
    """

    vendor: Vendor
    options: BarOptions
    # Clients do not change what answers mean: sources of one process share what they parsed.
    client: HttpClient = field(compare=False)
    store: ResponseStore

    def refresh(self) -> None:
        """Ask for some seconds for symbols that are old; the next calls go on with the others.

        Nothing is asked for some minutes after the vendor did not answer. Failures are kept.

        Raises:
            SourceError: nothing can be kept.
        """
        now = self.client.clock.now()
        last = self.store.last_refresh(self.vendor.name)
        if last and last.at <= now < last.at + self._pause_after(last):
            return
        if not self._list_due(now):
            return
        self.client.limits = self.vendor.hasty_limits
        with self._alone(0.0) as alone:
            if alone:
                self._ask(now + _HASTE, lambda _: None)

    def complete(self, note: Note) -> None:
        """Ask for all symbols that are old, however long it takes, also those that failed.

        Args:
            note: is called with the progress every two seconds.

        Raises:
            SourceError: nothing can be kept, or another process asks for more than an hour.
        """
        self.client.limits = self.vendor.limits
        with self._alone(_WAIT_FOR_OTHERS_S) as alone:
            if not alone:
                raise SourceError(
                    "another process is asking the vendor",
                    where=str(self.store.folder),
                    hint="what it keeps counts here as well; try again when it has ended",
                )
            self._ask(None, note)

    def current(self) -> tuple[SymbolReadings, ...]:
        """Return what is kept of each symbol that is asked for, in the order of the options.

        Readings that another address or feed gave, or that begin later, do not count.

        Raises:
            SourceError: it cannot be read.
        """
        kept = self._readings.read_all()
        none = SymbolReadings()
        return tuple(
            own if self._fits(own := kept.get(symbol, none)) else none
            for symbol in self.options.symbols
        )

    def problems(self) -> dict[str, str]:
        """Return why the newest readings failed, by symbol; under no name that of the vendor."""
        problems = {name: each.problem for name, each in self._readings.read_failures().items()}
        last = self.store.last_refresh(self.vendor.name)
        if last and last.problem:
            problems[""] = f"asked at {last.at:%Y-%m-%d %H:%M} UTC in vain: {last.problem}"
        return problems

    def read_bars(self, readings: SymbolReadings) -> Bars | None:
        """Return the bars of a symbol; None if nothing is kept.

        Args:
            readings: what is kept of the symbol.

        Raises:
            SourceError: a kept answer is damaged.
        """
        if readings.whole is None:
            return None
        bars = self._replay(readings.whole)
        if readings.newest is None:
            return bars
        return join_bars(bars, self._replay(readings.newest), readings.newest.start)

    @property
    def _readings(self) -> ReadingStore:
        return ReadingStore(self.vendor.name, self.store)

    def _fits(self, readings: SymbolReadings) -> bool:
        whole, newest = readings.whole, readings.newest or readings.whole
        if whole is None or newest is None or whole.start > self.options.first_day:
            return False
        return whole.asked_for == newest.asked_for == self.options.asked_for

    def _pause_after(self, last: Refresh) -> timedelta:
        return _AFTER_FAILURE if last.problem else _PAUSE_OF_HASTE

    @contextmanager
    def _alone(self, wait_s: float) -> Iterator[bool]:
        """Yield whether no other process asks the vendor, and keep others from it meanwhile."""
        lock = FileLock(self.store.folder / "asking.lock")
        with self.store.index.explain():
            self.store.folder.mkdir(parents=True, exist_ok=True)
            with suppress(Timeout):
                lock.acquire(wait_s)
        try:
            yield lock.is_locked
        finally:
            lock.release()

    def _list_due(self, now: datetime, *, also_failed: bool = False) -> list[int]:
        """Return the places of symbols whose bars are old, those without bars first."""
        failures = {} if also_failed else self._readings.read_failures()
        due = []
        for place, readings in enumerate(self.current()):
            symbol, at = self.options.symbols[place], readings.at
            failure = failures.get(symbol)
            if failure and failure.at <= now < failure.at + _AFTER_FAILURE:
                continue
            if at and self.options.is_complete(symbol, self.vendor.finished_day(at)):
                continue
            if at is None or not at <= now < at + self.options.refresh_after:
                due.append((at is not None, place))
        return [place for _, place in sorted(due)]

    def _ask(self, until: datetime | None, note: Note) -> None:
        """Ask for the symbols that are old, until a moment or to the end."""
        clock = self.client.clock
        # Another process may have asked meanwhile.
        due = self._list_due(clock.now(), also_failed=until is None)
        current, problem, noted = self.current(), "", clock.monotonic()
        for done, place in enumerate(due):
            if until and clock.now() >= until:
                break
            if clock.monotonic() - noted >= _NOTE_EVERY_S:
                noted = clock.monotonic()
                note(f"{self.vendor.name}: {done} of {len(due)} symbols read")
            symbol = self.options.symbols[place]
            try:
                self._read_symbol(symbol, current[place])
            except NoAnswerError as error:
                problem = _on_one_line(error)
                break
            except SourceError as error:
                failure = Failure(clock.now(), _on_one_line(error))
                self._readings.keep_failure(symbol, failure)
        self.store.note_refresh(self.vendor.name, Refresh(clock.now(), problem))

    def _read_symbol(self, symbol: str, readings: SymbolReadings) -> None:
        """Ask for a symbol, and keep the reading.

        Raises:
            SourceError: the vendor does not answer, or gives no bars.
        """
        whole, now = readings.whole, self.client.clock.now()
        is_whole = whole is None or not whole.at <= now < whole.at + _WHOLE_EVERY
        start = self.options.first_day
        if whole and not is_whole:
            newest = self._replay(whole).days[-1].item()
            start = max(start, newest - _OVERLAP)
        recorder = Recorder(self.client)
        bars = self._read(recorder, symbol, start)
        if not len(bars.days):
            raise SourceError(
                "a vendor has no bars of a symbol",
                where=self.options.url,
                expected=f"bars of {symbol} from {start} on",
                found="none",
                hint="check the symbol; `symbols` gives the vendor's names of instruments",
            )
        first: date = bars.days[0].item()
        if is_whole and whole and first > self._replay(whole).days[0].item() + _OVERLAP:
            # Some plans have the last years only: what they no longer give stays as it was read.
            is_whole, start = False, first
        asked_for, pages = self.options.asked_for, tuple(recorder.pages)
        reading = Reading(symbol, asked_for, start, recorder.clock.now(), pages)
        self._readings.keep(reading, is_whole=is_whole)

    def _replay(self, reading: Reading) -> Bars:
        return self._read(Replay(reading, self.store), reading.symbol, reading.start)

    def _read(self, asker: Asker, symbol: str, start: date) -> Bars:
        options, vendor = self.options, self.vendor
        feed: Mapping[str, str] = {"feed": options.feed} if options.feed else {}
        end = vendor.finished_day(asker.clock.now())
        return vendor.read(asker, symbol, start, end, options.url, **feed)


def _on_one_line(error: SourceError) -> str:
    return f"{error.problem} ({error.found}, at {error.where})"
