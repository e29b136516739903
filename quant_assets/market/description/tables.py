"""The key ``tables``: tables of observations that models see beside prices, and how to read them.

Reading their rows belongs in ``sources.tables``.
"""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeAlias

from quant_assets.market.description.values import Value, quote

DATE, SYMBOL, KNOWN_AT, FIELD, VALUE = "date", "symbol", "known_at", "field", "value"
WHOLE_MARKET = ""
"""Name in place of an instrument's where a value is about the whole market."""
_COLUMNS = (DATE, SYMBOL, KNOWN_AT, FIELD, VALUE)
_LAG, _MAX_AGE, _FIELDS, _OTHERS = "release_lag_days", "max_age_days", "fields", "other_symbols"
_REFUSE, _SKIP = "refuse", "skip"
_LIMITS = (_LAG, _MAX_AGE)
_PLACES = ("file", "fred", "eia")
_NAME = r"[A-Za-z0-9_.-]{1,60}"


@dataclass(frozen=True)
class TableFile:
    """A file beside the description.

    Attributes:
        file: its path from the folder of the description.
        columns: names of its columns, by our names for them.
        fields: names of the fields in the file, in the order of the table's fields.
        skip_other_symbols: whether rows of symbols that are no instruments are left out; otherwise
            they are refused.
    """

    file: str
    columns: tuple[tuple[str, str], ...]
    fields: tuple[str, ...]
    skip_other_symbols: bool = False

    def column(self, name: str) -> str | None:
        """Return the file's name of a column; None if the table has no such column."""
        return dict(self.columns).get(name)


@dataclass(frozen=True)
class TableSeries:
    """Series of a vendor.

    Attributes:
        vendor: ``fred`` or ``eia``.
        url: address to ask instead of the vendor's own; None for the vendor's own.
        route: where the series are at the EIA; None for the default.
    """

    vendor: str
    url: str | None = None
    route: str | None = None


TablePlace: TypeAlias = TableFile | TableSeries


@dataclass(frozen=True)
class TableRule:
    """A table of observations, as a description names it.

    Attributes:
        name: name of the table.
        place: where its rows are.
        fields: names of its fields, which are columns of a file or series of a vendor.
        by_instrument: whether a row is about an instrument; otherwise about the whole market.
        release_lag_days: calendar days after its date from which a value is known; None if each row
            says when it was known.
        max_age_days: age from its date, in calendar days, above which a value counts as missing;
            None for no limit.
        where: file, line and key, for errors.
    """

    name: str
    place: TablePlace
    fields: tuple[str, ...]
    by_instrument: bool = False
    release_lag_days: int | None = None
    max_age_days: int | None = None
    where: str = field(default="", compare=False)

    @property
    def reading(self) -> str:
        """Digest of what decides the rows besides the name of the file and the list of fields.

        Rows that were stored with another digest do not count: with other columns or another lag,
        the next load takes the table's word anew.
        """
        place = self.place.columns if isinstance(self.place, TableFile) else self.place
        text = repr((place, self.by_instrument, self.release_lag_days))
        return sha256(text.encode()).hexdigest()[:12]


def read_tables(value: Value) -> tuple[TableRule, ...]:
    """Read the key ``tables``: a map from the names of tables to where and how to read them.

    Raises:
        MarketError: a key or a value is wrong, or a table does not say when its values are known.
    """
    return tuple(_read_table(name, table) for name, table in value.entries().items())


def _read_table(name: str, value: Value) -> TableRule:
    _require_name(name, value, "the name of a table")
    kind = value.alternative(_PLACES)
    own = ("columns", _FIELDS, _OTHERS) if kind == "file" else ()
    entries = value.record((kind, *own, *_LIMITS), (_FIELDS,) if own else ())
    lag = entries[_LAG].whole_number(0) if _LAG in entries else None
    max_age = entries[_MAX_AGE].whole_number(1) if _MAX_AGE in entries else None
    place: TablePlace
    if kind == "file":
        fields = _read_names(entries[_FIELDS])
        place = TableFile(
            entries["file"].text(),
            _read_columns(entries["columns"]) if "columns" in entries else ((DATE, DATE),),
            tuple(fields.values()),
            _OTHERS in entries
            and entries[_OTHERS].choice("way with other symbols", (_REFUSE, _SKIP)) == _SKIP,
        )
        _check_columns(place, value)
        _check_knowledge(value, lag, place.column(KNOWN_AT))
        by_instrument = place.column(SYMBOL) is not None
    else:
        place, fields = _read_series(kind, entries[kind])
        if kind == "eia":
            _check_knowledge(value, lag, None)
        by_instrument = False
    return TableRule(name, place, tuple(fields), by_instrument, lag, max_age, value.where)


def _read_columns(value: Value) -> tuple[tuple[str, str], ...]:
    columns = {ours: item.text() for ours, item in value.record(_COLUMNS).items()}
    return tuple(({DATE: DATE} | columns).items())


def _check_columns(place: TableFile, value: Value) -> None:
    """Check that every column has one meaning, and that ``field`` and ``value`` come together."""
    columns = dict(place.columns)
    if (FIELD in columns) != (VALUE in columns):
        raise value.error(
            "a long table has two columns for its values",
            expected="`field` and `value` under `columns`, or neither of them",
            found=FIELD if FIELD in columns else VALUE,
        )
    names = [*columns.values(), *(() if FIELD in columns else place.fields)]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise value.error(
            "a column has two meanings", expected="every column once", found=quote(repeated)
        )


def _check_knowledge(value: Value, lag: int | None, known_at: str | None) -> None:
    if lag is None and known_at is None:
        raise value.error(
            "nothing says when values are known",
            expected="`release_lag_days: 1`, or `known_at` under `columns`",
            found=", ".join(value.entries()),
        )
    if lag is not None and known_at is not None:
        raise value.error(
            "two keys say when values are known",
            expected="`release_lag_days`, or `known_at` under `columns`",
            found=f"a lag of {lag} days, and the column {quote(known_at)}",
        )


def _read_names(value: Value) -> dict[str, str]:
    """Read names: a list, or a map from our names to those of the file. Returns such a map."""
    if isinstance(value.content, dict):
        named = [(ours, item, item.text()) for ours, item in value.content.items()]
    else:
        named = [(item.text(), item, item.text()) for item in value.items()]
    names: dict[str, str] = {}
    for ours, item, theirs in named:
        _require_name(ours, item, "the name of a field")
        if ours in names:
            raise item.error("a field is named twice", expected="every field once")
        names[ours] = theirs
    return names


def _read_series(kind: str, value: Value) -> tuple[TableSeries, dict[str, str]]:
    allowed = ("series", "url", *(("route",) if kind == "eia" else ()))
    entries = value.record(allowed, ("series",))
    url, route = (entries[key].text() if key in entries else None for key in ("url", "route"))
    fields = _read_names(entries["series"])
    if other := next((theirs for ours, theirs in fields.items() if ours != theirs), None):
        raise entries["series"].error("not a list", expected=f"a list, such as [{other}]")
    return TableSeries(kind, url, route), fields


def _require_name(name: str, value: Value, what: str) -> None:
    if not re.fullmatch(_NAME, name):
        raise value.error(
            f"not {what}",
            expected="at most 60 letters, digits, points, hyphens and underscores",
            found=quote(name),
            hint="`fields: {name: column}` gives a column another name",
        )
