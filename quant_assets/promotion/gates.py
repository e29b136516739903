"""Comparisons of two track records: better, no worse, or so much worse that a release goes.

Arrays of daily information coefficients (ICs) only. The decisions that follow from a comparison
are made in ``promotion.rules``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.scoring.metric import score_of_ic
from quant_assets.scoring.significance import paired_bootstrap

WORST_DAYS = 20
"""Days of the worst stretch that the stability gate compares, and of a bootstrap block."""
Figures = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Thresholds:
    """The numbers that decisions rest on beside track records; stored with every decision.

    Attributes:
        shares: a challenger's shares of the submitted forecast, ascending; the last is 1.
        improvement: fraction by which a challenger's score must exceed the champion's.
        window: newest common days that the gates compare, at most.
        min_days: common days that the gates need, at least.
        shadow_days: judged days that a challenger stays in shadow.
        step_days: trading days that a challenger stays at each share.
        tolerance: relative shortfall that is still accepted.
        noise: t-statistic of the paired daily differences; a shortfall above it may be chance.
        deviation: fraction by which the daily ICs may deviate more and still be stable.
        probation_days: judged days of a new champion's probation.
        judged_days: judged days that the probation needs before it may end in a rollback.
    """

    shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 1.0)
    improvement: float = 0.05
    window: int = 250
    min_days: int = 60
    shadow_days: int = 5
    step_days: int = 5
    tolerance: float = 0.2
    noise: float = -1.0
    deviation: float = 0.1
    probation_days: int = 20
    judged_days: int = 10


@dataclass(frozen=True)
class TrackRecord:
    """The daily ICs of one release, or of the submitted forecast.

    Attributes:
        days: (n,) forecast days, ascending.
        ic: (n,) IC of each day, none NaN.
    """

    days: DayArray
    ic: FloatArray

    @classmethod
    def empty(cls) -> "TrackRecord":
        """Make a record without days."""
        return cls(np.empty(0, "datetime64[D]"), np.empty(0))

    def since(self, day: object) -> "TrackRecord":
        """Return the record of the days from ``day`` on."""
        kept = self.days >= np.datetime64(str(day), "D")
        return TrackRecord(self.days[kept], self.ic[kept])

    def last(self, count: int) -> "TrackRecord":
        """Return the record of the newest ``count`` days."""
        return TrackRecord(self.days[-count:], self.ic[-count:])


def pair_records(first: TrackRecord, second: TrackRecord) -> tuple[TrackRecord, TrackRecord]:
    """Restrict two records to the days that both have."""
    _, left, right = np.intersect1d(first.days, second.days, return_indices=True)
    return TrackRecord(first.days[left], first.ic[left]), TrackRecord(
        second.days[right], second.ic[right]
    )


@dataclass(frozen=True)
class GateResult:
    """The result of a comparison.

    Attributes:
        passed: whether the compared record is good enough.
        reason: why, in words.
        figures: the numbers that the result rests on, by name.
    """

    passed: bool
    reason: str
    figures: Figures


def apply_gates(
    challenger: TrackRecord, champion: TrackRecord, thresholds: Thresholds
) -> GateResult:
    """Decide whether a new release may challenge: better, significantly so, and as stable.

    The gates compare the newest ``window`` common days, and refuse fewer than ``min_days``:

    - The score exceeds the champion's by at least ``improvement``.
    - The lower end of the paired 95 % block-bootstrap interval of the difference is above 0.
    - The standard deviation of daily ICs exceeds the champion's by at most ``deviation``.
    - The worst mean of 20 consecutive days is at most one standard error below the champion's.

    Args:
        challenger: record of the new release.
        champion: record of the champion.
        thresholds: the limits of the gates.
    """
    new, current = (record.last(thresholds.window) for record in pair_records(challenger, champion))
    if len(new.days) < thresholds.min_days:
        reason = f"{len(new.days)} common days with the champion, {thresholds.min_days} are needed"
        return GateResult(False, f"the reference window is too short: {reason}", _day_count(new))
    new_score, current_score = score_of_record(new.ic), score_of_record(current.ic)
    low, high = paired_bootstrap(new.ic, current.ic, block=WORST_DAYS)
    error = _deviation(current.ic) / math.sqrt(WORST_DAYS)
    figures = {
        **_day_count(new),
        "score": new_score,
        "champion_score": current_score,
        "improvement": _relative_difference(new_score - current_score, current_score),
        "low": low,
        "high": high,
        "std_ic": _deviation(new.ic),
        "champion_std_ic": _deviation(current.ic),
        "worst_20": worst_mean(new.ic),
        "champion_worst_20": worst_mean(current.ic),
    }
    refusals = {
        f"not {thresholds.improvement:.0%} better": new_score - current_score
        < thresholds.improvement * abs(current_score)
        or not new_score > current_score,
        "the lower bound of the difference is not above 0": not low > 0,
        "daily ICs deviate more": _deviation(new.ic)
        > (1 + thresholds.deviation) * _deviation(current.ic),
        "its worst 20 days are worse": worst_mean(new.ic) < worst_mean(current.ic) - error,
    }
    reasons = [reason for reason, refused in refusals.items() if refused]
    return GateResult(not reasons, "; ".join(reasons) or "better, surely, and as stable", figures)


def check_challenger(
    challenger: TrackRecord, champion: TrackRecord, thresholds: Thresholds
) -> GateResult:
    """Decide whether a challenger is no worse than the champion on their common live days.

    It fails if its mean IC is more than ``tolerance`` below the champion's, relatively, and the
    paired t-statistic of the daily differences is below ``noise``. Without a common day it passes.

    Args:
        challenger: live record of the challenger.
        champion: live record of the champion.
        thresholds: the limits of the comparison.
    """
    new, current = pair_records(challenger, champion)
    if not len(new.days):
        return GateResult(True, "no day is judged yet", _day_count(new))
    new_mean, current_mean = float(new.ic.mean()), float(current.ic.mean())
    t = t_statistic(new.ic - current.ic)
    figures = {**_day_count(new), "mean_ic": new_mean, "champion_mean_ic": current_mean, "t": t}
    worse = new_mean < current_mean - thresholds.tolerance * abs(current_mean)
    failed = worse and t < thresholds.noise
    shortfall = f"{_format_shortfall(current_mean - new_mean, current_mean)} below the champion's"
    reason = f"mean IC {shortfall}, t {t:.1f}" if failed else "it holds"
    return GateResult(not failed, reason, figures)


def check_submitted(
    submitted: TrackRecord, champion: TrackRecord, thresholds: Thresholds
) -> GateResult:
    """Decide whether the submitted forecast scores as well as a champion alone would have.

    Compares the newest ``probation_days`` common days. It fails if the score is more than
    ``tolerance`` below the champion's, relatively; with fewer than ``judged_days`` days it passes.

    Args:
        submitted: record of the submitted forecast.
        champion: live record of the champion that it is compared with.
        thresholds: the limits of the comparison.
    """
    mixed, alone = (
        record.last(thresholds.probation_days) for record in pair_records(submitted, champion)
    )
    if len(mixed.days) < thresholds.judged_days:
        return GateResult(True, "too few days are judged yet", _day_count(mixed))
    score, champion_score = score_of_record(mixed.ic), score_of_record(alone.ic)
    figures = {**_day_count(mixed), "published_score": score, "champion_score": champion_score}
    failed = score < champion_score - thresholds.tolerance * abs(champion_score)
    shortfall = f"{_format_shortfall(champion_score - score, champion_score)} below the champion's"
    reason = f"published score {shortfall}" if failed else "it keeps up"
    return GateResult(not failed, reason, figures)


def score_of_record(ic: FloatArray) -> float:
    """Mean over population standard deviation of (n,) daily ICs; 0 where they do not vary."""
    return score_of_ic(ic) if len(ic) and np.ptp(ic) > 0 else 0.0


def worst_mean(ic: FloatArray) -> float:
    """Lowest mean of ``WORST_DAYS`` consecutive daily ICs, or the mean of fewer days."""
    width = min(WORST_DAYS, len(ic))
    return float(np.lib.stride_tricks.sliding_window_view(ic, width).mean(axis=1).min())


def t_statistic(difference: FloatArray) -> float:
    """Student's t-statistic of the mean of (n,) daily differences.

    It is 0 for a single day or if all differences are 0, and plus or minus infinity if all are
    the same number otherwise.
    """
    n = len(difference)
    if n < 2 or not difference.any():
        return 0.0
    mean = float(difference.mean())
    if np.ptp(difference) == 0:
        return math.copysign(math.inf, mean)
    return mean / (float(difference.std(ddof=1)) / math.sqrt(n))


def _deviation(ic: FloatArray) -> float:
    return float(np.std(ic))


def _relative_difference(difference: float, base: float) -> float | None:
    return difference / abs(base) if base else None


def _format_shortfall(difference: float, base: float) -> str:
    relative = _relative_difference(difference, base)
    return "far" if relative is None else f"{relative:.0%}"


def _day_count(record: TrackRecord) -> dict[str, float | int | None]:
    return {"days": len(record.days)}
