"""Joining the prices of several sources, cell by cell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray, FloatArray, IntArray
from quant_assets.market.instruments import SeriesList
from quant_assets.sources.deliveries import Action, JoinedPrices, PriceTable, UnreadCell


@dataclass(frozen=True)
class Layer:
    """The prices of one source, before they are joined.

    Attributes:
        name: name of the source.
        covers: (c,) which of the joined series the source covers.
        table: its prices of some days and series.
    """

    name: str
    covers: BoolArray
    table: PriceTable

    def lay_out(self, days: DayArray, series: SeriesList) -> FloatArray:
        """Return the source's values of n days and c series.

        Returns an array of shape (n, c); NaN where the source has no number or does not cover the
        series.
        """
        rows, columns = self._find_places(days, series)
        values = np.full((len(days), len(series)), np.nan)
        inside, known = rows >= 0, columns >= 0
        values[np.ix_(rows[inside], columns[known])] = self.table.values[np.ix_(inside, known)]
        return values

    def list_unread(self, days: DayArray, series: SeriesList) -> Iterator[tuple[int, int, str]]:
        """Yield row, column and text of each covered cell that holds text instead of a number."""
        rows, columns = self._find_places(days, series)
        by_name = self.table.series.by_column
        for cell in self.table.unread:
            row, column = int(rows[cell.row]), int(columns[by_name[cell.column]])
            if row >= 0 and column >= 0:
                yield row, column, cell.text

    def list_actions(self, days: DayArray) -> Iterator[Action]:
        """Yield splits and dividends of the n days, by their rows."""
        rows = _find_rows(self.table.days, days)
        for action in self.table.actions:
            if rows[action.row] >= 0:
                yield replace(action, row=int(rows[action.row]))

    def _find_places(self, days: DayArray, series: SeriesList) -> tuple[IntArray, IntArray]:
        """Return row and column of the table's rows and columns; -1 where there is none."""
        at = {each: i for i, each in enumerate(series.series) if self.covers[i]}
        columns = np.array([at.get(each, -1) for each in self.table.series.series], dtype=np.int64)
        return _find_rows(self.table.days, days), columns


def join_layers(
    layers: Sequence[Layer], days: DayArray, date_ids: IntArray, series: SeriesList
) -> JoinedPrices:
    """Join prices: each cell has the number of the first source that has one.

    A cell without a number has the text of the first source that has text. Splits and dividends are
    those of the source of the close.

    Args:
        layers: the sources in order of priority; each series is covered by one of them.
        days: (n,) days of the result.
        date_ids: (n,) their numbers.
        series: the c series of the result.
    """
    shape = len(days), len(series)
    values = np.full(shape, np.nan)
    places = np.empty(shape, dtype=np.int8)
    firsts = np.array([layer.covers for layer in layers]).argmax(axis=0)
    places[:] = firsts
    for place, layer in enumerate(layers):
        own = layer.lay_out(days, series)
        taken = np.isnan(values) & ~np.isnan(own)
        values[taken], places[taken] = own[taken], place
    texts: dict[tuple[int, int], str] = {}
    for place, layer in enumerate(layers):
        for row, column, text in layer.list_unread(days, series):
            if np.isnan(values[row, column]) and (row, column) not in texts:
                texts[row, column], places[row, column] = text, place
    unread = [
        UnreadCell(row, series.columns[column], text) for (row, column), text in texts.items()
    ]
    actions = [
        action
        for place, layer in enumerate(layers)
        for action in layer.list_actions(days)
        if places[action.row, series.close_of[action.instrument]] == place
    ]
    names = tuple(layer.name for layer in layers)
    kept = {"names": names, "firsts": firsts, "places": places}
    return JoinedPrices(days, date_ids, series, values, unread, actions, **kept)


def _find_rows(own: DayArray, days: DayArray) -> IntArray:
    """Return the row of each own day among ascending days; -1 where they lack it."""
    at = np.searchsorted(days, own)
    inside = at < len(days)
    inside[inside] = days[at[inside]] == own[inside]
    return np.where(inside, at, -1)
