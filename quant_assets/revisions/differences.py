"""What changed in days that were stored: the exact differences of two price tables.

A pure function of two tables. Which parts of the tables need comparing is in
``revisions.comparison``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray, FloatArray, IntArray
from quant_assets.revisions.digests import cell_bits
from quant_assets.sources.deliveries import Action, PriceTable

Kind = Literal[
    "restated",
    "corrected",
    "withdrawn",
    "inserted",
    "renumbered",
    "reviewed",
    "split",
    "dividend",
]
"""What changed the past: the source; or, if reviewed, a person's decision about one cell."""
# Fewer observations with one factor are corrections: any two values have a factor.
_LEAST_RESTATED = 5
_EXACT = 1e-12
_MOST_DECIMALS, _SAMPLE = 10, 64


@dataclass(frozen=True)
class Revision:
    """One change of the past, by the source or by a person's decision.

    Attributes:
        kind: restated, all values of a range times one factor; corrected, one cell; withdrawn or
            inserted, a whole day; renumbered, other numbers of the days of a range; reviewed, one
            cell that a person decided about; split or dividend, that of a day.
        first: the day, or the first day of the range.
        last: the last day of the range; ``first`` without a range.
        column: name of the series, for a split or dividend that of the close; empty if the whole
            day changed.
        before: stored value, number, split or dividend of ``first``; NaN if empty.
        after: the source's value, or number, now; NaN if empty, or if a person rejected it.
        factor: after divided by before over the range; NaN unless restated.
        cells: number of changed cells; 0 if the whole day changed.
    """

    kind: Kind
    first: date
    last: date
    column: str = ""
    before: float = float("nan")
    after: float = float("nan")
    factor: float = float("nan")
    cells: int = 0


def find_differences(stored: PriceTable, given: PriceTable) -> list[Revision]:
    """Find what differs between stored prices and the prices that a source gives now.

    Args:
        stored: stored prices.
        given: the source's prices of the same series, in the same order, and the same span of days.

    Returns:
        The differences: whole days first, then numbers, then series in the order of the columns.
    """
    common, in_stored, in_given = np.intersect1d(stored.days, given.days, return_indices=True)
    before = cell_bits(replace(stored, actions=()))[in_stored]
    after = cell_bits(replace(given, actions=()))[in_given]
    changed = before != after
    return [
        *list_whole_days("withdrawn", np.setdiff1d(stored.days, given.days)),
        *list_whole_days("inserted", np.setdiff1d(given.days, stored.days)),
        *_find_renumbered(common, stored.date_ids[in_stored], given.date_ids[in_given]),
        *(
            revision
            for i in np.flatnonzero(changed[:, :-1].any(axis=0))
            for revision in _compare_series(
                stored.columns[i],
                common,
                stored.values[in_stored, i],
                given.values[in_given, i],
                changed[:, i],
            )
        ),
        *_compare_actions(stored, given, common),
    ]


def _compare_actions(stored: PriceTable, given: PriceTable, common: DayArray) -> Iterator[Revision]:
    """Yield the splits and dividends that differ on days that both tables have."""
    days = set(common.tolist())
    before, after = (
        {(t.days[a.row].item(), a.instrument): a for a in t.actions} for t in (stored, given)
    )
    for key in sorted(before.keys() | after.keys()):
        day, instrument = key
        if day not in days:
            continue
        old, new = (each.get(key, Action(0, instrument)) for each in (before, after))
        column = given.columns[given.series.close_of[instrument]]
        if old.split != new.split:
            yield Revision("split", day, day, column, old.split, new.split, cells=1)
        if old.dividend != new.dividend:
            yield Revision("dividend", day, day, column, old.dividend, new.dividend, cells=1)


def list_whole_days(kind: Kind, days: DayArray) -> list[Revision]:
    """Return a revision of a kind for each of (n,) days."""
    return [Revision(kind, day, day) for day in days.tolist()]


def _find_renumbered(days: DayArray, before: IntArray, after: IntArray) -> Iterator[Revision]:
    """Yield a revision for each range of days whose numbers moved by the same amount."""
    moved = after - before
    for part in _split_runs(moved):
        first, last = int(part[0]), int(part[-1])
        if moved[first]:
            yield Revision(
                "renumbered",
                days[first].item(),
                days[last].item(),
                before=float(before[first]),
                after=float(after[first]),
                cells=len(part),
            )


def _split_runs(values: IntArray) -> list[IntArray]:
    """Split positions into runs of equal values."""
    if not len(values):
        return []
    return np.split(np.arange(len(values)), np.flatnonzero(np.diff(values)) + 1)


