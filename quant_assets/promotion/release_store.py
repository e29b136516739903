"""Releases and decisions as stored, and as records.

Daily ICs are in ``promotion.records``; what is decided, in ``promotion.rules``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from quant_assets.core.errors import PromotionError
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES, SUBMITTED_FORECASTS
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.promotion_state import Decision, PromotionState, fold_decisions

CHAMPION, CHALLENGER = "champion", "challenger"
_ORDER = {name: i for i, name in enumerate(FAMILIES)}


@dataclass(frozen=True)
class ReleaseFit:
    """One family's part of a release.

    Attributes:
        family: its name.
        fit_as_of: as-of day of the fit.
        fingerprint: digest of all that the fit depends on.
        artifact: file of the model.
        sha256: digest of that file.
        pinned: whether this very fit forecasts, and not the family's newest.
        weight: learnt by the release's as-of day.
        features_version: of the features that the fit was made on; None if nobody wrote it down.
    """

    family: str
    fit_as_of: date
    fingerprint: str
    artifact: str
    sha256: str
    pinned: bool
    weight: float
    features_version: str | None = None


@dataclass(frozen=True)
class Release:
    """Fits that go into force together.

    Attributes:
        name: its id.
        as_of: day up to which its fits know.
        fits: one a family.
        recipe: digest of families, parameters and code.
        registered_after: it takes part from the day after.
        place: among all releases, in the order in which they were made, from 1.
        no_record: why it has no walk-forward record; None if it has one.
    """

    name: str
    as_of: date
    fits: tuple[ReleaseFit, ...]
    recipe: str
    registered_after: date
    place: int
    no_record: str | None = None

    @property
    def families(self) -> tuple[str, ...]:
        """Its families."""
        return tuple(fit.family for fit in self.fits)


def thresholds_from_settings(settings: Settings) -> Thresholds:
    """The thresholds that the settings name."""
    return Thresholds(
        shares=settings.shares(),
        improvement=settings.promotion_improvement,
        min_days=settings.promotion_min_days,
        shadow_days=settings.promotion_shadow_days,
        step_days=settings.promotion_step_days,
        tolerance=settings.promotion_tolerance,
        judged_days=settings.promotion_judged_days,
        probation_days=settings.promotion_probation_days,
    )


@contextmanager
def lock_promotion(settings: Settings, patience: float = 60.0) -> Iterator[None]:
    """Alone with releases and decisions, from reading what is in force to writing what follows.

    Raises:
        PromotionError: somebody else decides all the time.
    """
    settings.lake_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(Path(settings.lake_dir) / "promotion.lock", patience, poll_interval=0.005)
    try:
        lock.acquire()
    except Timeout:
        raise PromotionError(
            "another process is deciding about releases",
            where=lock.lock_file,
            expected=f"an end within {patience:.0f} s",
            hint="nothing has changed; try again",
        ) from None
    try:
        yield
    finally:
        lock.release()


def read_releases(lake: Lake) -> list[Release]:
    """All releases, in the order in which they take part; of one day, as they were made."""
    if not lake.has(RELEASES):
        return []
    rows = lake.arrow(
        f"FROM {RELEASES.quoted} ORDER BY registered_after, trading_day, place, family"
    ).to_pylist()
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["release"], []).append(row)
    return [_release(name, of_release) for name, of_release in grouped.items()]


def _release(name: str, rows: Sequence[Mapping[str, Any]]) -> Release:
    first = rows[0]
    # In the ensemble's order: sums in another one differ in their last bits.
    ordered = sorted(rows, key=lambda row: _ORDER.get(row["family"], len(_ORDER)))
    return Release(
        name,
        first["trading_day"],
        # A lake in which no release was made since has no features_version.
        tuple(
            ReleaseFit(**{x.name: row[x.name] for x in fields(ReleaseFit) if x.name in row})
            for row in ordered
        ),
        first["recipe"],
        first["registered_after"],
        first["place"],
        first["no_record"],
    )


def release_rows(release: Release) -> dict[str, list[Any]]:
    """Rows of ``promotion.releases``."""
    shared = {
        "release": release.name,
        "trading_day": release.as_of,
        "recipe": release.recipe,
        "registered_after": release.registered_after,
        "place": release.place,
        "no_record": release.no_record,
    }
    rows = [{**asdict(fit), **shared} for fit in release.fits]
    return _columns([column.name for column in RELEASES.columns], rows)


def read_decisions(lake: Lake, until: date | None = None) -> list[Decision]:
    """All decisions in order, or those in force on a day."""
    if not lake.has(DECISIONS):
        return []
    names = [one.name for one in fields(Decision)]
    rows = lake.arrow(
        f"SELECT {', '.join(names)} FROM {DECISIONS.quoted} WHERE trading_day <= ?"
        " ORDER BY trading_day, sequence",
        [until or date.max],
    )
    return [Decision(**row) for row in rows.to_pylist()]


def decision_rows(made: Sequence[Decision]) -> dict[str, list[Any]]:
    """Rows of ``promotion.decisions``."""
    rows = [{"decision": one.decision, **asdict(one)} for one in made]
    return _columns([column.name for column in DECISIONS.columns], rows)


def _columns(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}


def read_state(lake: Lake) -> PromotionState:
    """What all decisions leave."""
    return fold_decisions(read_decisions(lake))


def read_aliases(lake: Lake) -> dict[str, str]:
    """Release by alias, champion and challenger; what has none is left out."""
    state = read_state(lake)
    named = {CHAMPION: state.champion, CHALLENGER: state.challenger}
    return {alias: release for alias, release in named.items() if release}


def find_unsubmitted_parts(lake: Lake, start: date, end: date) -> list[tuple[date, date]]:
    """The parts of a range, in order, that are not published for good.

    These are the days before and after all that a release published, and those between that
    nothing was published for, whose prices came late.
    """
    if not lake.has(SUBMITTED_FORECASTS):
        return [(start, end)]
    found = lake.arrow(
        "SELECT min(trading_day) AS first, max(trading_day) AS last"
        f" FROM {SUBMITTED_FORECASTS.quoted}"
        " WHERE trading_day BETWEEN ? AND ? AND champion IS NOT NULL",
        [start, end],
    ).to_pylist()[0]
    if found["first"] is None:
        return [(start, end)]
    day = timedelta(days=1)
    parts = [
        (start, found["first"] - day),
        *((one, one) for one in _between(lake, found["first"], found["last"])),
        (found["last"] + day, end),
    ]
    return [(first, last) for first, last in parts if first <= last]


def _between(lake: Lake, first: date, last: date) -> list[date]:
    """Days with features that nothing was published for."""
    known = read_known_days(lake, last)
    stored = lake.columns(
        f"SELECT DISTINCT trading_day AS day FROM {SUBMITTED_FORECASTS.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        [first, last],
    )["day"].astype("datetime64[D]")
    missing: list[date] = np.setdiff1d(known[known >= np.datetime64(first)], stored).tolist()
    return missing


def read_newest_submitted_day(lake: Lake) -> date | None:
    """The last day published; None before the first."""
    return read_newest_day(lake, SUBMITTED_FORECASTS)
