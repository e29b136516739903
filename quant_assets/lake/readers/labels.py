"""Converting labels to rows, and comparing them with the labels that a source published.

Only ``lake.readers.point_in_time`` reads stored labels.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs, align_to_forecast_day, delay_of

TOLERANCE = 2e-6


@dataclass(frozen=True)
class LabelDisagreement:
    """Differences between computed labels and the labels that the source published.

    Attributes:
        compared: number of labels that both sides could have.
        worst: largest absolute difference of labels with a value on both sides.
        only_one_empty: number of labels with a value on exactly one side.
    """

    compared: int
    worst: float
    only_one_empty: int

    @property
    def agree(self) -> bool:
        """Whether all labels agree within the tolerance.

        Adjusted prices change a little each time a source adjusts them.
        """
        return self.worst <= TOLERANCE and self.only_one_empty == 0

    def as_metadata(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {**vars(self), "tolerance": TOLERANCE}


def label_rows(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, start: date
) -> dict[str, Any]:
    """Convert labels that become known from ``start`` on to rows of ``features.labels``.

    Args:
        panel: observed prices of n days; ``delay_of(pairs.lags)`` of them before ``start``, or as
            many as there are.
        pairs: the m targets.
        known_labels: (n, m) labels by the day on which they become known; NaN where a price is
            missing.
        start: first day on which a label becomes known.
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
    """Compare computed labels with the labels that the source published for the same days.

    Args:
        days: (n,) days of ``known_labels`` and ``published``.
        known_labels: (n, m) computed labels by the day on which they become known.
        pairs: the m targets.
        published: (n, m) the source's labels by forecast day; None if it published no labels.
    """
    n = len(days)
    if published is None or n <= delay_of(pairs.lags):
        return LabelDisagreement(0, 0.0, 0)
    ours = align_to_forecast_day(known_labels, pairs.lags)
    comparable = np.arange(n)[:, None] + pairs.lags + 1 < n
    empty_here, empty_there = np.isnan(ours), np.isnan(published)
    both = comparable & ~empty_here & ~empty_there
    worst = float(np.abs(ours - published)[both].max()) if both.any() else 0.0
    only_one_empty = int((comparable & (empty_here != empty_there)).sum())
    return LabelDisagreement(int(comparable.sum()), worst, only_one_empty)