def _compare_series(
    column: str, days: DayArray, before: FloatArray, after: FloatArray, changed: BoolArray
) -> Iterator[Revision]:
    """Yield what changed in one series: ranges restated by a factor, then single cells."""
    single = changed.copy()
    both = np.flatnonzero((before > 0) & (after > 0) & np.isfinite(before) & np.isfinite(after))
    for rows, factor in _find_restated(both, before[both], after[both]):
        of_range = rows[changed[rows]]
        if not len(of_range):
            continue
        single[of_range] = False
        first = of_range[0]
        yield Revision(
            "restated",
            days[first].item(),
            days[of_range[-1]].item(),
            column,
            float(before[first]),
            float(after[first]),
            factor,
            len(of_range),
        )
    for row in np.flatnonzero(single):
        day = days[row].item()
        yield Revision(
            "corrected", day, day, column, float(before[row]), float(after[row]), cells=1
        )


def _find_restated(
    rows: IntArray, before: FloatArray, after: FloatArray
) -> Iterator[tuple[IntArray, float]]:
    """Yield the ranges of rows over which one factor explains all values, and the factor.

    A factor explains a value if the value lies within the rounding of its decimals.
    """
    half_before, half_after = _find_rounding(before), _find_rounding(after)
    least = (after - half_after) / (before + half_before)
    most = (after + half_after) / np.maximum(before - half_before, np.finfo(np.float64).tiny)
    start = 0
    while start < len(rows):
        lower = np.maximum.accumulate(least[start:])
        upper = np.minimum.accumulate(most[start:])
        broken = np.flatnonzero(lower > upper)
        length = int(broken[0]) if len(broken) else len(lower)
        low, high = float(lower[length - 1]), float(upper[length - 1])
        if length >= _LEAST_RESTATED and not low <= 1.0 <= high:
            part = slice(start, start + length)
            factor = float(np.median(after[part] / before[part]))
            yield rows[part], min(max(factor, low), high)
        # No factor explains a value below the smallest normal number.
        start += max(length, 1)


def _find_rounding(values: FloatArray) -> FloatArray:
    """Return half a unit of each value's last place, as far as the values show their rounding.

    Values with a fixed number of decimals have that; values with a fixed number of digits have
    theirs; other values are taken as exact to 1e-12.
    """
    exact = _EXACT * np.abs(values)
    sample = values[:: max(1, len(values) // _SAMPLE)]
    for decimals in range(_MOST_DECIMALS):
        if (np.round(sample, decimals) == sample).all():
            return np.maximum(exact, 0.5 * 10.0**-decimals)
    for digits in (8, _MOST_DECIMALS):
        if all(float(f"{value:.{digits}g}") == value for value in sample.tolist()):
            return np.maximum(exact, 0.5 * 10.0 ** (np.floor(np.log10(values)) + 1 - digits))
    return exact


def describe_differences(revisions: Sequence[Revision]) -> str:
    """Describe revisions in a line, with a part for each kind and each factor."""
    parts = []
    restated = [revision for revision in revisions if revision.kind == "restated"]
    for factor in sorted({f"{revision.factor:.6g}" for revision in restated}):
        same = [revision for revision in restated if f"{revision.factor:.6g}" == factor]
        names = sorted({revision.column for revision in same})
        span = f"{min(r.first for r in same)} to {max(r.last for r in same)}"
        parts.append(f"{_list_names(names)} restated by {factor} over {span}")
    for kind, what in (
        *(
            ("corrected", "cell"),
            ("reviewed", "cell"),
            ("split", "split"),
            ("dividend", "dividend"),
        ),
    ):
        single = [revision for revision in revisions if revision.kind == kind]
        cells = [f"{revision.column} on {revision.first}" for revision in single]
        if single:
            count = f"{len(single)} {what}{'s' * (len(single) > 1)}"
            verb = "corrected" if kind == what else kind
            parts.append(f"{count} {verb}: {_list_names(cells)}")
    whole = {
        kind: [str(revision.first) for revision in revisions if revision.kind == kind]
        for kind in ("withdrawn", "inserted")
    }
    parts += [f"{_list_names(days)} {kind}" for kind, days in whole.items() if days]
    if moved := [revision for revision in revisions if revision.kind == "renumbered"]:
        span = f"{moved[0].first} to {moved[-1].last}"
        parts.append(f"the days from {span} have other numbers")
    return "; ".join(parts)


def _list_names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
