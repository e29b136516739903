"""The price panel: every series as one array per field, days down, instruments across.

Where panels are stored or which file they come from does not belong here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.market.instruments import Group


@dataclass(frozen=True)
class PricePanel:
    """Prices known at the close of each day.

    Attributes:
        days: (n,) trading days, ascending.
        date_ids: (n,) the source's own numbering of the days.
        instruments: k names, the columns of every field.
        groups: k names of groups, one of each instrument, such as its market.
        all_groups: the groups, in the market's order; some may have no instrument.
        fields: (n, k) values by field name; NaN where nothing was observed. A field that no
            instrument has is absent.
    """

    days: DayArray
    date_ids: IntArray
    instruments: tuple[str, ...]
    groups: tuple[str, ...]
    all_groups: tuple[Group, ...]
    fields: Mapping[str, FloatArray]

    @property
    def close(self) -> FloatArray:
        """(n, k) closing prices."""
        return self.fields["close"]

    def field(self, name: str) -> FloatArray:
        """Return the (n, k) values of a field; all NaN if the panel lacks the field."""
        if name in self.fields:
            return self.fields[name]
        return np.full((len(self.days), len(self.instruments)), np.nan)

    def rows(self, start: int, stop: int | None = None) -> "PricePanel":
        """Return the panel of the days ``start:stop``; its arrays are views."""
        part = slice(start, stop)
        return PricePanel(
            self.days[part],
            self.date_ids[part],
            self.instruments,
            self.groups,
            self.all_groups,
            {name: values[part] for name, values in self.fields.items()},
        )
