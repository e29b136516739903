"""The history of price files: their series, their days, and how many closes each day has.

Counting closes belongs in ``long_history`` and ``wide_history``, the calendar in ``source``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.market.description.market import MarketDescription
from quant_assets.sources.files.layout import FileGroup, NamedColumn, read_groups
from quant_assets.sources.files.long_history import count_long
from quant_assets.sources.files.market_series import MarketSeries
from quant_assets.sources.files.queries import find_file, open_connection
from quant_assets.sources.files.series import name_series, select_described
from quant_assets.sources.files.wide_history import count_wide


@dataclass(frozen=True)
class Request:
    """What is read of a folder.

    Attributes:
        place: a folder of price files, or one file.
        columns: columns by our names for them.
        leave_out: names of files that hold no prices.
        market: the description of the market.
    """

    place: Path
    columns: tuple[tuple[str, NamedColumn], ...]
    leave_out: tuple[str, ...]
    market: MarketDescription


@dataclass(frozen=True)
class PriceHistory:
    """The history of price files, without the prices.

    Attributes:
        groups: the files.
        day_texts: of each group, its days by how it writes them.
        named: instruments and series.
        days: (n,) days on which a described instrument has a row, ascending.
        closes: (n,) number of closes of described instruments on each day.
    """

    groups: tuple[FileGroup, ...]
    day_texts: tuple[dict[str, date], ...]
    named: MarketSeries
    days: DayArray
    closes: IntArray

    def place_of(self, day: date) -> str:
        """Return a file that has a row of a day."""
        with open_connection() as connection:
            for group, texts in zip(self.groups, self.day_texts, strict=True):
                written = [text for text, parsed in texts.items() if parsed == day]
                for text in written:
                    if file := find_file(connection, group, text):
                        return file
        return str(self.groups[0].paths[0].parent)


@lru_cache(maxsize=4)
def read_history(request: Request, _: str) -> PriceHistory:
    """Read the history of a folder, and keep it until the folder has another look.

    Args:
        request: what is read.

    Raises:
        SourceError: the files cannot be read as a whole.
        MarketError: the options or the description do not fit the files.
    """
    groups = read_groups(request.place, dict(request.columns), request.leave_out)
    _refuse_numbers(groups)
    named = name_series(groups, request.market)
    described = select_described(groups, named.symbols)
    with open_connection() as connection:
        if groups[0].layout == "wide":
            texts, counts = count_wide(connection, groups, named)
        else:
            texts, counts = count_long(connection, described, named, groups)
    return PriceHistory(described, tuple(texts), named, counts.days, counts.closes)


def _refuse_numbers(groups: Sequence[FileGroup]) -> None:
    for group in groups:
        if group.numbered:
            raise SourceError(
                "a price file has numbers in place of dates",
                where=group.where,
                expected="a column of dates",
                found=f"the column {group.header.names[group.day]!r}",
            )
