"""Features from bars by their plain definitions, in loops over instruments, days and bars."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, inf, isfinite, log, nan, pi, sqrt
from statistics import NormalDist

import numpy as np

from quant_assets.features.bar_arrays import Bars

WINDOW = 20


@dataclass
class Bar:
    slot: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def value(self) -> float:
        return self.volume * (self.high + self.low + self.close) / 3 / 1e6


@dataclass
class Day:
    slots: int
    bars: list[Bar]

    @property
    def complete(self) -> bool:
        return bool(self.bars) and self.slots > 0 and 2 * len(self.bars) >= self.slots

    @property
    def traded(self) -> list[Bar]:
        return [bar for bar in self.bars if bar.volume >= 0]

    @property
    def has_volumes(self) -> bool:
        return bool(self.traded) and self.slots > 0 and 2 * len(self.traded) >= self.slots

    @property
    def returns(self) -> list[float]:
        before = [self.bars[0].open, *(bar.close for bar in self.bars)] if self.bars else []
        return [log(bar.close / old) for bar, old in zip(self.bars, before, strict=False)]


def read_days(bars: Bars, column: int) -> list[Day]:
    days = []
    for t in range(len(bars.close)):
        of_day = []
        for slot in range(bars.close.shape[1]):
            prices = [
                float(each[t, slot, column])
                for each in (bars.open, bars.high, bars.low, bars.close)
            ]
            volume = float(bars.volume[t, slot, column])
            opening, high, low, close = prices
            if all(0 < price < inf for price in prices) and (
                low <= min(opening, close) and max(opening, close) <= high
            ):
                of_day.append(Bar(slot, *prices, volume if 0 <= volume < inf else nan))
        days.append(Day(int(bars.slots[t, column]), of_day))
    return days


def divide(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else nan


def of_day(day: Day, before: Day | None) -> dict[str, float]:
    names = (
        *("realised_variance", "realised_range", "bipower_variation", "jump_share"),
        *("overnight_return", "intraday_return", "close_to_vwap", "volume_share_first"),
        *("volume_share_last", "amihud", "corwin_schultz_spread"),
    )
    result = dict.fromkeys(names, nan)
    result["bars_present"] = divide(len(day.bars), day.slots)
    if day.complete:
        result |= volatility(day)
        if before and before.complete:
            result["overnight_return"] = log(day.bars[0].open / before.bars[-1].close)
    total = sum(bar.volume for bar in day.traded)
    if day.has_volumes and total > 0:
        vwap = sum(bar.value for bar in day.traded) * 1e6 / total
        result["close_to_vwap"] = log(day.bars[-1].close / vwap)
        part = ceil(day.slots / 8)
        begin, end = range(part), range(day.slots - part, day.slots)
        shares = [
            sum(bar.volume for bar in day.traded if bar.slot in slots) / total
            for slots in (begin, end)
        ]
        result["volume_share_first"], result["volume_share_last"] = shares
    ratios = [
        abs(move) / bar.value
        for bar, move in zip(day.bars, day.returns, strict=True)
        if bar.volume > 0
    ]
    if ratios and day.slots > 0 and 2 * len(ratios) >= day.slots:
        result["amihud"] = sum(ratios) / len(ratios)
    return result


def volatility(day: Day) -> dict[str, float]:
    moves = day.returns
    variance = sum(move**2 for move in moves)
    count = len(moves)
    bipower = nan
    if count > 1:
        products = [abs(a) * abs(b) for a, b in pairwise(moves)]
        bipower = pi / 2 * count / (count - 1) * sum(products)
    spreads = [spread(a, b) for a, b in pairwise(day.bars)]
    jump = 1 - divide(bipower, variance)
    return {
        "realised_variance": variance,
        "realised_range": sum(log(bar.high / bar.low) ** 2 for bar in day.bars) / (4 * log(2)),
        "bipower_variation": bipower,
        "jump_share": max(jump, 0.0) if isfinite(jump) else nan,
        "intraday_return": log(day.bars[-1].close / day.bars[0].open),
        "corwin_schultz_spread": divide(sum(spreads), len(spreads)),
    }


def spread(a: Bar, b: Bar) -> float:
    """The estimate of Corwin and Schultz, with the gap between both periods closed."""
    high, low = b.high, b.low
    if b.low > a.close:
        high, low = high * a.close / b.low, a.close
    elif b.high < a.close:
        high, low = a.close, low * a.close / b.high
    beta = log(a.high / a.low) ** 2 + log(b.high / b.low) ** 2
    gamma = log(max(a.high, high) / min(a.low, low)) ** 2
    constant = 3 - 2 * sqrt(2)
    alpha = (sqrt(2 * beta) - sqrt(beta)) / constant - sqrt(gamma / constant)
    return max(0.0, 2 * (exp(alpha) - 1) / (1 + exp(alpha)))


def over_days(days: list[Day], t: int) -> dict[str, float]:
    window = days[max(t - WINDOW + 1, 0) : t + 1]
    complete = [day for day in window if day.complete]
    result = {"kyle_lambda_20": nan, "roll_spread_20": nan, "order_imbalance": nan}
    if len(complete) >= WINDOW // 2:
        moves = [move for day in complete for move in day.returns]
        products = [
            a * b for day in complete for a, b in zip(day.returns, day.returns[1:], strict=False)
        ]
        covariance = divide(sum(products), len(products))
        result["roll_spread_20"] = 2 * sqrt(max(-covariance, 0)) if products else nan
        scale = sqrt(divide(sum(move**2 for move in moves), len(moves)))
        result["order_imbalance"] = imbalance(days[t], scale)
    with_volumes = [day for day in window if day.has_volumes]
    if len(with_volumes) >= WINDOW // 2:
        pairs = [
            (move, float(np.sign(move)) * bar.value)
            for day in with_volumes
            for bar, move in zip(day.bars, day.returns, strict=True)
            if bar.volume >= 0
        ]
        slope = divide(sum(r * q for r, q in pairs), sum(q * q for _, q in pairs))
        result["kyle_lambda_20"] = slope
    return result


def imbalance(day: Day, scale: float) -> float:
    total = sum(bar.volume for bar in day.traded)
    if not day.has_volumes or not total > 0 or not scale > 0:
        return nan
    net = sum(
        bar.volume * (2 * NormalDist().cdf(move / scale) - 1)
        for bar, move in zip(day.bars, day.returns, strict=True)
        if bar.volume >= 0
    )
    return net / total


def features(bars: Bars) -> dict[str, np.ndarray]:
    n, _, k = bars.close.shape
    result: dict[str, np.ndarray] = {}
    for column in range(k):
        days = read_days(bars, column)
        for t, day in enumerate(days):
            values = {**of_day(day, days[t - 1] if t else None), **over_days(days, t)}
            for name, value in values.items():
                result.setdefault(name, np.full((n, k), np.nan))[t, column] = value
    return result
