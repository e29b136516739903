"""Reading prices as arrays, and converting prices and targets to rows."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.readers.actions import read_actions
from quant_assets.lake.readers.arrays import (
    day_blocks,
    day_positions,
    repeat_days,
    tile_units,
    unit_positions,
)
from quant_assets.lake.readers.cell_sources import name_sources
from quant_assets.lake.readers.series import read_groups, read_series
from quant_assets.lake.schemas.price_tables import RAW_PRICES, RAW_TARGET_PAIRS, VALIDATED_PRICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import FIELDS, SeriesList
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.deliveries import PriceTable, UnreadCell


def series_keys(days: DayArray, date_ids: IntArray, series: SeriesList) -> dict[str, Any]:
    """Return the key columns for a row per day and series, in the order of an (n, c) array.

    Args:
        days: (n,) trading days.
        date_ids: (n,) the source's numbers of the days.
        series: the c series.
    """
    return {
        "trading_day": repeat_days(days, len(series)),
        "date_id": repeat_days(date_ids, len(series)),
        "instrument": tile_units([s.instrument for s in series.series], len(days)),
        "field": tile_units([s.field for s in series.series], len(days)),
    }


def raw_rows(table: PriceTable, source: str) -> dict[str, Any]:
    """Convert a source's prices to rows of ``raw.prices``."""
    unread = np.full(table.values.shape, None, dtype=object)
    for cell in table.unread:
        unread[cell.row, table.series.by_column[cell.column]] = cell.text
    return {
        **series_keys(table.days, table.date_ids, table.series),
        "value": table.values.ravel(),
        "source": name_sources(table, source),
        "unread": unread.ravel(),
    }


def pairs_rows(pairs: TargetPairs) -> dict[str, Any]:
    """Convert the targets to rows of ``raw.target_pairs``."""
    return {
        "target": list(pairs.targets),
        "position": np.arange(len(pairs.targets)),
        "lag": pairs.lags,
        "leg_a": list(pairs.leg_a),
        "leg_b": list(pairs.leg_b),
    }


def read_pairs(lake: Lake) -> TargetPairs:
    """Read the targets, in submission order.

    Raises:
        LakeError: no targets are stored.
    """
    return lake.once_a_snapshot("target pairs", partial(_read_pairs, lake))


def _read_pairs(lake: Lake) -> TargetPairs:
    # A lake of an earlier version has no positions, and the numbers of targets in their names.
    given = lake.has(RAW_TARGET_PAIRS) and lake.has_column(RAW_TARGET_PAIRS, "position")
    order = "position" if given else "regexp_extract(target, '[0-9]+$')::BIGINT"
    rows = lake.arrow(f"FROM {RAW_TARGET_PAIRS.quoted} ORDER BY {order}", needs=RAW_TARGET_PAIRS)
    return TargetPairs(
        tuple(rows["target"].to_pylist()),
        rows["lag"].to_numpy(),
        tuple(rows["leg_a"].to_pylist()),
        tuple(rows["leg_b"].to_pylist()),
    )


def read_raw(lake: Lake, start: date, end: date, series: SeriesList | None = None) -> PriceTable:
    """Read the prices of a range of days as the source gave them, with splits and dividends.

    Args:
        lake: the lake.
        start: first day.
        end: last day.
        series: the series to read, in this order; all series by default.

    Raises:
        LakeError: no prices are stored.
    """
    rows = _rows(lake, RAW_PRICES.quoted, "value, unread", start, end, series)
    days, date_ids = _days(rows)
    series = read_series(lake) if series is None else series
    values = np.full((len(days), len(series)), np.nan)
    row, column = _positions(rows, days, series)
    values[row, column] = rows["value"].to_numpy()
    unread = rows["unread"].combine_chunks()
    cells = tuple(
        UnreadCell(int(row[i]), series.columns[column[i]], unread[i].as_py())
        for i in np.flatnonzero(unread.is_valid().to_numpy(zero_copy_only=False))
    )
    return PriceTable(days, date_ids, series, values, cells, read_actions(lake, days, series))


