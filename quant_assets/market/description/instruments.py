"""Instruments of a described market: a list of them, or rules that find them in names of series.

Reading them from a file belongs in ``instrument_reading``; prices belong elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from quant_assets.core.errors import UnknownNameError, suggest_names
from quant_assets.market.description.listings import Listing
from quant_assets.market.description.times import ZonedTime
from quant_assets.market.description.values import list_names, quote
from quant_assets.market.instruments import FIELDS, InstrumentSeries


@dataclass(frozen=True)
class Instrument:
    """An instrument.

    Attributes:
        name: its name.
        labels: keys with their values, such as ``("sector", "energy")``.
        fields: the fields that it has; ``close`` is among them.
        closes: when its market closes; None if the description does not say.
        listing: when it can trade, and its former names; None if the description does not say.
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    fields: tuple[str, ...] = ("close",)
    closes: ZonedTime | None = None
    listing: Listing | None = None

    def label(self, key: str) -> str | None:
        """Return the value of a label; None if the instrument lacks it."""
        return dict(self.labels).get(key)


class Naming(Protocol):
    """How names of series and of instruments belong together."""

    def parse_series(self, series: str) -> InstrumentSeries:
        """Split the name of a series into instrument and field.

        Raises:
            UnknownNameError: the name is not that of a series.
        """

    def series_name(self, series: InstrumentSeries) -> str:
        """Return the name of a series.

        Raises:
            UnknownNameError: the instrument is unknown or lacks the field.
        """

    def instrument(self, name: str) -> Instrument:
        """Return an instrument by its name.

        Raises:
            UnknownNameError: the name is not that of an instrument.
        """

    def instruments(self, series: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return the instruments, or those of some series, in order of first appearance.

        Raises:
            UnknownNameError: the name of a series is unknown.
            MarketError: the instruments are found by names of series, and there are none.
        """

    def label_keys(self) -> tuple[str, ...]:
        """Return the keys of all labels."""


@dataclass(frozen=True)
class ListedInstruments:
    """Instruments that are listed; a series is named ``<instrument>_<field>``.

    The bare name of an instrument is read as its close.

    Attributes:
        listed: the instruments, each name once.
    """

    listed: tuple[Instrument, ...]

    @cached_property
    def _by_name(self) -> dict[str, Instrument]:
        return {instrument.name: instrument for instrument in self.listed}

    def parse_series(self, series: str) -> InstrumentSeries:
        """Split ``<instrument>_<field>``, see :class:`Naming`."""
        if series in self._by_name:
            return InstrumentSeries(series, "close")
        for field in FIELDS:
            owner = self._by_name.get(series.removesuffix(f"_{field}"))
            if owner and series.endswith(f"_{field}") and field in owner.fields:
                return InstrumentSeries(owner.name, field)
        raise _unknown("series", series, (f"{name}_close" for name in self._by_name))

    def series_name(self, series: InstrumentSeries) -> str:
        """Return ``<instrument>_<field>``, see :class:`Naming`."""
        fields = self.instrument(series.instrument).fields
        if series.field not in fields:
            raise _unknown("field", series.field, fields)
        return f"{series.instrument}_{series.field}"

    def instrument(self, name: str) -> Instrument:
        """Return an instrument, see :class:`Naming`."""
        if name not in self._by_name:
            raise _unknown("instrument", name, self._by_name)
        return self._by_name[name]

    def instruments(self, series: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return the instruments, see :class:`Naming`."""
        if series is None:
            return self.listed
        names = dict.fromkeys(self.parse_series(name).instrument for name in series)
        return tuple(self._by_name[name] for name in names)

    def label_keys(self) -> tuple[str, ...]:
        """Return the keys of all labels."""
        return tuple(dict.fromkeys(key for one in self.listed for key, _ in one.labels))


def find_shared_series(listed: Iterable[Instrument]) -> tuple[str, str] | None:
    """Find two instruments, of which one is named like a series of the other; else None.

    >>> find_shared_series([Instrument("X", (), ("close",)), Instrument("X_close")])
    ('X', 'X_close')
    """
    series = {f"{one.name}_{field}": one.name for one in listed for field in one.fields}
    return next(((series[one.name], one.name) for one in listed if one.name in series), None)


def _unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    listed = list(known)
    return UnknownNameError(
        f"unknown {kind}",
        expected=f"one of {list_names(listed)}",
        found=quote(name),
        hint=suggest_names(name, listed),
    )
