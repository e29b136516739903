"""Reading the rows of a table from a file: a column per field, or a column of fields' names.

Moments: a day without a time counts as known at the close of the next calendar day. A time without
a zone is in the zone of the calendar; midnight without a zone is a day without a time.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from quant_assets.core.errors import SourceError, suggest_names
from quant_assets.market.description.moments import known_after, to_utc
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.market.description.tables import (
    DATE,
    FIELD,
    KNOWN_AT,
    SYMBOL,
    VALUE,
    WHOLE_MARKET,
    TableFile,
    TableRule,
)
from quant_assets.market.description.values import list_names, quote
from quant_assets.sources.tables.file_cells import read_cells
from quant_assets.sources.tables.rows import TableRows, build_rows


def read_file(
    rule: TableRule,
    place: TableFile,
    folder: Path,
    calendar: MarketCalendar,
    instruments: Collection[str] | None,
) -> TableRows:
    """Read the rows of a table from its file.

    Args:
        rule: the table.
        place: where its rows are, ``rule.place``.
        folder: the folder of the description.
        calendar: the market's calendar.
        instruments: names of the market's instruments; None if they are not known.

    Raises:
        SourceError: the file cannot be read, a column is missing, a cell is not what its column
            says, a symbol is unknown, or :func:`build_rows` refuses the rows.
    """
    file = folder / place.file
    long = place.column(FIELD) is not None
    named = dict(place.columns)
    of_values = [named[VALUE]] if long else place.fields
    texts = [theirs for ours, theirs in named.items() if ours != VALUE]
    cells = read_cells(file, texts, of_values)
    if place.skip_other_symbols and SYMBOL in named and instruments is not None:
        cells = cells[cells[named[SYMBOL]].isin(instruments)]
    keys = pd.DataFrame(
        {
            "instrument": _read_symbols(cells, named, file, instruments),
            "observed_on": _map(cells[named[DATE]], file, _parse_day),
        }
    )
    keys["known_at"] = _read_moments(cells, keys, rule, named, file, calendar)
    if long:
        values = keys.assign(field=cells[named[FIELD]], value=cells[named[VALUE]])
        names = dict(zip(place.fields, rule.fields, strict=True))
        _require_fields(values["field"], names, file)
        values = values[values["field"].isin(list(names))]
        values["field"] = values["field"].map(names)
    else:
        values = pd.concat(
            keys.assign(field=ours, value=cells[theirs])
            for ours, theirs in zip(rule.fields, place.fields, strict=True)
        )
    return build_rows(values, place.file, str(file))


def _read_symbols(
    cells: pd.DataFrame,
    named: Mapping[str, str],
    file: Path,
    instruments: Collection[str] | None,
) -> Any:
    if SYMBOL not in named:
        return WHOLE_MARKET
    symbols = cells[named[SYMBOL]].where(cells[named[SYMBOL]].notna(), "")
    known = set(symbols if instruments is None else instruments)
    unknown = list(dict.fromkeys(symbols[~symbols.isin(known) | (symbols == "")]))
    if unknown:
        raise SourceError(
            "a table has an unknown symbol",
            where=f"{file}, column {quote(named[SYMBOL])}",
            expected=f"instruments of the market, such as {list_names(sorted(known)[:3])}",
            found=f"{quote(unknown[0])}, the first of {len(unknown)}",
            hint=suggest_names(unknown[0], known, "`other_symbols: skip` leaves such rows out"),
        )
    return symbols


def _read_moments(
    cells: pd.DataFrame,
    keys: pd.DataFrame,
    rule: TableRule,
    named: Mapping[str, str],
    file: Path,
    calendar: MarketCalendar,
) -> pd.Series:
    """Return the moment from which each row was known, in UTC."""
    if KNOWN_AT not in named:
        lag = rule.release_lag_days or 0
        days = keys["observed_on"]
        moments = {day: known_after(calendar, day.date(), lag) for day in days.unique()}
        return days.map(moments)
    texts = cells[named[KNOWN_AT]]
    parsed = {text: _parse_moment(text) for text in texts.unique()}
    _require_moments(parsed, texts, file)
    zone = ZoneInfo(calendar.completion.zone)

    def convert(moment: date | datetime) -> np.datetime64:
        if not isinstance(moment, datetime):
            return known_after(calendar, moment, 1)
        return to_utc(moment if moment.tzinfo else moment.replace(tzinfo=zone))

    return texts.map({text: convert(moment) for text, moment in parsed.items() if moment})


def _require_moments(
    parsed: Mapping[str, date | datetime | None], texts: pd.Series, file: Path
) -> None:
    """Check that every cell is a day or a time, and that all times have a zone, or none has."""
    where = f"{file}, column {quote(str(texts.name))}"
    for text, moment in parsed.items():
        if moment is None:
            raise SourceError(
                "a cell is neither a day nor a time",
                where=f"{where}, row {int(np.flatnonzero(texts.isin([text]))[0]) + 1}",
                expected="2026-01-02, 2026-01-02 16:30 or 2026-01-02T16:30:00Z",
                found="nothing" if text is None else quote(str(text)),
            )
    with_zone = next((t for t, m in parsed.items() if isinstance(m, datetime) and m.tzinfo), None)
    without = next((t for t, m in parsed.items() if not getattr(m, "tzinfo", None)), None)
    if with_zone is not None and without is not None:
        raise SourceError(
            "some times have a zone and others have none",
            where=where,
            expected="a zone in every cell, or in none",
            found=f"{quote(with_zone)} and {quote(without)}",
        )


def _require_fields(found: pd.Series, names: Mapping[str, str], file: Path) -> None:
    present = set(found.dropna())
    for name in names:
        if name not in present:
            raise SourceError(
                "a table has no row of a field",
                where=f"{file}, column {quote(str(found.name))}",
                expected=quote(name),
                found=list_names(sorted(present)),
                hint=suggest_names(name, present),
            )


def _map(cells: pd.Series, file: Path, parse: Any) -> pd.Series:
    """Parse every different cell once."""
    parsed = {text: parse(text) for text in cells.unique()}
    for text, value in parsed.items():
        if value is None:
            row = int(np.flatnonzero(cells.isin([text]))[0]) + 1
            raise SourceError(
                "a cell is not a day",
                where=f"{file}, row {row}, column {quote(str(cells.name))}",
                expected="2026-01-02",
                found="nothing" if text is None else quote(str(text)),
            )
    return cells.map(parsed).astype("datetime64[us]")


def _parse_day(text: str | None) -> np.datetime64 | None:
    """Parse a day, which may be written as its midnight."""
    moment = _parse_moment(text)
    if isinstance(moment, datetime):
        moment = moment.date() if moment.time() == time() else None
    return None if moment is None else np.datetime64(moment, "us")


def _parse_moment(text: str | None) -> date | datetime | None:
    """Parse a day or a time; midnight without a zone is a day."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return moment.date() if moment.tzinfo is None and moment.time() == time() else moment
