"""Bars of some days as arrays, and sums and neighbours along the bars of a day.

The features themselves belong in ``bars``. Every function here works bar by bar, so that a row has
the same bits whatever the other days are, and however many empty slots follow its last bar.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.features.kernels import positive_log


@dataclass(frozen=True)
class Bars:
    """Bars of n days with s slots a day, of k instruments.

    Slot i of a day is the i-th interval of the session of the instrument, breaks left out. A bar is
    present if open, high, low and close are positive and finite and no price is above the high or
    below the low; its volume may be missing.

    Attributes:
        open: (n, s, k) first prices; NaN where a bar is missing.
        high: (n, s, k) highest prices.
        low: (n, s, k) lowest prices.
        close: (n, s, k) last prices.
        volume: (n, s, k) traded units; NaN where unknown.
        slots: (n, k) number of slots of the session; 0 if the instrument has no session.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    slots: IntArray

    def rows(self, part: slice) -> "Bars":
        """Return the bars of some of the days."""
        return Bars(*(getattr(self, field.name)[part] for field in fields(self)))


class BarLogs:
    """Logs of the prices of bars, with what several features need.

    Args:
        bars: (n, s, k) bars.
    """

    def __init__(self, bars: Bars) -> None:
        logs = [positive_log(each) for each in (bars.open, bars.high, bars.low, bars.close)]
        opening, high, low, close = logs
        # A comparison with NaN is false.
        within = (low <= opening) & (opening <= high) & (low <= close) & (close <= high)
        for each in logs:
            each[~within] = np.nan
        self.open, self.high, self.low, self.close = logs
        known = within & (bars.volume >= 0) & (bars.volume < np.inf)
        self.volume = np.where(known, bars.volume, np.nan)
        self._bars = bars

    @cached_property
    def present(self) -> BoolArray:
        """(n, s, k) whether a bar is present."""
        return ~np.isnan(self.close)

    @cached_property
    def returns(self) -> FloatArray:
        """(n, s, k) log returns from the bar before; of a day's first bar, from its own open."""
        before = before_in_day(self.close)
        return self.close - np.where(np.isnan(before), self.open, before)

    @cached_property
    def value(self) -> FloatArray:
        """(n, s, k) millions of currency that were traded: volume times the mean of H, L and C."""
        bars = self._bars
        total = np.where(self.present, bars.high, np.nan) + bars.low + bars.close
        return self.volume * (total / 3.0) * 1e-6


def sum_day(values: FloatArray) -> FloatArray:
    """Sum the observed values of each day; (n, s, k) to (n, k), 0 where none is observed."""
    total: FloatArray = np.zeros((len(values), values.shape[2]))
    for slot in range(values.shape[1]):
        part = values[:, slot]
        total += np.where(np.isnan(part), 0.0, part)
    return total


def count_day(mask: BoolArray) -> FloatArray:
    """Count the true values of each day; (n, s, k) to (n, k)."""
    return np.asarray(mask.sum(axis=1), dtype=np.float64)


def before_in_day(values: FloatArray) -> FloatArray:
    """Return the newest observed value of the earlier slots of the day; NaN if there is none.

    Args:
        values: (n, s, k) values; NaN where missing.
    """
    result = np.full_like(values, np.nan)
    for slot in range(1, values.shape[1]):
        earlier = values[:, slot - 1]
        result[:, slot] = np.where(np.isnan(earlier), result[:, slot - 1], earlier)
    return result


def first_in_day(values: FloatArray) -> FloatArray:
    """Return the first observed value of each day; (n, s, k) to (n, k), NaN if there is none."""
    result = np.full((len(values), values.shape[2]), np.nan)
    for slot in range(values.shape[1]):
        result = np.where(np.isnan(result), values[:, slot], result)
    return result


def last_in_day(values: FloatArray) -> FloatArray:
    """Return the last observed value of each day; (n, s, k) to (n, k), NaN if there is none."""
    return first_in_day(values[:, ::-1])
