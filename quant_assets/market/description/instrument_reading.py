"""Reading the key ``instruments``: a list, a table beside the description, or naming rules.

What instruments are belongs in ``instruments`` and ``naming_rules``.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from quant_assets.market.description.instrument_table import read_instrument_table
from quant_assets.market.description.instruments import (
    Instrument,
    ListedInstruments,
    Naming,
    find_shared_series,
)
from quant_assets.market.description.listing_reading import (
    LISTING_KEYS,
    read_listing,
    require_own_symbols,
)
from quant_assets.market.description.naming_rules import NamingRule, NamingRules
from quant_assets.market.description.times import ZonedTime, read_time, read_zone
from quant_assets.market.description.values import Value, fault_of_name, list_names, quote
from quant_assets.market.instruments import FIELDS

_FORMS = ("list", "table", "rules")
_OF_ALL = ("labels", "fields", "closes")


def read_instruments(value: Value, folder: Path) -> Naming:
    """Read the instruments of a description.

    Args:
        value: what stands under ``instruments``.
        folder: folder of the description, where its table lies.

    Raises:
        MarketError: something in it or in the table cannot be used.
    """
    form = value.alternative(_FORMS)
    if form == "rules":
        return _read_rules(value.record(("rules",))["rules"])
    if form == "table":
        entries = value.record(("table", "columns", *_OF_ALL), ("table",))
        base = _read_instrument(entries, Instrument(""))
        listed = read_instrument_table(entries["table"], entries.get("columns"), folder, base)
    else:
        entries = value.record(("list", *_OF_ALL))
        base = _read_instrument(entries, Instrument(""))
        listed = _read_list(entries["list"], base)
    if shared := find_shared_series(listed):
        raise value.error(
            "an instrument is named like a series of another",
            expected="names that do not end with a field of another instrument",
            found=f"{quote(shared[1])} beside {quote(shared[0])}",
            hint="rename one of them",
        )
    return ListedInstruments(tuple(listed))


def _read_list(value: Value, base: Instrument) -> list[Instrument]:
    listed: dict[str, Instrument] = {}
    places: dict[str, Value] = {}
    keys = ("name", *_OF_ALL, *LISTING_KEYS)
    for item in value.items():
        entries = item.record(keys, ("name",)) if _is_map(item) else {"name": item}
        place = entries["name"]
        name = place.name()
        if name in listed:
            raise place.error(
                "two instruments have one name",
                expected="every name once",
                found=f"{quote(name)} on line {places[name].line} and on line {place.line}",
                hint="remove or rename one of them",
            )
        instrument = _read_instrument(entries, base, name)
        listed[name] = replace(instrument, listing=read_listing(entries, name))
        places[name] = place
    require_own_symbols(list(listed.values()), places)
    return list(listed.values())


def _is_map(value: Value) -> bool:
    return isinstance(value.content, dict)


def _read_instrument(entries: dict[str, Value], base: Instrument, name: str = "") -> Instrument:
    """Read labels, fields and close of an instrument, or of all; ``base`` has what is not given."""
    labels = dict(base.labels)
    if "labels" in entries:
        labels |= _read_labels(entries["labels"])
    fields = _read_fields(entries["fields"]) if "fields" in entries else base.fields
    closes = _read_closes(entries["closes"]) if "closes" in entries else base.closes
    return Instrument(name, tuple(labels.items()), fields, closes)


def _read_labels(value: Value) -> dict[str, str]:
    """Read labels, which are a map of texts.

    Raises:
        MarketError: a key or a value is no name.
    """
    entries = value.entries()
    for key, label in entries.items():
        if fault := fault_of_name(key):
            raise label.error("not a key of a label", expected=fault, found=quote(key))
    return {key: label.name() for key, label in entries.items()}


def _read_fields(value: Value) -> tuple[str, ...]:
    """Read a list of fields in the order of ``FIELDS``; ``close`` must be among them.

    Raises:
        MarketError: a field is unknown, repeated, or ``close`` is missing.
    """
    given = [item.choice("field", FIELDS) for item in value.items()]
    _require_fields(value, given)
    return tuple(field for field in FIELDS if field in given)


def _require_fields(value: Value, given: Iterable[str]) -> None:
    given = list(given)
    if "close" not in given or len(set(given)) < len(given):
        raise value.error(
            "the fields cannot be used",
            expected="close, and every field once",
            found=list_names(given),
        )


def _read_closes(value: Value) -> ZonedTime:
    """Read a time and its zone.

    Raises:
        MarketError: either is missing or wrong.
    """
    entries = value.record(("time", "zone"), ("time", "zone"))
    return ZonedTime(read_time(entries["time"]), read_zone(entries["zone"]))


def _read_rules(value: Value) -> NamingRules:
    rules: dict[str, NamingRule] = {}
    lines: dict[str, int] = {}
    for item in value.items():
        entries = item.record(("prefix", "suffixes", "labels", "closes"), ("prefix", "suffixes"))
        place = entries["prefix"]
        # A rule for all names has the empty prefix "".
        prefix = "" if place.content == "" else place.text()
        if prefix in rules:
            raise place.error(
                "two rules have one prefix",
                expected="every prefix once",
                found=f"{quote(prefix)} on line {lines[prefix]} and on line {place.line}",
            )
        base = _read_instrument(entries, Instrument(""))
        suffixes = _read_suffixes(entries["suffixes"])
        rules[prefix] = NamingRule(prefix, suffixes, base.labels, base.closes)
        lines[prefix] = place.line
    return NamingRules(tuple(rules.values()), value.where)


def _read_suffixes(value: Value) -> tuple[tuple[str, str], ...]:
    suffixes = {key: item.choice("field", FIELDS) for key, item in value.entries().items()}
    _require_fields(value, suffixes.values())
    return tuple(suffixes.items())
