"""Reading the universe: members of each day, and the days on which instruments began.

A day without rows in ``validated.universe`` has all instruments: a market whose description says
``universe: all`` has no rows at all.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray
from quant_assets.lake.readers.arrays import day_blocks, day_positions, unit_positions
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.schemas.price_tables import UNIVERSE, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs
from quant_assets.market.universe import UniverseState

ALWAYS = np.datetime64(date.min, "D")
"""The day on which an instrument began that has always been in the universe."""
_NEVER = np.datetime64(date.max, "D")
SETTLED_DAYS = 40
"""Days for which a target is in the universe before most of its features can be known."""


def read_first_closes(lake: Lake, instruments: Sequence[str], end: date) -> DayArray:
    """Read the (k,) days of the instruments' first closes up to a day; NaT without one.

    Args:
        lake: the lake.
        instruments: names of the k instruments.
        end: last day that counts.
    """
    rows = lake.arrow(
        f"SELECT instrument, min(trading_day) AS day FROM {VALIDATED_PRICES.quoted}"
        " WHERE field = 'close' AND value IS NOT NULL AND trading_day <= ? GROUP BY instrument",
        [end],
    )
    first = np.full(len(instruments), np.datetime64("NaT", "D"))
    first[unit_positions(rows["instrument"], instruments)] = rows["day"].to_numpy()
    return first


def read_members(
    lake: Lake, days: DayArray, instruments: Sequence[str], *, silent: bool = False
) -> BoolArray:
    """Read the (n, k) membership of instruments on some days; true on a day without rows.

    Args:
        lake: the lake.
        days: (n,) days, ascending.
        instruments: names of the k instruments.
        silent: whether those that left because they have no prices count as members too.
    """
    outside = [UniverseState.NOT_YET_LISTED.text(1), UniverseState.DELISTED.text(1)]
    members = np.ones((len(days), len(instruments)), dtype=np.bool_)
    if not lake.has(UNIVERSE):
        return members
    for part in day_blocks(len(days), len(instruments)):
        some = days[part]
        rows = lake.arrow(
            f"SELECT trading_day, instrument FROM {UNIVERSE.quoted}"
            " WHERE NOT member AND trading_day BETWEEN ? AND ?"
            " AND trading_day IN (SELECT unnest(?::DATE[]))"
            " AND (NOT ? OR list_contains(?, why))",
            [some[0].item(), some[-1].item(), some.tolist(), silent, outside],
        )
        at = day_positions(rows["trading_day"].to_numpy(), days)
        members[at, unit_positions(rows["instrument"], instruments)] = False
    return members


def digest_outsiders(lake: Lake, start: date, end: date) -> list[str]:
    """Digest which instruments are not in the universe on which days; empty if all always are.

    Args:
        lake: the lake.
        start: first day.
        end: last day.
    """
    if not lake.has(UNIVERSE):
        return []
    rows = lake.columns(
        f"SELECT sum(hash(trading_day, instrument))::VARCHAR AS digest FROM {UNIVERSE.quoted}"
        " WHERE NOT member AND trading_day BETWEEN ? AND ? HAVING count(*) > 0",
        [start, end],
    )
    return list(map(str, rows["digest"]))


def read_target_members(lake: Lake, days: DayArray, pairs: TargetPairs) -> BoolArray:
    """Read the (n, m) targets of which every leg is in the universe; true on a day without rows.

    Args:
        lake: the lake.
        days: (n,) days, ascending.
        pairs: the m targets.
    """
    instruments = sorted({leg for leg in (*pairs.leg_a, *pairs.leg_b) if leg})
    first, second = pairs.legs(instruments)
    # A target without a second leg depends on its first alone.
    members = read_members(lake, days, instruments)
    return np.asarray(members[:, first] & members[:, np.where(second < 0, first, second)])


def find_settled_targets(lake: Lake, pairs: TargetPairs, days: DayArray) -> BoolArray:
    """Find the (n, m) targets in the universe on each day, and ``SETTLED_DAYS`` before.

    No target is settled on the first days of validated prices.

    Args:
        lake: the lake.
        pairs: the m targets.
        days: (n,) days of validated prices, ascending.
    """
    known = read_days(lake, VALIDATED_PRICES)
    before = np.searchsorted(known, days) - SETTLED_DAYS
    settled = read_target_members(lake, days, pairs) & (before >= 0)[:, None]
    earlier, at = np.unique(np.maximum(before, 0), return_inverse=True)
    result: BoolArray = settled & read_target_members(lake, known[earlier], pairs)[at]
    return result


def read_begins(lake: Lake, instruments: Sequence[str]) -> DayArray:
    """Read the (k,) days on which instruments came into the universe first.

    It is ``ALWAYS`` for those that were there on the first day with a universe, since a lake of an
    earlier version has days before it; for all if the lake keeps no universe; and the last of all
    days for an instrument that has not begun.
    """
    begins = np.full(len(instruments), ALWAYS)
    if not lake.has(UNIVERSE):
        return begins
    rows = lake.arrow(
        "SELECT instrument, min(trading_day) FILTER (member) AS day,"
        " min(min(trading_day)) OVER () AS beginning"
        f" FROM {UNIVERSE.quoted} GROUP BY instrument"
    )
    known, beginning = (rows[x].to_numpy().astype("datetime64[D]") for x in ("day", "beginning"))
    known = np.where(np.isnat(known), _NEVER, np.where(known == beginning, ALWAYS, known))
    begins[unit_positions(rows["instrument"], instruments)] = known
    return begins


def find_expected_targets(
    lake: Lake, pairs: TargetPairs, days: DayArray, fit_as_of: DayArray
) -> BoolArray:
    """Find the (n, m) targets that have a forecast to be submitted on each of n days.

    Every leg of these targets is in the universe on the day, and had begun when the fit was made.

    Args:
        lake: the lake.
        pairs: the m targets.
        days: (n,) forecast days, ascending.
        fit_as_of: (n,) as-of day of the newest fit that forecast each day.
    """
    return read_target_members(lake, days, pairs) & find_begun_targets(lake, pairs, fit_as_of)


def find_begun_targets(lake: Lake, pairs: TargetPairs, as_of: DayArray) -> BoolArray:
    """Find the (n, m) targets of which every leg had come into the universe by each of n days."""
    instruments = sorted({leg for leg in (*pairs.leg_a, *pairs.leg_b) if leg})
    begins = read_begins(lake, instruments)
    first, second = pairs.legs(instruments)
    latest = np.maximum(begins[first], begins[np.where(second < 0, first, second)])
    return np.asarray(latest[None, :] <= as_of[:, None])
