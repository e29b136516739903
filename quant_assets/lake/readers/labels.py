"""Labels as rows, stored on the day they are released, and compared with published ones.

Reading labels back is for ``lake.readers.point_in_time`` alone.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import MAX_LAG, TargetPairs, align_to_forecast_day

TOLERANCE = 2e-6


@dataclass(frozen=True)
class LabelDisagreement:
    """Labels computed here against those published.

    Attributes:
        compared: labels that both sides could have.
        worst: largest absolute difference where both have a value.
        only_one_empty: labels empty on one side only.
    """

    compared: int
    worst: float
    only_one_empty: int

    @property
    def agree(self) -> bool:
        """Within the tolerance that vintages of adjusted prices need."""
        return self.worst <= TOLERANCE and self.only_one_empty == 0

    def as_metadata(self) -> dict[str, Any]:
        """The figures, by name."""
        return {**vars(self), "tolerance": TOLERANCE}


def label_rows(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, start: date
) -> dict[str, Any]:
    """Rows of ``features.labels`` for the release days from ``start`` on.

    Args:
        panel: observed prices, with at least MAX_LAG + 1 days before ``start`` if there are any.
        pairs: the targets.
        known_labels: (n, m) labels by the day on which they become known.
        start: first release day wanted.
    """
    n, m = known_labels.shape
    release_row = np.repeat(np.arange(n), m)
    label_row = release_row - np.tile(pairs.lags + 1, n)
    wanted = (label_row >= 0) & (panel.days[release_row] >= np.datetime64(start))
    label_row, release_row = label_row[wanted], release_row[wanted]
    targets = np.tile(np.arange(m, dtype=np.int32), n)[wanted]
    return {
        "trading_day": panel.days[label_row],
        "date_id": panel.date_ids[label_row],
        "target": pa.DictionaryArray.from_arrays(targets, pa.array(pairs.targets)),
        "value": known_labels.ravel()[wanted],
        "released_on": panel.days[release_row],
    }


def compare_labels(
    days: DayArray, known_labels: FloatArray, pairs: TargetPairs, published: FloatArray | None
) -> LabelDisagreement:
    """Compare labels with published ones, both for the same days.

    Args:
        days: (n,) days of ``known_labels`` and ``published``.
        known_labels: (n, m) labels by the day on which they become known.
        pairs: the targets.
        published: (n, m) labels by the day they are forecast on; None if there are none.
    """
    n = len(days)
    if published is None or n <= MAX_LAG + 1:
        return LabelDisagreement(0, 0.0, 0)
    ours = align_to_forecast_day(known_labels, pairs.lags)
    comparable = np.arange(n)[:, None] + pairs.lags + 1 < n
    empty_here, empty_there = np.isnan(ours), np.isnan(published)
    both = comparable & ~empty_here & ~empty_there
    worst = float(np.abs(ours - published)[both].max()) if both.any() else 0.0
    one = int((comparable & (empty_here != empty_there)).sum())
    return LabelDisagreement(int(comparable.sum()), worst, one)
