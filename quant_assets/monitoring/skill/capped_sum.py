"""A CUSUM from day to day: it adds up how far days fall short, and begins again when they do not.

Alone, it would fall by its slack a day after a fault is mended: a cap keeps it from rising far, and
a second test of Page's looks for the end. The drop's days are those from the sum's beginning to its
highest day, were it not capped; what tells the days since from them is added up, and once it is
hardly chance the sum begins again. What is added up is said in ``monitoring.cusum``.
"""

import math
from dataclasses import dataclass

from quant_assets.monitoring.skill.drop_end import RECOVERED, log_likelihood_gain

RUN, RUN_CRITICAL = 6000.0, 30000.0
"""Days between two false alarms, were the reference the truth and ICs normal."""
_CAP = 1.0


@dataclass(frozen=True)
class SumLimits:
    """What is added up, and when that is no chance any more.

    Attributes:
        slack: what a day may fall short, in standard deviations.
        limit: sum from which on a drop is hardly chance.
        limit_critical: from which on even less; not much more is ever added up.
        dependence: long-run variance of a day's deviation.
    """

    slack: float
    limit: float
    limit_critical: float
    dependence: float


@dataclass(frozen=True)
class CappedSum:
    """The sum, and what is remembered of the days since it began.

    Attributes:
        total: the sum.
        days: how many there are.
        deviations: sum of their deviations.
        uncapped: the sum without its cap.
        highest: most that it was.
        drop: mean deviation of the days until then.
        recovered: log-likelihood ratio, of the days after, of no drop against this one.
    """

    total: float = 0.0
    days: int = 0
    deviations: float = 0.0
    uncapped: float = 0.0
    highest: float = 0.0
    drop: float = 0.0
    recovered: float = 0.0

    def after(self, z: float, bounds: SumLimits) -> "CappedSum":
        """The state after another day of deviation ``z``."""
        rise = -z - bounds.slack
        total = min(self.total + rise, bounds.limit_critical + _CAP)
        if total <= 0.0:
            return CappedSum()
        days, deviations = self.days + 1, self.deviations + z
        uncapped = self.uncapped + rise
        if uncapped >= self.highest:
            return CappedSum(total, days, deviations, uncapped, uncapped, deviations / days)
        recovered = max(self.recovered + log_likelihood_gain(z, self.drop, bounds.dependence), 0.0)
        if total > bounds.limit and recovered > RECOVERED:
            return CappedSum()
        return CappedSum(total, days, deviations, uncapped, self.highest, self.drop, recovered)


def sum_limits(slack: float, dependence: float, days: int, rarer: float = 1.0) -> SumLimits:
    """The bounds for a slack.

    Args:
        slack: of the sum.
        dependence: long-run variance of a day's deviation.
        days: how many the mean expected is known from.
        rarer: times ``RUN`` that are to be between two false alarms.
    """
    # That mean is off by about so much; a sum drifts upward if it is too high.
    drift = max(slack - math.sqrt(dependence / days), slack / 4)
    runs = (RUN * rarer, RUN_CRITICAL * rarer)
    limit, limit_critical = (_limit(run, drift, dependence) for run in runs)
    return SumLimits(slack, limit, limit_critical, dependence)


def _limit(run: float, slack: float, dependence: float) -> float:
    """What a sum reaches by chance once in so many days.

    Source: Siegmund (1985), "Sequential analysis", of a Brownian motion with drift ``-slack`` and
    variance ``dependence`` a day; days are added up one by one, which lowers it.
    """
    scaled = 2.0 * slack**2 * run / dependence
    x = math.log1p(scaled)
    for _ in range(20):
        x = math.log1p(scaled + x)
    return max(x * dependence / (2.0 * slack) - 1.166 * math.sqrt(dependence), 1.0)
