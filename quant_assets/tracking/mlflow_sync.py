"""Synchronisation of MLflow with the lake: all fits, all releases, and their aliases.

A fit is recorded by ``tracking.fit_runs``, and a release by ``tracking.release_runs``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quant_assets.lake.schemas.forecast_tables import TRACKED_FITS
from quant_assets.lake.schemas.promotion_tables import TRACKED_RELEASES
from quant_assets.lake.store.lake import Lake, WriteResult
from quant_assets.promotion.release_store import Release, read_releases
from quant_assets.tracking import fit_runs, release_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

TABLES = (TRACKED_FITS, TRACKED_RELEASES)


@dataclass(frozen=True)
class DesiredState:
    """The fits, releases and aliases that MLflow should have.

    Attributes:
        fits: fits of all families.
        fit_aliases: alias of a fit by its fingerprint.
        releases: all releases.
        in_force: release by alias.
    """

    fits: Sequence[fit_runs.Fit]
    fit_aliases: Mapping[str, str]
    releases: Sequence[Release]
    in_force: Mapping[str, Release]

    @classmethod
    def read(cls, lake: Lake, families: Sequence[str], *, whole: bool = True) -> "DesiredState":
        """Read the desired state from the lake.

        Args:
            lake: the lake.
            families: families whose fits are read.
            whole: whether to read all columns; without them only :meth:`is_recorded` works.
        """
        fits = fit_runs.read_stored_fits(lake, families, whole=whole)
        releases = read_releases(lake)
        in_force = release_runs.read_releases_in_force(lake, releases)
        return cls(fits, fit_runs.find_fit_aliases(lake, fits, in_force), releases, in_force)

    def is_recorded(self, lake: Lake) -> bool:
        """Return whether, by the lake's tables, MLflow has exactly this state."""
        return fit_runs.are_fits_recorded(
            lake, self.fits, self.fit_aliases
        ) and release_runs.are_releases_recorded(lake, self.releases, self.in_force)


@dataclass(frozen=True)
class SyncResult:
    """The outcome of recording all fits, or all releases.

    Attributes:
        written: result of writing ``tracking.fits`` or ``tracking.releases``.
        missing: fits or releases that were not recorded, because a model is missing or altered.
    """

    written: WriteResult
    missing: tuple[str, ...]


def synchronise(
    lake: Lake, client: "MlflowClient", parent: "Run", families: Sequence[str], models: Path
) -> tuple[SyncResult, SyncResult]:
    """Record the fits and releases that MLflow lacks, and set its aliases.

    The tables ``tracking.fits`` and ``tracking.releases`` then list the fits and releases that
    MLflow has. Returns the results for fits and for releases.

    Args:
        lake: the lake. No other process records while it is read and written, so that its tables
            describe the current state of MLflow.
        client: client of the MLflow store, which no other process writes meanwhile.
        parent: run that is the parent of new runs.
        families: families whose fits are recorded.
        models: folder of the fitted models.
    """
    wanted = DesiredState.read(lake, families)
    fits = fit_runs.record_fits(client, parent, wanted.fits, wanted.fit_aliases, models)
    releases = release_runs.record_releases(
        client, parent, wanted.releases, wanted.in_force, models
    )
    rows = release_runs.tracked_release_rows(wanted.releases, releases, wanted.in_force)
    lacking = tuple(
        f"{fit['family']} as of {fit['trading_day']}"
        for fit in wanted.fits
        if fit["fingerprint"] not in fits
    )
    return (
        SyncResult(
            lake.replace_all(TRACKED_FITS, fit_runs.tracked_fit_rows(fits, wanted.fit_aliases)),
            lacking,
        ),
        SyncResult(
            lake.replace_all(TRACKED_RELEASES, rows),
            tuple(release.name for release in wanted.releases if release.name not in releases),
        ),
    )


def clear_recorded(lake: Lake) -> None:
    """Delete all rows of the tracking tables, for a new MLflow store that is still empty."""
    for table in TABLES:
        if lake.has(table):
            lake.replace_all(table, {column.name: [] for column in table.columns})
