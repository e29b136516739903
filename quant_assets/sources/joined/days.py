"""Which days of several sources have come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from quant_assets.core.typing import DayArray


@dataclass(frozen=True)
class SourceDays:
    """The days of a source.

    Attributes:
        name: name of the source.
        days: (n,) its trading days that have come, ascending.
        is_first: whether it comes first for some series, so that newer days wait for it.
        problem: why its newest days are not there; empty if all are.
    """

    name: str
    days: DayArray
    is_first: bool
    problem: str = ""

    def lacks(self, day: np.datetime64) -> bool:
        """Whether a newer day than those of the source has to wait for it."""
        return self.is_first and not (self.days >= day).any()


@dataclass(frozen=True)
class JoinedDays:
    """The days of several sources.

    Attributes:
        days: (n,) days that have come, ascending.
        sources: the days of each source.
        waiting: why newer days have not come, and which source lacks the newest; empty if none.
    """

    days: DayArray
    sources: tuple[SourceDays, ...]
    waiting: str


def join_days(
    sources: Sequence[SourceDays],
    late_at: Callable[[date], datetime],
    now: datetime,
    count_closes: Callable[[DayArray], Sequence[int]],
) -> JoinedDays:
    """Find the days of several sources that have come.

    A day has come when each source that comes first for some series has it or a later one. When its
    missing prices are late, it has come if it has at least half as many closes of all sources as
    the day before, and one at least.

    Args:
        sources: the sources.
        late_at: returns the moment from which missing prices of a day are late.
        now: the present moment.
        count_closes: returns the number of closes of all sources on each of some consecutive days.
    """
    every = np.unique(np.concatenate([each.days for each in sources]))
    count, reasons = (
        len(every),
        [f"{each.name}: {each.problem}" for each in sources if each.problem],
    )
    reason = ""
    while count:
        day = every[count - 1]
        lacking = ", ".join(each.name for each in sources if each.lacks(day))
        if not lacking:
            break
        if late_at(day.item()) <= now:
            *before, closes = count_closes(every[max(count - 2, 0) : count])
            if closes and 2 * closes >= sum(before):
                reason = reason or f"{lacking} lacks {day}, and other sources count"
                break
            reason = f"{day} has {closes:,} closes without {lacking}, which is too few"
        else:
            late = late_at(day.item()).astimezone(UTC)
            reason = f"{day} waits for {lacking} until {late:%Y-%m-%d %H:%M} UTC"
        count -= 1
    waiting = "; ".join(filter(None, (reason, *reasons)))
    return JoinedDays(every[:count], tuple(sources), waiting)
