"""Rows about the days that detectors judged: scores beyond their limits, severities, and texts.

``monitoring.anomalies.detectors`` learns the limits. Arrays only; days are rows here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.monitoring.anomalies.detectors import DetectorLimits, Detectors
from quant_assets.monitoring.anomalies.group_scores import group_members, group_scores
from quant_assets.monitoring.anomalies.indicators import INDICATORS

CRITICAL_SERIES_SHARE, CRITICAL_SERIES_COUNT = 0.03, 5
"""A group is critical if this share of its series, and at least this many, exceed their limit."""
_NAMED_SERIES = 5


@dataclass(frozen=True)
class DetectorResult:
    """The scores that one detector gives to k instruments on n days.

    Attributes:
        kind: the detector, one of ``KINDS``.
        limits: of the detector.
        scored_groups: names of the g groups that have a score.
        instruments: names of the k instruments.
        groups: groups of the k instruments.
        indicators: (n, k, 7) what is judged.
        series_scores: (n, k) score of each instrument; NaN without one.
        group_scores: (n, g) score of each scored group; NaN without one.
    """

    kind: str
    limits: DetectorLimits
    scored_groups: tuple[str, ...]
    instruments: tuple[str, ...]
    groups: tuple[str, ...]
    indicators: FloatArray
    series_scores: FloatArray
    group_scores: FloatArray

    def market_rows(self) -> pd.DataFrame:
        """Make a row for each day and group that has a score."""
        row, group = np.nonzero(~np.isnan(self.group_scores) & ~np.isnan(self.limits.warning))
        score, limit = self.group_scores[row, group], self.limits.warning[group]
        beyond, scored = self._count_series()
        needed = np.maximum(CRITICAL_SERIES_COUNT, CRITICAL_SERIES_SHARE * scored[row, group])
        many = beyond[row, group] >= needed
        critical = (score > self.limits.critical[group]) | many
        severity = np.where(critical, "critical", np.where(score > limit, "warning", "info"))
        keys = zip(row.tolist(), group.tolist(), severity.tolist(), strict=True)
        return pd.DataFrame(
            {
                "row": row,
                "market": np.array(self.scored_groups, dtype=object)[group],
                "series": None,
                "score": score,
                "limit": limit,
                "severity": severity.astype(object),
                "text": [None if s == "info" else self._describe_group(r, g) for r, g, s in keys],
            }
        )

    def series_rows(self) -> pd.DataFrame:
        """Make a row for each day and instrument whose score exceeds its limit."""
        row, column = np.nonzero(self.series_scores > self.limits.series)
        return pd.DataFrame(
            {
                "row": row,
                "market": [self.groups[i] for i in column],
                "series": [self.instruments[i] for i in column],
                "score": self.series_scores[row, column],
                "limit": self.limits.series,
                "severity": "warning",
                "text": [
                    self._describe_series(r, c)
                    for r, c in zip(row.tolist(), column.tolist(), strict=True)
                ],
            }
        )

    @cached_property
    def _members(self) -> BoolArray:
        """(g, k) which instruments each scored group has."""
        return group_members(self.scored_groups, self.groups)

    def _count_series(self) -> tuple[IntArray, IntArray]:
        """(n, g) how many of a group's series exceed their limit, and how many have a score."""
        of_group = self._members.T.astype(np.int64)
        beyond = (self.series_scores > self.limits.series).astype(np.int64)
        scored = (~np.isnan(self.series_scores)).astype(np.int64)
        return beyond @ of_group, scored @ of_group

    def _describe_group(self, row: int, group: int) -> str:
        """Say how many series of a group exceed their limit, and name the most unusual ones."""
        members = np.flatnonzero(self._members[group])
        scores = np.nan_to_num(self.series_scores[row, members])
        most = members[np.argsort(-scores, kind="stable")[:_NAMED_SERIES]]
        beyond = int((scores > self.limits.series).sum())
        names = ", ".join(self.instruments[i] for i in most)
        return f"{beyond} of {len(members)} series beyond their limit; most unusual: {names}"

    def _describe_series(self, row: int, column: int) -> str:
        """Name the two indicators farthest from zero, with their values before asinh."""
        indicators = np.nan_to_num(self.indicators[row, column])
        most = np.argsort(-np.abs(indicators), kind="stable")[:2]
        return ", ".join(f"{INDICATORS[j]} {np.sinh(indicators[j]):+.1f}" for j in most)


def apply_detectors(
    detectors: Detectors,
    indicators: FloatArray,
    instruments: tuple[str, ...],
    groups: tuple[str, ...],
) -> Iterator[DetectorResult]:
    """Judge some days by each detector.

    Args:
        detectors: as of a day not after these.
        indicators: (n, k, 7) of the days; NaN where unknown.
        instruments: names of the k instruments.
        groups: groups of the k instruments.
    """
    members = group_members(detectors.groups, groups)
    for kind, scores in detectors.scores(indicators, instruments).items():
        yield DetectorResult(
            kind,
            detectors.limits[kind],
            detectors.groups,
            instruments,
            groups,
            indicators,
            scores,
            group_scores(scores, members),
        )