def read_panel(
    lake: Lake,
    value: str,
    start: date,
    end: date,
    table: Table = VALIDATED_PRICES,
    *,
    fields: Sequence[str] = FIELDS,
) -> PricePanel:
    """Read the price panel of a range of days.

    Args:
        lake: the lake.
        value: column to read: ``value`` with observed prices, for labels; ``filled`` with prices
            carried forward, for features.
        start: first day.
        end: last day.
        table: the prices table; ``raw.prices`` has prices before cleaning, in ``value`` only.
        fields: fields to read; the panel lacks the others.

    Raises:
        LakeError: no prices are stored.
    """
    days, date_ids = read_numbered_days(lake, table, start, end)
    # The shape of a panel does not depend on its days.
    series = read_series(lake)
    instruments = tuple(sorted(series.group_of))
    names = [field for field in FIELDS if field in series.fields and field in fields]
    cube = np.full((len(names), len(days), len(instruments)), np.nan)
    for part in day_blocks(len(days), len(names) * len(instruments)):
        some = days[part]
        rows = lake.arrow(
            f'SELECT trading_day, instrument, field, "{value}" FROM {table.quoted}'
            " WHERE trading_day BETWEEN ? AND ? AND list_contains(?, field)",
            [some[0].item(), some[-1].item(), names],
        )
        cube[
            unit_positions(rows["field"], names),
            day_positions(rows["trading_day"].to_numpy(), days),
            unit_positions(rows["instrument"], instruments),
        ] = rows[value].to_numpy()
    groups = read_groups(lake, instruments)
    values = dict(zip(names, cube, strict=True))
    return PricePanel(days, date_ids, instruments, groups, series.all_groups, values)


def read_numbered_days(
    lake: Lake, table: Table, start: date, end: date
) -> tuple[DayArray, IntArray]:
    """Read the (n,) days of a prices table in a range, ascending, and their (n,) numbers."""
    needs = RAW_PRICES if table.name == RAW_PRICES.name else VALIDATED_PRICES
    return _days(
        lake.arrow(
            f"SELECT DISTINCT trading_day, date_id FROM {table.quoted}"
            " WHERE trading_day BETWEEN ? AND ? ORDER BY ALL",
            [start, end],
            needs=needs,
        )
    )


def _rows(
    lake: Lake,
    table: str,
    values: str,
    start: date,
    end: date,
    series: SeriesList | None = None,
) -> pa.Table:
    needs = RAW_PRICES if table == RAW_PRICES.quoted else VALIDATED_PRICES
    wanted = " AND list_contains(?, instrument || ' ' || field)" if series else ""
    names = [f"{s.instrument} {s.field}" for s in (series.series if series else ())]
    return lake.arrow(
        f"SELECT trading_day, date_id, instrument, field, {values} FROM {table}"
        f" WHERE trading_day BETWEEN ? AND ?{wanted}",
        [start, end, names] if series else [start, end],
        needs=needs,
    )


def _days(rows: pa.Table) -> tuple[DayArray, IntArray]:
    days, first = np.unique(rows["trading_day"].to_numpy(), return_index=True)
    return days.astype("datetime64[D]"), rows["date_id"].to_numpy()[first]


def _positions(rows: pa.Table, days: DayArray, wanted: SeriesList) -> tuple[IntArray, IntArray]:
    series = pc.binary_join_element_wise(rows["instrument"], rows["field"], "\t")
    names = [f"{s.instrument}\t{s.field}" for s in wanted.series]
    return day_positions(rows["trading_day"].to_numpy(), days), unit_positions(series, names)


def find_history_start(lake: Lake, table: Table, start: date, rows: int) -> date:
    """Return the day that lies a number of trading days before ``start``.

    Returns the first day of the table if it has fewer days before ``start``, and ``start`` if it
    has none.

    Args:
        lake: the lake.
        table: the table whose days count.
        start: first day after the history.
        rows: number of days of the history.
    """
    if rows == 0 or not lake.has(table):
        return start
    earlier = lake.columns(
        f"SELECT DISTINCT trading_day FROM {table.quoted} WHERE trading_day < ?"
        " ORDER BY trading_day DESC LIMIT ?",
        [start, rows],
    )["trading_day"]
    return earlier[-1].astype("datetime64[D]").item() if len(earlier) else start
