"""The stored daily ICs of all releases, and what of them is known on a day.

The decisions that follow from the evidence are made in ``promotion.rules``.
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
    """Rows of ``promotion.records``: the daily ICs of all releases.

    Attributes:
        columns: release, trading_day, released_on, ic and origin, each an array of n rows.
    """

    columns: dict[str, AnyArray]

    def select_known_before(self, start: date) -> "TrackRecords":
        """Select the walk-forward rows, and the live rows known before ``start``.

        A promotion run that begins on ``start`` adds the later live rows again.
        """
        known = self.columns["released_on"] < np.datetime64(start)
        return self._select(self._is_walk_forward() | known)

    def add_live_ic(self, release: str, forecast_day: date, known_on: date, ic: float) -> None:
        """Add one live IC.

        Args:
            release: name of the release, or of the submitted forecast.
            forecast_day: day of the forecast.
            known_on: day at whose close all labels of ``forecast_day`` are known.
            ic: the IC.
        """
        row = (release, forecast_day, known_on, ic, LIVE)
        for (name, values), value in zip(self.columns.items(), row, strict=True):
            self.columns[name] = np.append(values, np.array([value], values.dtype))

    def rows_known_from(self, start: date) -> dict[str, AnyArray]:
        """Return the rows of ``promotion.records`` that became known on ``start`` or later."""
        return self._select(self.columns["released_on"] >= np.datetime64(start)).columns

    @classmethod
    def read(cls, lake: Lake, until: date) -> "TrackRecords":
        """Read the stored rows that are known by ``until``."""
        names = [column.name for column in RECORDS.columns]
        if not lake.has(RECORDS):
            types = ["object", "datetime64[D]", "datetime64[D]", "float64", "object"]
            return cls({n: np.empty(0, t) for n, t in zip(names, types, strict=True)})
        stored = lake.columns(
            f"SELECT {', '.join(names)} FROM {RECORDS.quoted} WHERE released_on <= ?"
            " ORDER BY released_on, trading_day, release, origin",
            [until],
        )
        days = {name: stored[name].astype("datetime64[D]") for name in names[1:3]}
        return cls({**stored, **days})

    def _select(self, selected: BoolArray) -> "TrackRecords":
        return TrackRecords({name: values[selected] for name, values in self.columns.items()})

    def _is_walk_forward(self) -> BoolArray:
        """(n,) whether a row was taken over from a walk-forward."""
        return np.asarray(self.columns["origin"] == WALK_FORWARD, dtype=bool)

    def collect_evidence(
        self, day: date, trading_days: DayArray, releases: Sequence[Release]
    ) -> Evidence:
        """Collect what is known about releases at the close of a day.

        Args:
            day: the day.
            trading_days: (n,) trading days, ascending; later days than ``day`` are left out.
            releases: all releases. Those registered on ``day`` or later are left out.
        """
        known_releases = [release for release in releases if release.registered_after < day]
        known = self._select(self.columns["released_on"] <= np.datetime64(day))
        from_walk_forward = known._is_walk_forward()
        live = known._select(~from_walk_forward)._split_by_release()
        walks = known._select(from_walk_forward)._split_by_release()
        merged = {name: _merge_records(walks.get(name), live.get(name)) for name in {*walks, *live}}
        return Evidence(
            day,
            trading_days[trading_days <= np.datetime64(day)],
            tuple(release.name for release in known_releases),
            live,
            merged,
            {release.name: release.no_record for release in known_releases if release.no_record},
            live.get(SUBMITTED_NAME, TrackRecord.empty()),
        )

    def walk_forward_record(self, release: str) -> TrackRecord:
        """Return the record that a release took over from its recipe's walk-forward."""
        walks = self._select(self._is_walk_forward())._split_by_release()
        return walks.get(release, TrackRecord.empty())

    def _split_by_release(self) -> dict[str, TrackRecord]:
        columns = self.columns
        names, release_of_row = np.unique(columns["release"].astype(str), return_inverse=True)
        order = np.lexsort((columns["trading_day"], release_of_row))
        ends = np.searchsorted(release_of_row[order], np.arange(len(names) + 1))
        days, ic = columns["trading_day"][order], columns["ic"][order]
        return {
            name: TrackRecord(days[first:last], ic[first:last])
            for name, first, last in zip(names.tolist(), ends[:-1], ends[1:], strict=True)
        }


def _merge_records(walk: TrackRecord | None, live: TrackRecord | None) -> TrackRecord:
    """Merge the live ICs with the walk-forward's ICs of other days."""
    if walk is None or live is None:
        return live or walk or TrackRecord.empty()
    others = ~np.isin(walk.days, live.days)
    days = np.concatenate([walk.days[others], live.days])
    order = np.argsort(days, kind="stable")
    return TrackRecord(days[order], np.concatenate([walk.ic[others], live.ic])[order])
