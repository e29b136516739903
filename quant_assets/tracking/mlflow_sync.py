"""MLflow brought up to date with the lake: all fits, all releases, their aliases.

How a fit or a release is recorded belongs in ``tracking.fit_runs`` and ``tracking.release_runs``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quant_assets.lake.schemas.promotion_tables import TRACKED_RELEASES
from quant_assets.lake.schemas.tables import TRACKED_FITS
from quant_assets.lake.store.lake import Lake, WriteResult
from quant_assets.promotion.release_store import Release, read_releases
from quant_assets.tracking import fit_runs as of_fits
from quant_assets.tracking import release_runs as of_releases

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

TABLES = (TRACKED_FITS, TRACKED_RELEASES)


@dataclass(frozen=True)
class DesiredState:
    """What MLflow is to hold.

    Attributes:
        fits: fits of all families.
        named: alias of a fit by its fingerprint.
        releases: all releases.
        in_force: release by alias.
    """

    fits: Sequence[of_fits.Fit]
    named: Mapping[str, str]
    releases: Sequence[Release]
    in_force: Mapping[str, Release]

    @classmethod
    def read(cls, lake: Lake, families: Sequence[str], *, whole: bool = True) -> "DesiredState":
        """Read it from the lake.

        Args:
            lake: the lake.
            families: whose fits.
            whole: whether all columns are read; without them only :meth:`is_recorded` works.
        """
        fits, made = of_fits.read_stored_fits(lake, families, whole=whole), read_releases(lake)
        in_force = of_releases.read_releases_in_force(lake, made)
        return cls(fits, of_fits.find_fit_aliases(lake, fits, in_force), made, in_force)

    def is_recorded(self, lake: Lake) -> bool:
        """Return whether the lake's tables say that MLflow holds exactly this."""
        return of_fits.are_fits_recorded(
            lake, self.fits, self.named
        ) and of_releases.are_releases_recorded(lake, self.releases, self.in_force)


@dataclass(frozen=True)
class SyncResult:
    """The outcome of recording all fits, or all releases.

    Attributes:
        written: rows of the table about them.
        missing: fits or releases that were not recorded: a model is missing or altered.
    """

    written: WriteResult
    missing: tuple[str, ...]


def synchronise(
    lake: Lake, client: "MlflowClient", parent: "Run", families: Sequence[str], models: Path
) -> tuple[SyncResult, SyncResult]:
    """Record fits and releases that MLflow lacks, move its aliases, and list what it holds.

    Args:
        lake: read and written while no other process records, so that its tables never describe
            what another run has changed meanwhile.
        client: of the store, which no other process writes meanwhile.
        parent: run that is the parent of new runs.
        families: whose fits.
        models: folder of the fitted models.
    """
    wanted = DesiredState.read(lake, families)
    fits = of_fits.record_fits(client, parent, wanted.fits, wanted.named, models)
    made = of_releases.record_releases(client, parent, wanted.releases, wanted.in_force, models)
    rows = of_releases.tracked_release_rows(wanted.releases, made, wanted.in_force)
    lacking = tuple(
        f"{fit['family']} as of {fit['trading_day']}"
        for fit in wanted.fits
        if fit["fingerprint"] not in fits
    )
    return (
        SyncResult(
            lake.replace_all(TRACKED_FITS, of_fits.tracked_fit_rows(fits, wanted.named)), lacking
        ),
        SyncResult(
            lake.replace_all(TRACKED_RELEASES, rows),
            tuple(each.name for each in wanted.releases if each.name not in made),
        ),
    )


def clear_recorded(lake: Lake) -> None:
    """Empty the tables of what is recorded, for a new store that holds nothing yet."""
    for table in TABLES:
        if lake.has(table):
            lake.replace_all(table, {column.name: [] for column in table.columns})
