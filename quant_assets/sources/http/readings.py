"""Readings of symbols: which kept answers of a vendor hold the bars of a symbol.

A reading is stored when all its pages are there, so that a stop in the middle loses one symbol.
The same reader that asked the vendor parses kept pages again, as at the moment of asking.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.client import Asker, Check
from quant_assets.sources.http.requests import Answer, Request
from quant_assets.sources.http.responses import ResponseStore
from quant_assets.sources.http.waiting import WaitingClock


@dataclass(frozen=True)
class Page:
    """A kept answer.

    Attributes:
        url: the address that was asked, without credentials.
        sha256: digest of the body, which names its file.
    """

    url: str
    sha256: str


@dataclass(frozen=True)
class Reading:
    """A reading of a symbol from a day until its moment.

    Attributes:
        symbol: the vendor's name of the instrument.
        asked_for: what bars mean: the address, and a feed if the vendor has feeds.
        start: first day that was asked for.
        at: moment of asking, UTC.
        pages: the answers, in order.
    """

    symbol: str
    asked_for: str
    start: date
    at: datetime
    pages: tuple[Page, ...]


@dataclass(frozen=True)
class Failure:
    """The newest reading of a symbol that failed, after its readings that succeeded.

    Attributes:
        at: its moment, UTC.
        problem: why it failed, in a line.
    """

    at: datetime
    problem: str


@dataclass(frozen=True)
class SymbolReadings:
    """What is kept of a symbol.

    Attributes:
        whole: the newest reading of the whole history; None if there is none.
        newest: the newest reading of the last days after it; None if there is none.
    """

    whole: Reading | None = None
    newest: Reading | None = None

    @property
    def at(self) -> datetime | None:
        """Moment of the newest reading, UTC; None without one."""
        last = self.newest or self.whole
        return last.at if last else None


@dataclass(frozen=True)
class ReadingStore:
    """The readings of a source, in the index of its answers.

    Attributes:
        source: name of the source.
        answers: the kept answers.
    """

    source: str
    answers: ResponseStore

    def keep(self, reading: Reading, *, is_whole: bool) -> None:
        """Keep a reading instead of the last of its kind; a whole one ends that of newest days.

        Raises:
            SourceError: it cannot be written.
        """
        pages = json.dumps([[page.url, page.sha256] for page in reading.pages])
        own = (self.source, reading.symbol)
        row = (*own, is_whole, reading.asked_for, str(reading.start), reading.at.isoformat(), pages)
        with self.answers.index.write() as index:
            if is_whole:
                index.execute("DELETE FROM readings WHERE source = ? AND symbol = ?", own)
            index.execute("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            index.execute("DELETE FROM failures WHERE source = ? AND symbol = ?", own)

    def keep_failure(self, symbol: str, failure: Failure) -> None:
        """Keep that a reading of a symbol failed.

        Raises:
            SourceError: it cannot be written.
        """
        row = (self.source, symbol, failure.at.isoformat(), failure.problem)
        with self.answers.index.write() as index:
            index.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", row)

    def read_all(self) -> dict[str, SymbolReadings]:
        """Return what is kept, by symbol.

        Raises:
            SourceError: it cannot be read.
        """
        rows = self.answers.index.query(
            "SELECT symbol, is_whole, asked_for, start, at, pages FROM readings WHERE source = ?",
            (self.source,),
        )
        kept: dict[str, SymbolReadings] = {}
        for symbol, is_whole, asked_for, start, at, pages in rows:
            reading = Reading(
                symbol,
                asked_for,
                date.fromisoformat(start),
                datetime.fromisoformat(at),
                tuple(Page(*page) for page in json.loads(pages)),
            )
            own = kept.get(symbol, SymbolReadings())
            kept[symbol] = replace(own, **{"whole" if is_whole else "newest": reading})
        return kept

    def read_failures(self) -> Mapping[str, Failure]:
        """Return the failures, by symbol.

        Raises:
            SourceError: they cannot be read.
        """
        rows = self.answers.index.query(
            "SELECT symbol, at, problem FROM failures WHERE source = ?", (self.source,)
        )
        return {row[0]: Failure(datetime.fromisoformat(row[1]), row[2]) for row in rows}


class Recorder:
    """Asks a vendor through a client, and remembers which pages came.

    Args:
        client: asks the vendor.
    """

    def __init__(self, client: Asker) -> None:
        self.pages: list[Page] = []
        self.clock = MomentClock(client.clock.now())
        self._client = client

    def fetch(self, request: Request, check: Check | None = None) -> Answer:
        """Return the vendor's answer."""
        answer = self._client.fetch(request, check)
        self.pages.append(Page(answer.url, sha256(answer.body).hexdigest()))
        return answer


class Replay:
    """Gives the kept pages of a reading in order, whatever is asked for.

    Args:
        reading: the reading.
        answers: the kept answers.
    """

    def __init__(self, reading: Reading, answers: ResponseStore) -> None:
        self.clock = MomentClock(reading.at)
        self._reading = reading
        self._pages = iter(reading.pages)
        self._answers = answers

    def fetch(self, request: Request, check: Check | None = None) -> Answer:
        """Return the next page.

        Raises:
            SourceError: there is none, or it is damaged.
        """
        page = next(self._pages, None)
        if page is None:
            raise SourceError(
                "kept answers of a vendor do not fit together",
                where=request.address,
                expected=f"a page after {len(self._reading.pages)} kept pages",
                found="none",
                hint=f"delete the folder {self._answers.folder}: its answers are asked for again",
            )
        body = self._answers.read_body(page.sha256)
        return Answer(page.url, self._reading.at, 200, "", body)


class MomentClock(WaitingClock):
    """A clock that stands at the moment of asking, so that a bar is finished or not for good.

    Args:
        moment: the moment, UTC.
    """

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        """Return the moment."""
        return self._moment
