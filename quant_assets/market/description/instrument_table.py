"""Reading instruments from a CSV table beside the description.

By default the column ``name`` names the instruments, ``fields``, ``close_time`` and ``zone`` say
what they are named for, and every other column is a label. Columns of listings are read only if
the description names them. Lists in YAML belong in ``instrument_reading``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quant_assets.core.errors import MarketError, suggest_names
from quant_assets.market.description.csv_table import Row, Table, read_table
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.listing_reading import (
    LISTING_KEYS,
    read_listing_row,
    require_own_symbols,
)
from quant_assets.market.description.times import ZonedTime, read_time, read_zone
from quant_assets.market.description.values import Value, fault_of_name, list_names, quote
from quant_assets.market.instruments import FIELDS

_COLUMNS = ("name", "fields", "close_time", "zone")


@dataclass(frozen=True)
class _Columns:
    """Names of the columns of a table; those of labels and listings by their keys."""

    name: str
    fields: str | None
    close_time: str | None
    zone: str | None
    labels: Mapping[str, str]
    listings: Mapping[str, str]


def read_instrument_table(
    place: Value, columns: Value | None, folder: Path, base: Instrument
) -> list[Instrument]:
    """Read the instruments of a table, in its order.

    Args:
        place: names the file, as seen from the folder.
        columns: which columns hold what; None for the default.
        folder: folder of the description.
        base: has what the table does not say.

    Raises:
        MarketError: the table cannot be read, lacks a column, or a cell cannot be used.
    """
    table = read_table(folder / place.text())
    mapped = _default_columns(place, table) if columns is None else _map_columns(columns, table)
    listed: dict[str, Instrument] = {}
    places: dict[str, Value] = {}
    for row in table.rows:
        name = row.cells[mapped.name]
        if fault := fault_of_name(name):
            raise row.error("not a name of an instrument", mapped.name, expected=fault)
        if name in listed:
            raise row.error(
                "two instruments have one name",
                mapped.name,
                expected="every name once",
                found=f"{quote(name)} on line {places[name].line} and on line {row.line}",
            )
        listed[name] = _read_row(row, mapped, base)
        places[name] = Value(row.file, row.line, mapped.name, name)
    require_own_symbols(list(listed.values()), places)
    return list(listed.values())


def _default_columns(place: Value, table: Table) -> _Columns:
    if "name" not in table.columns:
        raise _missing_column(place, table, "name", "name it under `columns`, as `name: symbol`")
    fields, close_time, zone = (n if n in table.columns else None for n in _COLUMNS[1:])
    labels = {name: name for name in table.columns if name not in _COLUMNS}
    return _Columns("name", fields, close_time, zone, labels, {})


def _map_columns(value: Value, table: Table) -> _Columns:
    entries = value.record((*_COLUMNS, *LISTING_KEYS, "labels"), ("name",))
    named: dict[str, str | None] = dict.fromkeys(_COLUMNS)
    for key in _COLUMNS:
        if key in entries:
            named[key] = _existing_column(entries[key], table)
    labels = entries["labels"].entries() if "labels" in entries else {}
    mapped = {key: _existing_column(column, table) for key, column in labels.items()}
    listings = {
        key: _existing_column(entries[key], table) for key in LISTING_KEYS if key in entries
    }
    own = named["fields"], named["close_time"], named["zone"]
    return _Columns(str(named["name"]), *own, mapped, listings)


def _existing_column(value: Value, table: Table) -> str:
    if value.text() not in table.columns:
        raise _missing_column(value, table, value.text())
    return value.text()


def _missing_column(value: Value, table: Table, name: str, hint: str | None = None) -> MarketError:
    return value.error(
        f"the table {table.file.name} lacks a column",
        expected=f"one of its columns: {list_names(table.columns)}",
        found=quote(name),
        hint=suggest_names(name, table.columns, hint),
    )


def _read_row(row: Row, columns: _Columns, base: Instrument) -> Instrument:
    labels = dict(base.labels)
    for key, column in columns.labels.items():
        if not row.cells[column]:
            continue
        if fault := fault_of_name(row.cells[column]):
            raise row.error("not a label", column, expected=fault)
        labels[key] = row.cells[column]
    return Instrument(
        row.cells[columns.name],
        tuple(labels.items()),
        _read_fields(row, columns.fields) or base.fields,
        _read_closes(row, columns) or base.closes,
        read_listing_row(row, columns.listings, row.cells[columns.name]),
    )


def _read_fields(row: Row, column: str | None) -> tuple[str, ...]:
    if column is None or not row.cells[column]:
        return ()
    given = row.cells[column].split()
    for field in given:
        if field not in FIELDS:
            raise row.error(
                "unknown field",
                column,
                expected=f"some of {', '.join(FIELDS)}, separated by spaces",
                found=quote(field),
                hint=suggest_names(field, FIELDS),
            )
    if "close" not in given:
        raise row.error("an instrument has no close", column, expected="close among its fields")
    return tuple(field for field in FIELDS if field in given)


def _read_closes(row: Row, columns: _Columns) -> ZonedTime | None:
    cells = [
        Value(row.file, row.line, column, row.cells[column])
        for column in (columns.close_time, columns.zone)
        if column is not None
    ]
    if not any(cell.content for cell in cells):
        return None
    if len(cells) < 2:
        raise cells[0].error("a close needs a time and a zone", expected="a column for each")
    return ZonedTime(read_time(cells[0]), read_zone(cells[1]))
