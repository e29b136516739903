"""The instruments of a market and their series, as price files have them.

How columns and symbols of files are named belongs in ``series`` and ``wide_series``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.listings import SymbolSpan, list_symbols
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.instruments import FIELDS, InstrumentSeries, SeriesList
from quant_assets.sources.files.layout import FileGroup


@dataclass(frozen=True)
class ColumnPlace:
    """Days on which a column of wide files holds a series.

    Attributes:
        series: position of the series.
        first: first day.
        last: last day.
    """

    series: int
    first: date = date.min
    last: date = date.max

    @property
    def is_whole(self) -> bool:
        """Whether the column holds the series on all days."""
        return self.first == date.min and self.last == date.max


@dataclass(frozen=True)
class MarketSeries:
    """The instruments of a market and their series.

    Attributes:
        instruments: the instruments.
        series: their series; the columns are names of the files' columns if these are wide.
        symbols: the days on which each symbol means which instrument.
        columns: the series of each column of wide files, by its name.
    """

    instruments: tuple[Instrument, ...]
    series: SeriesList
    symbols: tuple[SymbolSpan, ...] = ()
    columns: Mapping[str, tuple[ColumnPlace, ...]] = field(default_factory=dict)

    @property
    def by_day(self) -> bool:
        """Whether a symbol does not mean one instrument on all days."""
        return not all(span.is_whole for span in self.symbols)


def list_described(instruments: Iterable[Instrument]) -> list[InstrumentSeries]:
    """List the series of instruments, fields in the order of ``FIELDS``."""
    return [
        InstrumentSeries(instrument.name, field)
        for instrument in instruments
        for field in FIELDS
        if field in instrument.fields
    ]


def collect_series(
    market: MarketDescription,
    instruments: Sequence[Instrument],
    by_column: dict[str, InstrumentSeries],
) -> MarketSeries:
    """Return instruments and series.

    Args:
        market: the description of the market.
        instruments: the instruments.
        by_column: the series by their names.

    Raises:
        MarketError: an instrument has no group.
    """
    groups = {instrument.name: market.group_of(instrument.name) for instrument in instruments}
    series = SeriesList(
        tuple(by_column),
        tuple(by_column.values()),
        tuple(groups[each.instrument] for each in by_column.values()),
        market.all_groups,
    )
    return MarketSeries(tuple(instruments), series, list_symbols(instruments))


def folder_of(groups: Sequence[FileGroup]) -> str:
    """Return the one file of groups, or their folder."""
    return groups[0].where if len(groups) == 1 else str(groups[0].paths[0].parent)
