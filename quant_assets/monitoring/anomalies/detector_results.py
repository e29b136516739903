"""What the scores of some days come to: which are beyond their limits, how far, and in words.

Limits are learnt in ``monitoring.detectors``. Arrays only; days are rows here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.market.instruments import market_of
from quant_assets.monitoring.anomalies.detectors import (
    GROUPS,
    DetectorLimits,
    Detectors,
    group_members,
    group_scores,
)
from quant_assets.monitoring.anomalies.indicators import NAMES

MANY, AT_LEAST = 0.03, 5
"""Share of a market's series, and how many at least, that are critical if beyond their limits."""
_TOLD = 5


@dataclass(frozen=True)
class DetectorResult:
    """Some days by one detector.

    Attributes:
        kind: which.
        limits: of the detector.
        instruments: k names.
        figures: (n, k, 7) what is judged.
        of_series: (n, k) score of each instrument.
        of_groups: (n, 5) score of each of ``GROUPS``.
    """

    kind: str
    limits: DetectorLimits
    instruments: tuple[str, ...]
    figures: FloatArray
    of_series: FloatArray
    of_groups: FloatArray

    def market_rows(self) -> pd.DataFrame:
        """A row for each day and group that has a score."""
        row, group = np.nonzero(~np.isnan(self.of_groups) & ~np.isnan(self.limits.warning))
        score, limit = self.of_groups[row, group], self.limits.warning[group]
        beyond, there = self._counted()
        many = beyond[row, group] >= np.maximum(AT_LEAST, MANY * there[row, group])
        critical = (score > self.limits.critical[group]) | many
        severity = np.where(critical, "critical", np.where(score > limit, "warning", "info"))
        told = zip(row.tolist(), group.tolist(), severity.tolist(), strict=True)
        return pd.DataFrame(
            {
                "row": row,
                "market": np.array(GROUPS, dtype=object)[group],
                "series": None,
                "score": score,
                "limit": limit,
                "severity": severity.astype(object),
                "text": [None if s == "info" else self._of_group(r, g) for r, g, s in told],
            }
        )

    def series_rows(self) -> pd.DataFrame:
        """A row for each day and instrument beyond its limit."""
        row, column = np.nonzero(self.of_series > self.limits.series)
        names = [self.instruments[i] for i in column]
        return pd.DataFrame(
            {
                "row": row,
                "market": [market_of(name) for name in names],
                "series": names,
                "score": self.of_series[row, column],
                "limit": self.limits.series,
                "severity": "warning",
                "text": [
                    self._of_series(r, c)
                    for r, c in zip(row.tolist(), column.tolist(), strict=True)
                ],
            }
        )

    def _counted(self) -> tuple[IntArray, IntArray]:
        """(n, 5) how many of a group's series are beyond their limit, and how many have a score."""
        of_group = group_members(self.instruments).T.astype(np.int64)
        beyond = (self.of_series > self.limits.series).astype(np.int64)
        return beyond @ of_group, (~np.isnan(self.of_series)).astype(np.int64) @ of_group

    def _of_group(self, row: int, group: int) -> str:
        mine = np.flatnonzero(group_members(self.instruments)[group])
        scores = np.nan_to_num(self.of_series[row, mine])
        most = mine[np.argsort(-scores, kind="stable")[:_TOLD]]
        beyond = int((scores > self.limits.series).sum())
        names = ", ".join(self.instruments[i] for i in most)
        return f"{beyond} of {len(mine)} series beyond their limit; most unusual: {names}"

    def _of_series(self, row: int, column: int) -> str:
        """The two figures farthest from zero, no longer squeezed."""
        found = np.nan_to_num(self.figures[row, column])
        most = np.argsort(-np.abs(found), kind="stable")[:2]
        return ", ".join(f"{NAMES[j]} {np.sinh(found[j]):+.1f}" for j in most)


def apply_detectors(
    detectors: Detectors, figures: FloatArray, instruments: tuple[str, ...]
) -> Iterator[DetectorResult]:
    """The (n, k, 7) figures of some days by each detector."""
    for kind, scores in detectors.scores(figures, instruments).items():
        of_groups = group_scores(scores, instruments)
        yield DetectorResult(kind, detectors.limits[kind], instruments, figures, scores, of_groups)
