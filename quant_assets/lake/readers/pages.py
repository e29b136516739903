"""Pages of long tables, newest rows first. New days do not move the pages after the first one.

A page begins after the last row of the page before, whose key is the cursor.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import GenericAlias
from typing import Annotated, Any

import msgspec
import pyarrow as pa

from quant_assets.core.errors import UnknownNameError
from quant_assets.lake.schemas.table import Column, Table
from quant_assets.lake.store.lake import Lake

_Moment = Annotated[datetime, msgspec.Meta(tz=False)]


@dataclass(frozen=True)
class Listing:
    """Rows that can be read page by page.

    Attributes:
        needs: tables that the source reads; without one of them there are no rows.
        source: what follows FROM.
        columns: columns of the rows.
        newest: DATE or TIMESTAMP column by which rows are ordered, the newest first.
        key: VARCHAR columns that order the rows of one moment, ascending. With ``newest`` they
            are unique, and none is ever null.
        conditions: SQL condition of each filter, with the filter's name as its parameter, a list.
    """

    needs: tuple[Table, ...]
    source: str
    columns: tuple[Column, ...]
    newest: str
    key: tuple[str, ...]
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PageRequest:
    """What page of a listing is asked for.

    Attributes:
        start: first day; None for all.
        end: last day; None for all.
        filters: allowed values by the name of the filter; no value allows all.
        cursor: end of the page before; None for the first page.
        limit: largest number of rows.
    """

    start: date | None = None
    end: date | None = None
    filters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    cursor: str | None = None
    limit: int = 1000


@dataclass(frozen=True)
class Page:
    """Rows of a listing, and the cursor of the page after them; None on the last page."""

    rows: pa.Table
    cursor: str | None


def list_table(
    table: Table,
    newest: str,
    *key: str,
    filters: Sequence[str] = (),
    conditions: Mapping[str, str] | None = None,
) -> Listing:
    """Describe all rows of a table as a listing.

    Args:
        table: the table.
        newest: column by which rows are ordered, the newest first.
        key: columns that order the rows of one moment.
        filters: columns by which rows can be chosen.
        conditions: SQL conditions of further filters, as in a listing.
    """
    by_column = {name: f'list_contains(${name}, "{name}")' for name in filters}
    every = {**by_column, **(conditions or {})}
    return Listing((table,), table.quoted, table.columns, newest, key, every)


def read_page(lake: Lake, listing: Listing, request: PageRequest) -> Page:
    """Read one page of a listing.

    Raises:
        UnknownNameError: the cursor is not one of this listing.
        LakeError: the lake cannot be read.
    """
    parameters: dict[str, Any] = {"most": request.limit + 1}
    conditions = ["true"]
    if request.start:
        conditions.append(f"{listing.newest}::DATE >= $start")
        parameters["start"] = request.start
    if request.end:
        conditions.append(f"{listing.newest}::DATE <= $end")
        parameters["end"] = request.end
    for name, values in request.filters.items():
        if values:
            conditions.append(listing.conditions[name])
            parameters[name] = list(values)
    if request.cursor:
        key = _decode(request.cursor, listing)
        names = [f"key_{i}" for i in range(len(key))]
        parameters |= dict(zip(names, key, strict=True))
        conditions.append(_beyond(listing, names))
    if not all(lake.has(table) for table in listing.needs):
        return Page(pa.table({c.name: pa.array([], c.arrow) for c in listing.columns}), None)
    order = ", ".join([f"{listing.newest} DESC", *listing.key])
    rows = lake.arrow(
        f"SELECT {', '.join(column.name for column in listing.columns)} FROM {listing.source}"
        f" WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT $most",
        parameters,
    )
    if rows.num_rows <= request.limit:
        return Page(rows, None)
    rows = rows.slice(0, request.limit)
    last = rows.slice(request.limit - 1).to_pylist()[0]
    return Page(rows, _encode([last[name] for name in (listing.newest, *listing.key)]))


def _beyond(listing: Listing, names: Sequence[str]) -> str:
    """Return the condition of the rows after a key."""
    first, *others = (f"${name}" for name in names)
    after = f"row({', '.join(listing.key)}) > row({', '.join(others)})"
    return f"({listing.newest} < {first} OR ({listing.newest} = {first} AND {after}))"


def _encode(key: Sequence[Any]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _decode(cursor: str, listing: Listing) -> list[Any]:
    kinds = {column.name: column.type for column in listing.columns}
    moment: Any = date if kinds[listing.newest] == "DATE" else _Moment
    form = GenericAlias(tuple, (moment, *(str for _ in listing.key)))
    try:
        content = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return list(msgspec.json.decode(content, type=form))
    except (Base64Error, ValueError, msgspec.DecodeError) as error:
        raise UnknownNameError(
            "the cursor is not one of this list",
            where="query.cursor",
            expected="the member next of the page before",
            found=cursor[:80],
            hint="leave the cursor out to begin with the first page",
        ) from error
