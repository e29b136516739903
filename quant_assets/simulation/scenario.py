"""What goes wrong in a rehearsal, and when; and by what one sees that the desk noticed.

Days are counted from 0, the first on which the desk is on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BETTER, WORSE = "better challenger", "worse challenger"
CHANNEL_DOWN, RESTARTED = "alert channel down", "daemon restarted"
KILLED, FULL = "run killed", "full disk"
LATE, CORRUPT, CLOSED = "late source", "corrupt file", "market closed"
DRIFTING, BREAK = "drifting feature", "regime break"
FAMILIES = {BETTER: "lightgbm", WORSE: "autoregressive"}
"""What a person has walked forward and trained from then on; the rank prior is always with them."""
ALERTED: Mapping[str, Sequence[str]] = {
    CLOSED: ("check_failed/monitoring/data_quality/within_limits",),
    LATE: ("data_late/{day}",),
    CORRUPT: ("source_unreadable",),
    DRIFTING: (
        "check_failed/monitoring/anomalies/ordinary",
        "check_failed/monitoring/drift/as_trained",
    ),
    BREAK: ("check_failed/monitoring/rolling/as_expected",),
    KILLED: ("run_failed/refresh_daily/{day}",),
    FULL: ("run_failed/refresh_daily/{day}",),
}
"""Keys of the alerts that a fault brings about; by the first it is told. Others are told nobody."""
YEAR_DAYS = 250
_SOON_OVER = 3
_OVER = {BETTER: 25, BREAK: 8}
"""Trading days from a fault's last until a desk that does well has it behind it."""
HURRIED = {
    "PROMOTION_STEP_DAYS": "1",
    "PROMOTION_JUDGED_DAYS": "5",
    "PROMOTION_PROBATION_DAYS": "5",
}
"""Settings with which a challenger gets through its stages in a rehearsal of some weeks."""


@dataclass(frozen=True)
class PlannedFault:
    """Something that goes wrong, or right.

    Attributes:
        kind: what.
        first: day on which it begins.
        last: day on which it ends, included.
        step: of the day's run, at whose start it is done to the desk; empty if it is not.
    """

    kind: str
    first: int
    last: int
    step: str = ""


def _at(kind: str, day: int, last: int | None = None, step: str = "") -> PlannedFault:
    return PlannedFault(kind, day, day if last is None else last, step)


_SHORT: Sequence[PlannedFault] = (
    _at(BETTER, 1),
    _at(CLOSED, 1, 7),
    _at(LATE, 3),
    _at(CHANNEL_DOWN, 3, 4),
    _at(CORRUPT, 6),
    _at(KILLED, 8, step="features__targets"),
    _at(FULL, 10, step="forecasts__families"),
    _at(RESTARTED, 12),
    _at(DRIFTING, 15, 17),
    _at(BREAK, 24, 30),
    _at(WORSE, 33),
)
_YEAR: Sequence[PlannedFault] = (
    _at(BETTER, 3),
    _at(CLOSED, 20, 27),
    _at(LATE, 40),
    _at(CHANNEL_DOWN, 40, 42),
    _at(CORRUPT, 60),
    _at(KILLED, 70, step="features__targets"),
    _at(FULL, 80, step="forecasts__families"),
    _at(RESTARTED, 85),
    _at(DRIFTING, 95, 97),
    _at(BREAK, 140, 159),
    _at(WORSE, 215),
)


def build_scenario(days: int) -> Sequence[PlannedFault]:
    """The faults of a rehearsal of so many days: those of a year, or close together.

    Without those that could not be over by its end.
    """
    if days >= YEAR_DAYS:
        return _YEAR
    return tuple(one for one in _SHORT if one.last + _OVER.get(one.kind, _SOON_OVER) < days)
