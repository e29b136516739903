"""Daily ICs of releases: as stored, and as what was known on a day.

What follows from them is decided in ``promotion.rules``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, DayArray
from quant_assets.lake.schemas.promotion_tables import LIVE, RECORDS, SUBMITTED_NAME, WALK_FORWARD
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.gates import TrackRecord
from quant_assets.promotion.release_store import Release
from quant_assets.promotion.rules import Evidence


@dataclass
class TrackRecords:
    """Records as columns, and what of them was known on a day.

    Attributes:
        columns: release, trading_day, released_on, ic and origin, by name.
    """

    columns: dict[str, AnyArray]

    def before(self, start: date) -> "TrackRecords":
        """What a day from ``start`` on begins with: its own rows are made again."""
        known = self.columns["released_on"] < np.datetime64(start)
        return self._where(self._walked() | known)

    def add(self, release: str, judged: date, day: date, ic: float) -> None:
        """A live IC that became known."""
        new = (release, judged, day, ic, LIVE)
        for (name, values), value in zip(self.columns.items(), new, strict=True):
            self.columns[name] = np.append(values, np.array([value], values.dtype))

    def rows_from(self, start: date) -> dict[str, AnyArray]:
        """Rows of ``promotion.records`` released from a day on."""
        return self._where(self.columns["released_on"] >= np.datetime64(start)).columns

    @classmethod
    def read(cls, lake: Lake, until: date) -> "TrackRecords":
        """The stored ones known by a day."""
        names = [column.name for column in RECORDS.columns]
        if not lake.has(RECORDS):
            types = ["object", "datetime64[D]", "datetime64[D]", "float64", "object"]
            return cls({n: np.empty(0, t) for n, t in zip(names, types, strict=True)})
        found = lake.columns(
            f"SELECT {', '.join(names)} FROM {RECORDS.quoted} WHERE released_on <= ?"
            " ORDER BY released_on, trading_day, release, origin",
            [until],
        )
        days = {name: found[name].astype("datetime64[D]") for name in names[1:3]}
        return cls({**found, **days})

    def _where(self, wanted: BoolArray) -> "TrackRecords":
        return TrackRecords({name: values[wanted] for name, values in self.columns.items()})

    def _walked(self) -> BoolArray:
        """(n,) which rows were taken over from a walk-forward."""
        return np.asarray(self.columns["origin"] == WALK_FORWARD, dtype=bool)

    def evidence(self, day: date, days: DayArray, registered: Sequence[Release]) -> Evidence:
        """What is known at the close of a day; releases take part after they were made."""
        taking_part = [one for one in registered if one.registered_after < day]
        known = self._where(self.columns["released_on"] <= np.datetime64(day))
        walked = known._walked()
        live = known._where(~walked)._records()
        walks = known._where(walked)._records()
        merged = {name: _merged(walks.get(name), live.get(name)) for name in {*walks, *live}}
        return Evidence(
            day,
            days[days <= np.datetime64(day)],
            tuple(one.name for one in taking_part),
            live,
            merged,
            {one.name: one.no_record for one in taking_part if one.no_record},
            live.get(SUBMITTED_NAME, TrackRecord.empty()),
        )

    def walk_forward_of(self, release: str) -> TrackRecord:
        """What a release took over from its recipe's walk-forward."""
        return self._where(self._walked())._records().get(release, TrackRecord.empty())

    def _records(self) -> dict[str, TrackRecord]:
        """By release, ascending by day."""
        columns = self.columns
        names, of_row = np.unique(columns["release"].astype(str), return_inverse=True)
        order = np.lexsort((columns["trading_day"], of_row))
        ends = np.searchsorted(of_row[order], np.arange(len(names) + 1))
        days, ic = columns["trading_day"][order], columns["ic"][order]
        return {
            name: TrackRecord(days[first:last], ic[first:last])
            for name, first, last in zip(names.tolist(), ends[:-1], ends[1:], strict=True)
        }


def _merged(walk: TrackRecord | None, live: TrackRecord | None) -> TrackRecord:
    """Live ICs, and the walk-forward's on other days."""
    if walk is None or live is None:
        return live or walk or TrackRecord.empty()
    others = ~np.isin(walk.days, live.days)
    days = np.concatenate([walk.days[others], live.days])
    order = np.argsort(days, kind="stable")
    return TrackRecord(days[order], np.concatenate([walk.ic[others], live.ic])[order])
