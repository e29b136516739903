"""Euro reference rates as the European Central Bank writes them: a zip, and SDMX as CSV.

A rate is the price of one euro in a currency. Asking for the files belongs in ``ecb``.
"""

import zipfile
import zlib
from collections.abc import Iterable, Mapping
from datetime import date
from io import BytesIO

from quant_assets.core.errors import SourceError, suggest_names
from quant_assets.sources.http.csv_rows import parse_day, read_csv_rows, require_columns

MISSING = frozenset({"", "N/A", "NaN"})
_MOST_BYTES = 128 * 1024 * 1024

Rates = dict[date, dict[str, str]]
"""The cells of each day by currency, as text."""


def parse_history(body: bytes, where: str) -> Rates:
    """Parse the zip of the whole history, a row a day and a column a currency.

    Args:
        body: the zip file.
        where: its address, for errors.

    Raises:
        SourceError: the zip is damaged, or its file has not the known form.
    """
    header, rows = read_csv_rows(_unpack(body, where), where)
    require_columns(header, ["Date"], where)
    currencies = header[1:]
    odd = [name for name in currencies if not is_currency(name)]
    if header[0] != "Date" or odd or len(set(currencies)) != len(currencies):
        raise SourceError(
            "the columns of the history of rates are unknown",
            where=where,
            expected="Date, then one column a currency, such as USD",
            found=", ".join(header)[:200],
            hint="the file's form may have changed",
        )
    rates: Rates = {}
    for line, (text, *cells) in rows:
        place = f"{where}, line {line}"
        _add(rates, parse_day(text, place), dict(zip(currencies, cells, strict=True)), place)
    if not rates:
        raise SourceError("the history of rates has no days", where=where, expected="rows of days")
    return rates


def parse_newest(text: str, where: str) -> Rates:
    """Parse the SDMX CSV of the newest days, a row for each day and currency.

    An empty text has no days.

    Args:
        text: the file.
        where: its address, for errors.

    Raises:
        SourceError: the file has not the known form.
    """
    if not text.strip():
        return {}
    header, rows = read_csv_rows(text, where)
    names = ["CURRENCY", "CURRENCY_DENOM", "TIME_PERIOD", "OBS_VALUE"]
    at = require_columns(header, names, where)
    rates: Rates = {}
    for line, cells in rows:
        currency, base, day, value = (cells[i] for i in at)
        place = f"{where}, line {line}"
        if base != "EUR" or not is_currency(currency):
            raise SourceError(
                "a row is no euro rate",
                where=place,
                expected="CURRENCY_DENOM EUR, and a currency such as USD",
                found=f"{base!r} and {currency!r}",
            )
        _add(rates, parse_day(day, place), {currency: value}, place)
    return rates


def require_currencies(rates: Rates, currencies: Iterable[str], where: str) -> None:
    """Check that there are rates of some currencies, on any day.

    Raises:
        SourceError: there is no column of a currency.
    """
    known = {name for cells in rates.values() for name in cells}
    for currency in currencies:
        if currency not in known:
            raise SourceError(
                "a currency has no rates",
                where=where,
                expected=f"one of {', '.join(sorted(known))}",
                found=currency,
                hint=suggest_names(currency, sorted(known)),
            )


def is_currency(name: str) -> bool:
    """Return whether a text has the form of a currency's code.

    >>> is_currency("USD"), is_currency("usd")
    (True, False)
    """
    return len(name) == 3 and name.isascii() and name.isalpha() and name.isupper()


def _add(rates: Rates, day: date, cells: Mapping[str, str], where: str) -> None:
    """Add cells of a day.

    Raises:
        SourceError: the day has another rate of a currency already.
    """
    rates_of_day = rates.setdefault(day, {})
    for currency, text in cells.items():
        if rates_of_day.setdefault(currency, text) != text:
            raise SourceError(
                "a day is given twice with different rates",
                where=where,
                expected=f"one rate of {currency} on {day}",
                found=f"{rates_of_day[currency]} and {text}",
                hint="one of them may be unfinished; the source is asked again later",
            )


def _unpack(body: bytes, where: str) -> str:
    problem = ""
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            tables = [info for info in archive.infolist() if info.filename.endswith(".csv")]
            if len(tables) == 1 and tables[0].file_size <= _MOST_BYTES:
                return archive.read(tables[0]).decode("utf-8-sig")
            problem = f"{len(tables)} files that end with .csv, or too large a file"
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        problem = str(error)
    raise SourceError(
        "the history of rates cannot be unpacked",
        where=where,
        expected="a zip with one CSV file",
        found=problem,
        hint="the file may have been cut; it is asked for again later",
    )
