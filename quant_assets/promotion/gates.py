"""Whether a release is better, holds, or is so much worse that it goes: figures of two records.

Arrays of daily ICs only. What follows from the figures is decided in ``promotion.rules``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.scoring.metric import score_of_ic
from quant_assets.scoring.significance import paired_bootstrap

WORST_DAYS = 20
"""Days of the worst stretch that stability looks at, and of a block of the bootstrap."""
Figures = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Thresholds:
    """What decisions rest on besides records.

    Attributes:
        shares: of the published forecast, ascending, the last one 1.
        improvement: by which a challenger's score must be above the champion's, relatively.
        window: newest common days that are compared.
        min_days: of them needed at least.
        shadow_days: judged days of the shadow.
        step_days: trading days of each later step.
        tolerance: relative shortfall that is still no reason to go back.
        noise: t-statistic of the paired difference above which a shortfall is put down to chance.
        deviation: relative excess of the deviation of daily ICs that is still stable.
        probation_days: judged days on which a new champion is watched; the window of going back.
        judged_days: of them needed before anything is gone back on.
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
    """Daily ICs of one release, ascending by day.

    Attributes:
        days: (n,) days of the forecasts.
        ic: (n,) of them, none NaN.
    """

    days: DayArray
    ic: FloatArray

    @classmethod
    def empty(cls) -> "TrackRecord":
        """No day."""
        return cls(np.empty(0, "datetime64[D]"), np.empty(0))

    def since(self, day: object) -> "TrackRecord":
        """The days from one on."""
        kept = self.days >= np.datetime64(str(day), "D")
        return TrackRecord(self.days[kept], self.ic[kept])

    def last(self, count: int) -> "TrackRecord":
        """The newest days."""
        return TrackRecord(self.days[-count:], self.ic[-count:])


def pair_records(one: TrackRecord, other: TrackRecord) -> tuple[TrackRecord, TrackRecord]:
    """Both on the days that both have."""
    _, left, right = np.intersect1d(one.days, other.days, return_indices=True)
    return TrackRecord(one.days[left], one.ic[left]), TrackRecord(
        other.days[right], other.ic[right]
    )


@dataclass(frozen=True)
class GateResult:
    """An outcome with its figures.

    Attributes:
        passed: the outcome.
        reason: of it, in words.
        figures: by name.
    """

    passed: bool
    reason: str
    figures: Figures


def apply_gates(challenger: TrackRecord, champion: TrackRecord, limits: Thresholds) -> GateResult:
    """Whether a new release may challenge: better, surely better, and no less stable.

    On the newest common days, ``limits.window`` at most: its score is at least ``improvement``
    above the champion's; the lower end of the paired 95 % block-bootstrap interval of the
    difference is above 0; its daily ICs deviate by at most ``deviation`` more; and its worst mean
    of 20 consecutive days is not below the champion's by more than one standard error of such a
    mean. Too few common days never pass.
    """
    one, other = (x.last(limits.window) for x in pair_records(challenger, champion))
    if len(one.days) < limits.min_days:
        reason = f"{len(one.days)} common days with the champion, {limits.min_days} are needed"
        return GateResult(False, f"the reference window is too short: {reason}", _days(one))
    mine, theirs = score_of_record(one.ic), score_of_record(other.ic)
    low, high = paired_bootstrap(one.ic, other.ic, block=WORST_DAYS)
    error = _deviation(other.ic) / math.sqrt(WORST_DAYS)
    figures = {
        **_days(one),
        "score": mine,
        "champion_score": theirs,
        "improvement": _relative(mine - theirs, theirs),
        "low": low,
        "high": high,
        "std_ic": _deviation(one.ic),
        "champion_std_ic": _deviation(other.ic),
        "worst_20": worst_mean(one.ic),
        "champion_worst_20": worst_mean(other.ic),
    }
    refusals = {
        f"not {limits.improvement:.0%} better": mine - theirs < limits.improvement * abs(theirs)
        or not mine > theirs,
        "the lower bound of the difference is not above 0": not low > 0,
        "daily ICs deviate more": _deviation(one.ic)
        > (1 + limits.deviation) * _deviation(other.ic),
        "its worst 20 days are worse": worst_mean(one.ic) < worst_mean(other.ic) - error,
    }
    found = [reason for reason, refused in refusals.items() if refused]
    return GateResult(not found, "; ".join(found) or "better, surely, and as stable", figures)


def check_challenger(
    challenger: TrackRecord, champion: TrackRecord, limits: Thresholds
) -> GateResult:
    """Whether a challenger is no worse than the champion on the days that both forecast live.

    It does not hold if its mean IC is more than ``tolerance`` below the champion's and the paired
    t-statistic of the daily differences is below ``noise``.
    """
    one, other = pair_records(challenger, champion)
    if not len(one.days):
        return GateResult(True, "no day is judged yet", _days(one))
    difference = one.ic - other.ic
    mine, theirs = float(one.ic.mean()), float(other.ic.mean())
    t = t_statistic(difference)
    figures = {**_days(one), "mean_ic": mine, "champion_mean_ic": theirs, "t": t}
    worse = mine < theirs - limits.tolerance * abs(theirs) and t < limits.noise
    below = f"{_percent(theirs - mine, theirs)} below the champion's, t {t:.1f}"
    return GateResult(not worse, f"mean IC {below}" if worse else "it holds", figures)


def check_submitted(
    published: TrackRecord, champion: TrackRecord, limits: Thresholds
) -> GateResult:
    """Whether what is published scores as the champion it is changed from would have.

    On the newest ``probation_days`` common days. It does not if its score is more than
    ``tolerance`` below; fewer than ``judged_days`` days say nothing.
    """
    one, other = (x.last(limits.probation_days) for x in pair_records(published, champion))
    if len(one.days) < limits.judged_days:
        return GateResult(True, "too few days are judged yet", _days(one))
    mine, theirs = score_of_record(one.ic), score_of_record(other.ic)
    figures = {**_days(one), "published_score": mine, "champion_score": theirs}
    worse = mine < theirs - limits.tolerance * abs(theirs)
    below = f"{_percent(theirs - mine, theirs)} below the champion's"
    return GateResult(not worse, f"published score {below}" if worse else "it keeps up", figures)


def score_of_record(ic: FloatArray) -> float:
    """Mean over population standard deviation of daily ICs; 0 where they do not vary."""
    return score_of_ic(ic) if len(ic) and np.ptp(ic) > 0 else 0.0


def worst_mean(ic: FloatArray) -> float:
    """Lowest mean of WORST_DAYS consecutive days; of all where there are fewer."""
    width = min(WORST_DAYS, len(ic))
    return float(np.lib.stride_tricks.sliding_window_view(ic, width).mean(axis=1).min())


def t_statistic(difference: FloatArray) -> float:
    """Of the mean; 0 for a single day, plus or minus infinity where all are the same."""
    n = len(difference)
    if n < 2 or not difference.any():
        return 0.0
    mean = float(difference.mean())
    if np.ptp(difference) == 0:
        return math.copysign(math.inf, mean)
    return mean / (float(difference.std(ddof=1)) / math.sqrt(n))


def _deviation(ic: FloatArray) -> float:
    return float(np.std(ic))


def _relative(difference: float, base: float) -> float | None:
    return difference / abs(base) if base else None


def _percent(difference: float, base: float) -> str:
    share = _relative(difference, base)
    return "far" if share is None else f"{share:.0%}"


def _days(record: TrackRecord) -> dict[str, float | int | None]:
    return {"days": len(record.days)}
