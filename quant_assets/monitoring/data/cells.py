"""Read the state of each cell of the stored prices: present, observed, unusual, stale, unread."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quant_assets.core.typing import AnyArray, BoolArray, DayArray, IntArray
from quant_assets.lake.readers.arrays import day_positions, unit_positions
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.readers.universe import read_members
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import InstrumentSeries, SeriesList, list_groups


@dataclass(frozen=True)
class Cells:
    """The state of the cells of c series on n days.

    Attributes:
        days: (n,) trading days, ascending.
        date_ids: (n,) the source's numbers of the days.
        series: the c series.
        present: (n, c) whether the validated table has a row for the cell.
        observed: (n, c) whether the cell has an accepted value.
        unusual: (n, c) whether the cell is a jump that was kept as real, or was rejected.
        stale: (n, c) whether the price has been the same for long.
        unread: (n, c) whether the source gave something that is not a number.
        member: (n, c) whether the instrument is in the universe; no other cell is judged.
        listed: (n, c) whether it is in the universe, or has left because it has no prices.
    """

    days: DayArray
    date_ids: IntArray
    series: SeriesList
    present: BoolArray
    observed: BoolArray
    unusual: BoolArray
    stale: BoolArray
    unread: BoolArray
    member: BoolArray
    listed: BoolArray

    @cached_property
    def names(self) -> AnyArray:
        """(c,) names of the series in the source."""
        return np.array(self.series.columns, dtype=object)

    @cached_property
    def markets(self) -> AnyArray:
        """(c,) market of each series."""
        return np.array(self.series.groups, dtype=object)

    @property
    def is_close(self) -> BoolArray:
        """(c,) which series are closes."""
        return self.series.is_close

    @cached_property
    def by_market(self) -> Mapping[str, BoolArray]:
        """(c,) which series each market has."""
        return {name: self.markets == name for name in list_groups(self.series.groups)}

    @cached_property
    def market_index(self) -> IntArray:
        """(c,) place of each series' market in ``by_market``."""
        return np.array([list(self.by_market).index(name) for name in self.markets], np.int64)


def read_cells(lake: Lake, start: date, end: date) -> Cells:
    """Read the cells of a range of days.

    Args:
        lake: has raw and validated prices.
        start: first day.
        end: last day. Series that begin later are left out.

    Returns:
        The cells; without stored prices they have no days.

    Raises:
        LakeError: no prices have been validated.
    """
    begun = lake.query(
        f"SELECT DISTINCT instrument, field FROM {VALIDATED_PRICES.quoted}"
        " WHERE trading_day <= ? ORDER BY ALL",
        [end],
    ).itertuples(index=False)
    series = read_series(lake)
    series = series.select([series.column_of(InstrumentSeries(*row)) for row in begun])
    rows = lake.arrow(
        "SELECT trading_day, date_id, instrument || '\t' || field AS series,"
        " value IS NOT NULL AS observed,"
        " coalesce(contains(flag, 'jump') OR contains(flag, 'rejected'), FALSE) AS unusual,"
        f" coalesce(contains(flag, 'stale'), FALSE) AS stale FROM {VALIDATED_PRICES.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        [start, end],
        needs=VALIDATED_PRICES,
    )
    unread = lake.arrow(
        f"SELECT trading_day, instrument || '\t' || field AS series FROM {RAW_PRICES.quoted}"
        " WHERE unread IS NOT NULL AND trading_day BETWEEN ? AND ?",
        [start, end],
        needs=RAW_PRICES,
    )
    distinct, first = np.unique(rows["trading_day"].to_numpy(), return_index=True)
    days = distinct.astype("datetime64[D]")
    instruments = list(series.group_of)
    members, listed = (read_members(lake, days, instruments, silent=s) for s in (False, True))
    place = {name: i for i, name in enumerate(instruments)}
    of_series = [place[each.instrument] for each in series.series]
    return Cells(
        days,
        rows["date_id"].to_numpy()[first],
        series,
        present=_mark_cells(rows, days, series),
        observed=_mark_cells(rows.filter(rows["observed"]), days, series),
        unusual=_mark_cells(rows.filter(rows["unusual"]), days, series),
        stale=_mark_cells(rows.filter(rows["stale"]), days, series),
        unread=_mark_cells(
            unread.filter(pc.is_in(unread["trading_day"], rows["trading_day"])), days, series
        ),
        member=members[:, of_series],
        listed=listed[:, of_series],
    )


def _mark_cells(rows: pa.Table, days: DayArray, series: SeriesList) -> BoolArray:
    """(n, c) whether a cell has a row in ``rows``."""
    marked = np.zeros((len(days), len(series)), dtype=np.bool_)
    names = [f"{name.instrument}\t{name.field}" for name in series.series]
    if rows.num_rows:
        day = day_positions(rows["trading_day"].to_numpy(), days)
        marked[day, unit_positions(rows["series"], names)] = True
    return marked
