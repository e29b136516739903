"""One of several sources: what it covers, and the days that it has."""

from dataclasses import dataclass

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import BoolArray
from quant_assets.sources.joined.days import SourceDays
from quant_assets.sources.protocol import KeepsResponses, Source

NO_DAYS = np.empty(0, dtype="datetime64[D]")
"""(0,) days of a source that has none."""


@dataclass(frozen=True, eq=False)
class Part:
    """A source of several.

    Attributes:
        name: its name, which is stored with its prices.
        source: the source; it has the instruments and fields that it covers, and closes.
        covers: (c,) which of the market's series it covers.
        tolerance: relative difference from another source's price that is no disagreement.
    """

    name: str
    source: Source
    covers: BoolArray
    tolerance: float

    def read_days(self, is_first: bool) -> SourceDays:
        """Read the days of the source; none if it is a vendor that has never answered.

        Args:
            is_first: whether it comes first for some series.

        Raises:
            SourceError: a source that delivered before cannot be read.
        """
        try:
            days, problem = self.source.days(), self.source.waiting() if is_first else ""
        except SourceError as error:
            if self._has_answered():
                raise
            days, problem = NO_DAYS, f"{error.problem} ({error.found})"
        return SourceDays(self.name, days, is_first, problem)

    def _has_answered(self) -> bool:
        """Whether the source delivered before, as far as is known; files always did."""
        if not isinstance(self.source, KeepsResponses):
            return True
        return any(not each.problem and each.size for each in self.source.responses())
