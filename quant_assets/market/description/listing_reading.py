"""Reading ``listed``, ``delisted`` and ``renamed`` of an instrument, in YAML or in a table.

What they mean belongs in ``listings``.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from quant_assets.market.description.csv_table import Row
from quant_assets.market.description.listings import (
    FormerName,
    Listed,
    Listing,
    find_shared_symbol,
)
from quant_assets.market.description.values import Value, fault_of_name, quote

LISTING_KEYS = ("listed", "delisted", "renamed")


def read_listing(entries: Mapping[str, Value], name: str) -> Listing | None:
    """Read the listing of an instrument; None if nothing is said of it.

    Args:
        entries: values by key, ``LISTING_KEYS`` and others.
        name: name of the instrument.

    Raises:
        MarketError: a day cannot be read, days contradict each other, or a former name cannot be
            used.
    """
    if not any(key in entries for key in LISTING_KEYS):
        return None
    listed = entries["listed"].day() if "listed" in entries else None
    delisted = entries["delisted"].day() if "delisted" in entries else None
    if listed and delisted and delisted < listed:
        raise entries["delisted"].error(
            "an instrument is delisted before it is listed",
            expected=f"the last day of trading, {listed} or later",
            found=str(delisted),
        )
    renamed = entries["renamed"].entries() if "renamed" in entries else {}
    return Listing(listed, delisted, _read_former_names(renamed, name, listed))


def read_listing_row(row: Row, columns: Mapping[str, str], name: str) -> Listing | None:
    """Read the listing of an instrument in a row of a table; empty cells say nothing.

    Args:
        row: the row.
        columns: the columns that the table has, by their key of ``LISTING_KEYS``.
        name: name of the instrument.

    Raises:
        MarketError: as for :func:`read_listing`.
    """
    entries = {
        key: Value(row.file, row.line, column, row.cells[column])
        for key, column in columns.items()
        if row.cells[column]
    }
    if "renamed" in entries:
        cell = entries["renamed"]
        names = dict(_split_renaming(part, cell) for part in cell.text().split(";"))
        entries["renamed"] = Value(cell.file, cell.line, cell.key, names)
    return read_listing(entries, name)


def require_own_symbols(instruments: Sequence[Listed], places: Mapping[str, Value]) -> None:
    """Check that no two instruments have one symbol on a day on which both can trade.

    Args:
        instruments: the instruments.
        places: where each is named.

    Raises:
        MarketError: two instruments do.
    """
    if not any(each.listing for each in instruments):
        return
    if shared := find_shared_symbol(instruments):
        names = sorted(shared.instruments, key=lambda name: places[name].line)
        first, last = (f"{quote(name)} on line {places[name].line}" for name in names)
        when = "from the beginning on" if shared.day == date.min else f"on {shared.day}"
        raise places[names[1]].error(
            "two instruments have one symbol on one day",
            expected="a symbol of one instrument on each day",
            found=f"{quote(shared.symbol)} {when}: {first} and {last}",
            hint="`listed`, `delisted` and `renamed` say until when an instrument had a symbol",
        )


def _split_renaming(text: str, cell: Value) -> tuple[str, Value]:
    """Split ``FB 2022-06-09`` into the former name, and the day as a value."""
    name, _, day = text.strip().rpartition(" ")
    if not name:
        raise cell.error(
            "not a former name",
            expected="a name and the first day of the next name, such as FB 2022-06-09, "
            "separated from others by a semicolon",
        )
    return name.strip(), Value(cell.file, cell.line, cell.key, day)


def _read_former_names(
    entries: Mapping[str, Value], name: str, listed: date | None
) -> tuple[FormerName, ...]:
    former = []
    for old, place in entries.items():
        if fault := fault_of_name(old):
            raise place.error("not a former name", expected=fault, found=quote(old))
        former.append(FormerName(old, place.day()))
    former.sort(key=lambda each: each.until)
    first = (listed or date.min) + timedelta(days=1)
    names = [*(each.name for each in former), name]
    for each, after in zip(former, names[1:], strict=True):
        place = entries[each.name]
        if each.until < first:
            raise place.error(
                "an instrument is renamed on a day on which it had no name yet",
                expected=f"the first day of the next name, {first} or later",
                found=str(each.until),
            )
        if each.name == after:
            raise place.error(
                "an instrument is renamed to the name that it has",
                expected=f"another name than {quote(after)}, which follows",
                found=quote(each.name),
            )
        first = each.until + timedelta(days=1)
    return tuple(former)
