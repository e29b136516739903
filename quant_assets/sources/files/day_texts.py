"""Days as files write them: dates, or times at midnight, with or without a time zone.

Which days a market has does not belong here.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date

import duckdb

from quant_assets.core.errors import SourceError
from quant_assets.market.description.values import quote
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.queries import FILE, day_column, fetch, find_file, table_of

_DAY = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2}|\d{8})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)"
    r" ?(?P<zone>Z|(?P<sign>[+-])(?P<hours>\d{2})(?::?(?P<minutes>\d{2}))?)?)?",
    re.ASCII,
)
_CLOCK_CHANGE = 60
_FORMS = "days such as 2014-01-02 or 20140102, or times at midnight such as 2014-01-02 00:00:00"
FindPlace = Callable[[str], str]


def parse_days(texts: Iterable[str], place_of: FindPlace) -> dict[str, date]:
    """Return the day of each text.

    A zone's clock may change by an hour in the course of the year; other differences mix zones.

    Args:
        texts: days as the files write them.
        place_of: returns the file of a text, for errors.

    Raises:
        SourceError: a text is no day, has a time that is not midnight, or time zones are mixed.
    """
    days: dict[str, date] = {}
    zones: dict[int | None, str] = {}
    for text in texts:
        match = _DAY.fullmatch(text.strip())
        day = _read_date(match["day"]) if match else None
        if match is None or day is None:
            raise SourceError(
                "a date cannot be read", where=place_of(text), expected=_FORMS, found=quote(text)
            )
        if match["time"] and set(match["time"]) - set("0:."):
            raise SourceError(
                "a day has a time that is not midnight",
                where=place_of(text),
                expected=_FORMS,
                found=quote(text),
                hint="write the days of the market as dates, without a time",
            )
        days[text] = day
        zones.setdefault(_offset(match), text)
    _check_zones(zones, place_of)
    return days


def parse_days_of(
    connection: duckdb.DuckDBPyConnection, group: FileGroup, texts: Iterable[str | None]
) -> dict[str, date]:
    """Return the day of each text that the files of a group have as a day; None is no text.

    Raises:
        SourceError: a row has no day, or as for :func:`parse_days`.
    """
    listed = list(texts)
    if None in listed:
        query = f"SELECT {FILE}, count(*) FROM {table_of(group)} WHERE {day_column(group)} IS NULL"
        file, count = fetch(connection, group, f"{query} GROUP BY 1 ORDER BY 1")[0]
        raise SourceError(
            "a row has no date",
            where=file,
            expected="a day in every row",
            found=f"{count:,} rows without one",
        )
    return parse_days(
        [text for text in listed if text is not None],
        lambda text: find_file(connection, group, text) or group.where,
    )


def _read_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _offset(match: re.Match[str]) -> int | None:
    """Return the minutes that a zone is ahead of UTC; None without a zone."""
    if not match["zone"]:
        return None
    minutes = int(match["hours"] or 0) * 60 + int(match["minutes"] or 0)
    return -minutes if match["sign"] == "-" else minutes


def _check_zones(zones: dict[int | None, str], place_of: FindPlace) -> None:
    offsets = sorted(offset for offset in zones if offset is not None)
    if not offsets or (None not in zones and offsets[-1] - offsets[0] <= _CLOCK_CHANGE):
        return
    first, last = zones[offsets[0]], zones[None if None in zones else offsets[-1]]
    raise SourceError(
        "the days are in different time zones",
        where=place_of(last),
        expected="days of one time zone, or without one",
        found=f"{quote(first)} and {quote(last)}",
        hint="write the days of the market as dates, without a time",
    )
