"""Rules that find instruments, fields and labels in the names of series.

A rule has a prefix and the suffixes of its fields: ``US_Stock_X_adj_close`` is the close of
``US_Stock_X`` by a rule with the prefix ``US_`` and the suffix ``_adj_close``. Listed instruments
belong in ``instruments``.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from quant_assets.core.errors import MarketError, UnknownNameError, unknown_name
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.times import ZonedTime
from quant_assets.market.description.values import list_names, quote
from quant_assets.market.instruments import InstrumentSeries


@dataclass(frozen=True)
class NamingRule:
    """What the names that begin with a prefix mean.

    Attributes:
        prefix: beginning of the names of series and of instruments; empty for any.
        suffixes: endings of names of series, each with its field. No ending and no field repeats.
        labels: labels of the instruments.
        closes: when their market closes.
    """

    prefix: str
    suffixes: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...] = ()
    closes: ZonedTime | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that an instrument of the rule can have."""
        return tuple(field for _, field in self.suffixes)

    def split(self, series: str) -> InstrumentSeries | None:
        """Split a name by the longest suffix; None if none leaves more than the prefix."""
        for suffix, field in sorted(self.suffixes, key=lambda pair: -len(pair[0])):
            if series.endswith(suffix) and len(series) - len(suffix) > len(self.prefix):
                return InstrumentSeries(series.removesuffix(suffix), field)
        return None


@dataclass(frozen=True)
class NamingRules:
    """Rules for names; of several prefixes that fit a name, the longest applies.

    Attributes:
        rules: the rules, each prefix once.
        where: where the rules are written, for errors.
    """

    rules: tuple[NamingRule, ...]
    where: str = dataclasses.field(default="", compare=False)

    def parse_series(self, series: str) -> InstrumentSeries:
        """Split a name by its rule, see :class:`~description.instruments.Naming`."""
        rule = self._rule("series", series)
        parsed = rule.split(series)
        if parsed is None:
            forms = [f"{rule.prefix}<name>{suffix}" for suffix, _ in rule.suffixes]
            raise unknown_name("series", series, forms)
        return parsed

    def series_name(self, series: InstrumentSeries) -> str:
        """Join instrument and suffix, see :class:`~description.instruments.Naming`."""
        rule = self._rule("instrument", series.instrument)
        for suffix, field in rule.suffixes:
            if field == series.field:
                return series.instrument + suffix
        raise unknown_name("field", series.field, list(rule.fields))

    def instrument(self, name: str) -> Instrument:
        """Return the instrument of a name, with all fields that it can have."""
        rule = self._rule("instrument", name)
        return Instrument(name, rule.labels, rule.fields, rule.closes)

    def instruments(self, series: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return the instruments of some series, each with the fields that are among these.

        Raises:
            UnknownNameError: the name of a series fits no rule.
            MarketError: no series are given, or an instrument has no close.
        """
        if series is None:
            raise MarketError(
                "the instruments are found in the names of series, and none are given",
                where=self.where,
                hint="`quant-assets market check --data` reads them from the data",
            )
        fields: dict[str, list[str]] = {}
        for parsed in map(self.parse_series, series):
            fields.setdefault(parsed.instrument, []).append(parsed.field)
        return tuple(self._with_fields(name, found) for name, found in fields.items())

    def label_keys(self) -> tuple[str, ...]:
        """Return the keys of all labels."""
        return tuple(dict.fromkeys(key for rule in self.rules for key, _ in rule.labels))

    def _with_fields(self, name: str, found: Sequence[str]) -> Instrument:
        rule = self._rule("instrument", name)
        if "close" not in found:
            raise MarketError(
                "an instrument has no close",
                where=self.where,
                expected=f"a series {self.series_name(InstrumentSeries(name, 'close'))}",
                found=f"{quote(name)} with {list_names(found)}",
            )
        fields = tuple(field for field in rule.fields if field in found)
        return Instrument(name, rule.labels, fields, rule.closes)

    def _rule(self, kind: str, name: str) -> NamingRule:
        fitting = [rule for rule in self.rules if name.startswith(rule.prefix)]
        if not fitting or not name:
            raise self._unknown(kind, name)
        return max(fitting, key=lambda rule: len(rule.prefix))

    def _unknown(self, kind: str, name: str) -> UnknownNameError:
        return unknown_name(kind, name, [f"{rule.prefix}..." for rule in self.rules])
