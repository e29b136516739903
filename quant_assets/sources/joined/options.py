"""The list of several sources in ``market.yaml``: their order, and what each of them covers.

Opening the sources and joining their prices belong in ``source``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quant_assets.core.errors import suggest_names
from quant_assets.core.typing import BoolArray
from quant_assets.market.description.instruments import Instrument, ListedInstruments
from quant_assets.market.description.market import MarketDescription, SourceChoice
from quant_assets.market.description.values import Value, list_names, place_of, quote
from quant_assets.market.instruments import FIELDS, InstrumentSeries

TOLERANCE = 0.002
"""Relative difference up to which the prices of two sources agree if the description says none."""
_KEYS = ("name", "instruments", "fields", "tolerance")
_NAME = r"[A-Za-z0-9_-]{1,60}"


@dataclass(frozen=True)
class SourceRule:
    """A source of several, as a description names it.

    Attributes:
        name: its name, which is stored with its prices.
        choice: the kind of source, with its options.
        covers: the fields that it covers, by instrument; no instrument without a field.
        tolerance: relative difference from an earlier source's price that is no disagreement.
        where: file, line and key, for errors.
    """

    name: str
    choice: SourceChoice
    covers: Mapping[str, tuple[str, ...]]
    tolerance: float
    where: str

    def restrict(self, market: MarketDescription) -> MarketDescription:
        """Return the market with the instruments and fields of the source.

        A close is always among the fields, since a source tells its days by closes.
        """
        listed = [
            replace(each, fields=tuple(f for f in each.fields if f in (*fields, "close")))
            for each in market.instruments()
            if (fields := self.covers.get(each.name))
        ]
        return replace(market, naming=ListedInstruments(tuple(listed)))

    def cover(self, series: Sequence[InstrumentSeries]) -> BoolArray:
        """Return (c,) whether the source covers each of some series."""
        covered = [each.field in self.covers.get(each.instrument, ()) for each in series]
        return np.array(covered, dtype=bool)


def read_source_rules(options: Value, market: MarketDescription) -> tuple[SourceRule, ...]:
    """Read a list of sources, the first of which comes first.

    Args:
        options: the list.
        market: the market, whose instruments are a list or a table.

    Raises:
        MarketError: a key or a value is wrong, two sources have one name, or no source covers a
            series.
    """
    items = options.items()
    if len(items) == 1:
        raise items[0].error("a list has one source", expected="two or more, or no list")
    if not isinstance(market.naming, ListedInstruments):
        raise options.error(
            "several sources need listed instruments",
            expected="`list` or `table` under `instruments`",
            found="rules for names of series",
        )
    rules = tuple(_read_rule(item, market.naming.listed) for item in items)
    names = [rule.name for rule in rules]
    for item, name in zip(items, names, strict=True):
        if names.count(name) > 1:
            raise item.error(
                "two sources have one name",
                expected="a `name` of its own for each",
                found=quote(name),
            )
    for series in list_market_series(market):
        if not any(series.field in rule.covers.get(series.instrument, ()) for rule in rules):
            raise options.error(
                "no source covers a series",
                expected="a source of every field of every instrument",
                found=f"none of {series.field} of {quote(series.instrument)}",
            )
    return rules


def list_market_series(market: MarketDescription) -> list[InstrumentSeries]:
    """Return the series of a market with listed instruments, in the order of its prices."""
    return [
        InstrumentSeries(each.name, field)
        for each in market.instruments()
        for field in FIELDS
        if field in each.fields
    ]


def _read_rule(item: Value, listed: Sequence[Instrument]) -> SourceRule:
    if isinstance(item.content, str):
        return _build_rule(item, item.name(), {}, listed)
    entries = item.entries()
    kinds = [key for key in entries if key not in _KEYS]
    if len(kinds) != 1:
        raise item.error(
            "a source of several has one kind",
            expected=f"a kind with its options; beside it {', '.join(_KEYS)}",
            found=list_names(kinds) or "none",
            hint=next(filter(None, (suggest_names(key, _KEYS) for key in kinds[1:])), None),
        )
    return _build_rule(item, kinds[0], entries, listed)


def _build_rule(
    item: Value, kind: str, entries: Mapping[str, Value], listed: Sequence[Instrument]
) -> SourceRule:
    options = entries.get(kind)
    choice = SourceChoice(kind, options if options and options.content is not None else None)
    name = entries["name"].text() if "name" in entries else kind
    if not re.fullmatch(_NAME, name):
        raise item.error(
            "not the name of a source",
            expected="at most 60 letters, digits, hyphens and underscores",
            found=quote(name),
        )
    tolerance = entries["tolerance"].number(0, 1) if "tolerance" in entries else TOLERANCE
    chosen = _choose(entries["instruments"], listed) if "instruments" in entries else listed
    fields: tuple[str, ...] = FIELDS
    if "fields" in entries:
        given = {field for each in chosen for field in each.fields}
        items = entries["fields"].items()
        fields = tuple(each.choice("field of its instruments", given) for each in items)
    covers = {each.name: tuple(f for f in each.fields if f in fields) for each in chosen}
    covers = {name: own for name, own in covers.items() if own}
    where = place_of(item.file, item.line, item.key)
    return SourceRule(name, choice, covers, tolerance, where)


def _choose(value: Value, listed: Sequence[Instrument]) -> list[Instrument]:
    """Return the instruments with some names, or with some labels."""
    if isinstance(value.content, dict):
        known = dict.fromkeys(key for each in listed for key, _ in each.labels)
        wanted = {key: each.text() for key, each in value.record(tuple(known)).items()}
        chosen = [each for each in listed if wanted.items() <= dict(each.labels).items()]
        if not chosen:
            raise value.error(
                "no instrument has these labels",
                expected="labels of instruments",
                found=", ".join(f"{key}: {text}" for key, text in wanted.items()) or "none",
            )
        return chosen
    names = {item.choice("instrument", [each.name for each in listed]) for item in value.items()}
    return [each for each in listed if each.name in names]
