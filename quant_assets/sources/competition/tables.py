"""Checks of the columns of the competition's price files.

``sources.competition.days`` dates the rows, and ``sources.competition.files`` parses the numbers.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from quant_assets.core.errors import UnknownNameError
from quant_assets.market.instruments import FIELDS, InstrumentSeries, column_name, parse_column
from quant_assets.sources.competition.file_errors import (
    file_error,
    list_names,
    quote,
    suggest_names,
)
from quant_assets.sources.competition.file_state import until_changed
from quant_assets.sources.competition.files import ID, read_header_with_id

_NOT_SERIES = (ID, "is_scored")
_FX = re.compile(r"FX_[A-Z]{6}")


@until_changed(4)
def read_series_names(path: Path) -> tuple[str, ...]:
    """Read the names of a price file's series, in the order of its columns.

    Raises:
        SourceError: a column does not follow the competition's naming of series.
    """
    columns = tuple(name for name in read_header_with_id(path) if name not in _NOT_SERIES)
    unknown = next((name for name in columns if not _is_series(name)), None)
    if unknown is not None or not columns:
        raise file_error(
            "unknown column",
            path,
            line=1,
            column=unknown,
            expected="LME_<metal>_Close, JPX_<contract>_Futures_<field>, "
            "US_Stock_<ticker>_adj_<field> or FX_<pair>",
            found=quote(unknown) if unknown else "no series",
            hint=_hint_at_name(unknown or "", columns),
        )
    return columns


def _hint_at_name(unknown: str, columns: Sequence[str]) -> str:
    if unknown.startswith("Unnamed:"):
        return "remove the row numbers; pandas leaves them out with to_csv(index=False)"
    return suggest_names(unknown, _absent_series(columns), "remove or rename it")


def _is_series(column: str) -> bool:
    try:
        parse_column(column)
    except UnknownNameError:
        return False
    return not column.startswith("FX_") or _FX.fullmatch(column) is not None


def _absent_series(columns: Sequence[str]) -> list[str]:
    """List the series that the instruments of the columns could have but are not columns."""
    possible = set()
    for name in filter(_is_series, columns):
        for field in FIELDS:
            try:
                possible.add(column_name(InstrumentSeries(parse_column(name).instrument, field)))
            except UnknownNameError:
                continue
    return sorted(possible - set(columns))


def check_same_series(path: Path, columns: Sequence[str]) -> None:
    """Refuse a price file whose series differ from ``columns``; their order does not matter.

    Raises:
        SourceError: a series is missing, or there is a further one.
    """
    other = read_series_names(path)
    known, found = frozenset(columns), frozenset(other)
    extra = [name for name in other if name not in known]
    missing = [name for name in columns if name not in found]
    if extra or missing:
        raise file_error(
            "the series are not those of train.csv",
            path,
            line=1,
            column=(missing or extra)[0],
            expected=f"{len(columns)} series" + (f" with {list_names(missing)}" if missing else ""),
            found=f"{len(other)} series" + (f" with {list_names(extra)}" if extra else ""),
            hint="both files must have the same series: if one was renamed, rename it in both",
        )
