"""Names of series: a competition column's instrument and field, and an instrument's market.

No prices and no files belong here, only names.

A *series* is one column, such as ``US_Stock_CVX_adj_close``. It is one *field* (``close``) of one
*instrument* (``US_Stock_CVX``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quant_assets.core.errors import unknown_name
from quant_assets.core.typing import AnyArray, BoolArray

MARKETS = ("LME", "JPX", "US", "FX")
FIELDS = ("open", "high", "low", "close", "volume", "open_interest", "settlement")
PRICE_FIELDS = ("open", "high", "low", "close", "settlement")

_SUFFIXES = {
    "LME": {"_Close": "close"},
    "JPX": {
        "_Open": "open",
        "_High": "high",
        "_Low": "low",
        "_Close": "close",
        "_Volume": "volume",
        "_settlement_price": "settlement",
        "_open_interest": "open_interest",
    },
    "US": {
        "_adj_open": "open",
        "_adj_high": "high",
        "_adj_low": "low",
        "_adj_close": "close",
        "_adj_volume": "volume",
    },
    "FX": {"": "close"},
}


ALL = "all"
"""Name that stands for all instruments: the one group of a market without groups."""


@dataclass(frozen=True)
class Group:
    """A group of instruments, such as those of a market or of a sector.

    Attributes:
        name: name of the group.
        leader: the group whose move of a day this group follows on the next; None without one.
        closing_order: groups with a lower number close earlier in the day, and so cannot react to
            this group's close on the same day.
    """

    name: str
    leader: str | None = None
    closing_order: int = 0


@dataclass(frozen=True, order=True)
class InstrumentSeries:
    """A series: one field of one instrument."""

    instrument: str
    field: str


@dataclass(frozen=True)
class SeriesList:
    """The c series of a market, in a fixed order.

    Attributes:
        columns: names of the series in the source.
        series: their instruments and fields.
        groups: name of the group of each series' instrument, such as its market.
        all_groups: the groups, in the market's order; some may have no series.
    """

    columns: tuple[str, ...]
    series: tuple[InstrumentSeries, ...]
    groups: tuple[str, ...]
    all_groups: tuple[Group, ...]

    def __len__(self) -> int:
        return len(self.columns)

    @cached_property
    def fields(self) -> AnyArray:
        """(c,) field of each series."""
        return np.array([each.field for each in self.series], dtype=object)

    @property
    def is_close(self) -> BoolArray:
        """(c,) which series are closes."""
        result: BoolArray = self.fields == "close"
        return result

    @cached_property
    def by_column(self) -> dict[str, int]:
        """Position of each series by its name in the source."""
        return {name: i for i, name in enumerate(self.columns)}

    @cached_property
    def group_of(self) -> dict[str, str]:
        """Group of each instrument."""
        names = [each.instrument for each in self.series]
        return dict(zip(names, self.groups, strict=True))

    @cached_property
    def close_of(self) -> dict[str, int]:
        """Position of the close of each instrument that has one."""
        return {each.instrument: i for i, each in enumerate(self.series) if each.field == "close"}

    @property
    def rows(self) -> frozenset[tuple[InstrumentSeries, str, str]]:
        """Each series with its name in the source and its group, whatever the order."""
        return frozenset(zip(self.series, self.columns, self.groups, strict=True))

    def column_of(self, series: InstrumentSeries) -> str:
        """Return the name of a series in the source; the series itself as text if it has none."""
        return self._columns.get(series, f"{series.instrument} {series.field}")

    def select(self, columns: Sequence[str]) -> "SeriesList":
        """Return the series of some columns, in their order.

        Raises:
            KeyError: a column is not among the series.
        """
        at = [self.by_column[name] for name in columns]
        return SeriesList(
            tuple(columns),
            tuple(self.series[i] for i in at),
            tuple(self.groups[i] for i in at),
            self.all_groups,
        )

    @cached_property
    def _columns(self) -> dict[InstrumentSeries, str]:
        return dict(zip(self.series, self.columns, strict=True))


COMPETITION_GROUPS = (
    Group("LME", leader="US", closing_order=1),
    Group("JPX", leader="US", closing_order=0),
    Group("US", closing_order=2),
    Group("FX", closing_order=3),
)
"""The competition's markets: New York closes last of the exchanges, so London and Tokyo follow."""


def list_groups(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct groups in the order in which they first appear.

    >>> list_groups(["LME", "US", "LME"])
    ('LME', 'US')
    """
    return tuple(dict.fromkeys(groups))


def closing_orders(groups: Sequence[str], all_groups: Sequence[Group]) -> tuple[int, ...]:
    """Return the closing order of each instrument's group.

    >>> closing_orders(["US", "JPX"], COMPETITION_GROUPS)
    (2, 0)

    Args:
        groups: name of the group of each instrument.
        all_groups: the groups.
    """
    order = {group.name: group.closing_order for group in all_groups}
    return tuple(order[name] for name in groups)


def list_competition_series(columns: Sequence[str]) -> SeriesList:
    """Name the series of competition columns; the group of an instrument is its market.

    Raises:
        UnknownNameError: a column does not follow the naming of any market.
    """
    series = tuple(map(parse_column, columns))
    groups = tuple(map(market_of, columns))
    return SeriesList(tuple(columns), series, groups, COMPETITION_GROUPS)


def market_of(instrument: str) -> str:
    """Return the market of an instrument or column: LME, JPX, US or FX.

    >>> market_of("US_Stock_CVX")
    'US'

    Raises:
        UnknownNameError: the name has no known market prefix.
    """
    market = instrument.split("_", 1)[0]
    if market not in MARKETS:
        raise unknown_name("market", instrument, list(MARKETS))
    return market


def parse_column(column: str) -> InstrumentSeries:
    """Split a competition column into instrument and field.

    >>> parse_column("US_Stock_CVX_adj_close")
    InstrumentSeries(instrument='US_Stock_CVX', field='close')

    Raises:
        UnknownNameError: the column does not follow the naming of any market.
    """
    for suffix, field in _SUFFIXES[market_of(column)].items():
        if column.endswith(suffix) and len(column) > len(suffix):
            return InstrumentSeries(column.removesuffix(suffix), field)
    raise unknown_name("series", column, [f"<instrument>{s}" for s in _SUFFIXES[market_of(column)]])


def column_name(series: InstrumentSeries) -> str:
    """Return the competition column of a series; the inverse of :func:`parse_column`.

    Raises:
        UnknownNameError: the market has no such field.
    """
    for suffix, field in _SUFFIXES[market_of(series.instrument)].items():
        if field == series.field:
            return series.instrument + suffix
    raise unknown_name("field", series.field, list(FIELDS))
