"""Reading a table that a description names, wherever its rows are."""

import hashlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.tables import TableFile, TableRule
from quant_assets.sources.tables.files import read_file
from quant_assets.sources.tables.rows import TableRows

if TYPE_CHECKING:
    from quant_assets.sources.http.responses import ResponseRecord


def digest_files(market: MarketDescription) -> list[str]:
    """Return a digest of each table's file; none of tables that are missing or a vendor's."""
    digests = []
    for rule in market.tables:
        if isinstance(rule.place, TableFile):
            with suppress(OSError), (market.file.parent / rule.place.file).open("rb") as file:
                digests.append(f"{rule.name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
    return digests


def read_table(
    rule: TableRule,
    market: MarketDescription,
    folder: Path,
    instruments: Collection[str] | None = None,
) -> TableRows:
    """Read all rows of a table, whatever their days.

    Args:
        rule: the table.
        market: its market.
        folder: a folder in which answers of vendors may be kept.
        instruments: names of the market's instruments; None if they are not known.

    Raises:
        SourceError: the table cannot be read, or its rows contradict each other.
        SettingsError: a vendor's key is missing.
    """
    if isinstance(rule.place, TableFile):
        return read_file(rule, rule.place, market.file.parent, market.calendar, instruments)
    # A client of vendors takes long to import, and few tables need one.
    from quant_assets.sources.tables.vendors import read_vendor

    return read_vendor(rule, rule.place, folder, market.calendar)


def list_responses(market: MarketDescription, folder: Path) -> "list[ResponseRecord]":
    """List the records of all kept answers of the vendors of a market's tables.

    Args:
        market: the market.
        folder: the folder in which answers of vendors are kept.

    Raises:
        SourceError: they cannot be read.
    """
    places = [rule.place for rule in market.tables]
    vendors = dict.fromkeys(place.vendor for place in places if not isinstance(place, TableFile))
    if not vendors:
        return []
    from quant_assets.sources.http.responses import ResponseStore

    return [record for name in vendors for record in ResponseStore(folder / name).records()]
