"""What goes wrong in a rehearsal, and when: the faults, and the moments at which they are planted.

Days are counted from 0, the first on which the desk is on.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
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


BETTER, WORSE = "better challenger", "worse challenger"
CHALLENGERS = (BETTER, WORSE)
FAMILIES = {BETTER: "lightgbm", WORSE: "autoregressive"}
"""What a person has walked forward and trained from then on; the rank prior is always with them."""
ALERTED = {
    "market closed": ("check_failed/monitoring/data_quality/",),
    "late source": ("data_late/",),
    "corrupt file": ("source_unreadable",),
    "drifting feature": ("check_failed/monitoring/drift/",),
    "regime break": ("check_failed/monitoring/rolling/",),
    "run killed": ("run_failed/",),
    "full disk": ("run_failed/",),
}
"""Beginnings of the keys under which a fault is told; the others are told nobody."""


def _at(kind: str, day: int, last: int | None = None, step: str = "") -> Fault:
    return Fault(kind, day, day if last is None else last, step)


SHORT: Sequence[Fault] = (
    _at("better challenger", 1),
    _at("market closed", 2),
    _at("late source", 4),
    _at("alert channel down", 4, 5),
    _at("corrupt file", 6),
    _at("run killed", 8, step="features__targets"),
    _at("full disk", 10, step="forecasts__families"),
    _at("daemon restarted", 12),
    _at("drifting feature", 13, 15),
    _at("regime break", 16, 23),
    _at("worse challenger", 26),
)
YEAR: Sequence[Fault] = (
    _at("market closed", 8),
    _at("better challenger", 12),
    _at("late source", 40),
    _at("alert channel down", 40, 42),
    _at("corrupt file", 60),
    _at("drifting feature", 75, 84),
    _at("run killed", 100, step="features__targets"),
    _at("full disk", 115, step="forecasts__families"),
    _at("daemon restarted", 120),
    _at("regime break", 130, 149),
    _at("worse challenger", 200),
)


def script(days: int) -> Sequence[Fault]:
    """The faults of a rehearsal of so many days: those of a year, or all of them close together."""
    return YEAR if days >= 250 else tuple(fault for fault in SHORT if fault.last < days)
