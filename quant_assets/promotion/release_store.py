"""Reading and writing releases and decisions, and the lock around them.

Daily ICs are in ``promotion.track_records``, the making of a release in
``promotion.release_creation``, the rules in ``promotion.rules``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from quant_assets.core.errors import PromotionError
from quant_assets.core.locks import hold_lock
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.promotion_state import Decision, PromotionState, fold_decisions

CHAMPION, CHALLENGER = "champion", "challenger"
_ORDER = {name: i for i, name in enumerate(FAMILIES)}


@dataclass(frozen=True)
class ReleaseFit:
    """The fit of one family in a release; columns of ``promotion.releases``.

    Attributes:
        family: name of the family.
        fit_as_of: as-of day of the fit.
        fingerprint: digest of everything that the fit depends on.
        artifact: file of the fitted model, below the artifacts folder.
        sha256: digest of that file.
        pinned: whether this fit forecasts; otherwise the family's newest fit does.
        weight: the family's weight as of the release's as-of day.
        features_version: version of the features that the fit was made on; None if unknown.
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
    """Fits of several families that go into force together.

    Attributes:
        name: the release's id.
        as_of: as-of day of its fits.
        fits: one fit for each family.
        recipe: digest of families, parameters and code.
        registered_after: newest submitted day when the release was made, or its as-of day if that
            is later; the release takes part from the next day on.
        place: its number, from 1, in the order in which releases were made.
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
        """Names of the release's families, in the order of its fits."""
        return tuple(fit.family for fit in self.fits)


def thresholds_from_settings(settings: Settings) -> Thresholds:
    """Build the thresholds from the settings."""
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
def lock_promotion(settings: Settings, timeout: float = 60.0) -> Iterator[None]:
    """Hold the lock on releases and decisions while the context lasts.

    Args:
        settings: name the lake's directory, in which the lock file lies.
        timeout: seconds to wait for another process that holds the lock.

    Raises:
        PromotionError: another process held the lock until the timeout.
    """
    lock, problem = (
        settings.lake_dir / "promotion.lock",
        "another process is deciding about releases",
    )
    with hold_lock(lock, timeout, PromotionError, problem):
        yield


def read_releases(lake: Lake) -> list[Release]:
    """Read all releases in the order in which they take part.

    Releases that take part from the same day are ordered by their as-of days, and those of the
    same as-of day by the order in which they were made.
    """
    if not lake.has(RELEASES):
        return []
    rows = lake.arrow(
        f"FROM {RELEASES.quoted} ORDER BY registered_after, trading_day, place, family"
    ).to_pylist()
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["release"], []).append(row)
    return [_build_release(name, of_release) for name, of_release in grouped.items()]


def _build_release(name: str, rows: Sequence[Mapping[str, Any]]) -> Release:
    first = rows[0]
    # In the ensemble's order of families: sums in another order differ in their last bits.
    ordered = sorted(rows, key=lambda row: _ORDER.get(row["family"], len(_ORDER)))
    return Release(
        name,
        first["trading_day"],
        # A table last written by an older version of this code has no features_version.
        tuple(
            ReleaseFit(
                **{
                    column.name: row[column.name]
                    for column in fields(ReleaseFit)
                    if column.name in row
                }
            )
            for row in ordered
        ),
        first["recipe"],
        first["registered_after"],
        first["place"],
        first["no_record"],
    )


def release_rows(release: Release) -> dict[str, list[Any]]:
    """Build the rows of ``promotion.releases`` for a release, as columns."""
    of_release = {
        "release": release.name,
        "trading_day": release.as_of,
        "recipe": release.recipe,
        "registered_after": release.registered_after,
        "place": release.place,
        "no_record": release.no_record,
    }
    rows = [{**asdict(fit), **of_release} for fit in release.fits]
    return _to_columns([column.name for column in RELEASES.columns], rows)


def read_decisions(lake: Lake, until: date | None = None) -> list[Decision]:
    """Read the decisions in force by ``until``, or all of them, in order."""
    if not lake.has(DECISIONS):
        return []
    names = [
        column.name
        for column in fields(Decision)
        if column.name != "stored_at" or lake.has_column(DECISIONS, "stored_at")
    ]
    rows = lake.arrow(
        f"SELECT {', '.join(names)} FROM {DECISIONS.quoted} WHERE trading_day <= ?"
        " ORDER BY trading_day, sequence",
        [until or date.max],
    )
    return [Decision(**row) for row in rows.to_pylist()]


def decision_rows(decisions: Sequence[Decision], now: datetime) -> dict[str, list[Any]]:
    """Build the rows of ``promotion.decisions``, as columns.

    Args:
        decisions: the decisions; those that were stored before keep the moment.
        now: the present moment, UTC.
    """
    moment = now.replace(tzinfo=None)
    rows = [
        {
            "decision": decision.decision,
            **asdict(decision),
            "stored_at": decision.stored_at or moment,
        }
        for decision in decisions
    ]
    return _to_columns([column.name for column in DECISIONS.columns], rows)


def _to_columns(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}


def read_state(lake: Lake) -> PromotionState:
    """Read the state after all stored decisions."""
    return fold_decisions(read_decisions(lake))


def read_aliases(lake: Lake) -> dict[str, str]:
    """Read the releases that are champion and challenger now, by these aliases; absent if none."""
    state = read_state(lake)
    releases = {CHAMPION: state.champion, CHALLENGER: state.challenger}
    return {alias: release for alias, release in releases.items() if release}
