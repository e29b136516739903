"""The state of one CUSUM: how it goes from one judged day to the next, and its limits.

The sum adds up how far days fall short of what is expected, and starts again from 0 when it is no
longer positive. After a fault is repaired, a plain sum would fall by no more than its slack a day.
Therefore a cap keeps the sum close to its critical limit, and a second test looks for the end of
the drop. The drop's days are those from the start of the sum to the day on which the sum without
its cap is highest. Once the days since then are hardly consistent with the drop, the sum starts
again.

Which values are added up is decided in ``monitoring.skill.cusum``.
"""

import math
from dataclasses import dataclass

from quant_assets.monitoring.skill.drop_end import RECOVERY_LIMIT, log_likelihood_gain

FALSE_ALARM_DAYS, FALSE_ALARM_DAYS_CRITICAL = 6000.0, 30000.0
"""Mean days between two false alarms, if the reference is right and ICs are normal."""
_CAP_MARGIN = 1.0
"""How far the sum may rise above its critical limit, in standard deviations of a day."""


@dataclass(frozen=True)
class SumLimits:
    """The slack of a sum, and the values from which the sum is evidence of a drop.

    Attributes:
        slack: shortfall of a day that is not added up, in standard deviations.
        limit: sum above which a drop is a warning.
        limit_critical: sum above which a drop is critical; the sum is capped just above it.
        dependence: long-run variance of a day's standardised deviation.
    """

    slack: float
    limit: float
    limit_critical: float
    dependence: float


@dataclass(frozen=True)
class CappedSum:
    """The sum after a day, and what is remembered of the days since it started.

    Deviations are in standard deviations of a day's IC.

    Attributes:
        total: the sum.
        days: number of days since the sum started.
        deviations: total of the deviations of these days.
        uncapped_total: the sum without its cap.
        highest: largest ``uncapped_total`` so far.
        drop_mean: mean deviation of the days up to the highest one.
        recovery: log-likelihood ratio, over the days after the highest one, of no drop against a
            drop of ``drop_mean``; never below 0.
    """

    total: float = 0.0
    days: int = 0
    deviations: float = 0.0
    uncapped_total: float = 0.0
    highest: float = 0.0
    drop_mean: float = 0.0
    recovery: float = 0.0

    def add_day(self, z: float, limits: SumLimits) -> "CappedSum":
        """Return the state after one more day whose deviation is ``z``."""
        rise = -z - limits.slack
        total = min(self.total + rise, limits.limit_critical + _CAP_MARGIN)
        if total <= 0.0:
            return CappedSum()
        days, deviations = self.days + 1, self.deviations + z
        uncapped = self.uncapped_total + rise
        if uncapped >= self.highest:
            return CappedSum(total, days, deviations, uncapped, uncapped, deviations / days)
        gain = log_likelihood_gain(z, self.drop_mean, limits.dependence)
        recovery = max(self.recovery + gain, 0.0)
        if total > limits.limit and recovery > RECOVERY_LIMIT:
            return CappedSum()
        return CappedSum(total, days, deviations, uncapped, self.highest, self.drop_mean, recovery)


def sum_limits(
    slack: float, dependence: float, days: int, false_alarm_factor: float = 1.0
) -> SumLimits:
    """Compute the limits of a sum with a given slack.

    Args:
        slack: shortfall of a day that is not added up, in standard deviations.
        dependence: long-run variance of a day's standardised deviation.
        days: days of the reference that the expected mean is estimated from.
        false_alarm_factor: times ``FALSE_ALARM_DAYS`` that lie between two false alarms.
    """
    # The expected mean has about this standard error; if it is too high, the sum drifts upward.
    drift = max(slack - math.sqrt(dependence / days), slack / 4)
    intervals = (
        FALSE_ALARM_DAYS * false_alarm_factor,
        FALSE_ALARM_DAYS_CRITICAL * false_alarm_factor,
    )
    limit, limit_critical = (_compute_limit(interval, drift, dependence) for interval in intervals)
    return SumLimits(slack, limit, limit_critical, dependence)


def _compute_limit(interval: float, slack: float, dependence: float) -> float:
    """Compute the value that a sum reaches by chance once in ``interval`` days.

    Source: Siegmund (1985), "Sequential analysis", for a Brownian motion with drift ``-slack`` and
    variance ``dependence`` a day; the last term corrects for adding up whole days.
    """
    scaled = 2.0 * slack**2 * interval / dependence
    x = math.log1p(scaled)
    for _ in range(20):
        x = math.log1p(scaled + x)
    return max(x * dependence / (2.0 * slack) - 1.166 * math.sqrt(dependence), 1.0)
