"""Layer tracking: fits and releases in MLflow, through dagster-mlflow.

One step for both: a store is opened once, and is either there for both or for neither.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from quant_assets.assets.partitions import SINGLE_RUN
from quant_assets.assets.results import check, check_spec, described, key_of, result
from quant_assets.errors import TrackingError
from quant_assets.lake.lake import Lake, Written
from quant_assets.lake.promotion_tables import DECISIONS, RELEASES, TRACKED_RELEASES
from quant_assets.lake.schema import Table
from quant_assets.lake.tables import TRACKED_FITS, fits_table, forecasts_table
from quant_assets.promotion.stored import releases
from quant_assets.settings import Settings
from quant_assets.tracking import fits as tracked
from quant_assets.tracking import releases as released
from quant_assets.tracking import store

if TYPE_CHECKING:
    from mlflow.entities import Run

_CHECK = "recorded"
_MISSING = (
    "Every {} is in MLflow. If not, fits, releases and forecasts are as good, and the next run "
    "records what is missing."
)


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The assets of the layer, over all families."""
    decided = (RELEASES, DECISIONS)
    inputs = [*map(fits_table, families), *map(forecasts_table, families), *decided]

    @dg.multi_asset(
        name="tracking__mlflow",
        specs=[
            described(TRACKED_FITS, kinds={"mlflow"}, deps=inputs),
            described(TRACKED_RELEASES, kinds={"mlflow"}, deps=[TRACKED_FITS, *decided]),
        ],
        check_specs=[
            check_spec(TRACKED_FITS, _CHECK, _MISSING.format("fit"), blocking=False),
            check_spec(TRACKED_RELEASES, _CHECK, _MISSING.format("release"), blocking=False),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def recorded(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        fits, made = tracked.stored_fits(lake, families, whole=False), releases(lake)
        in_force = released.in_force(lake, made)
        named = tracked.aliases(lake, fits, in_force)
        folder, models = settings.mlflow_dir, settings.artifacts_dir
        if not store.database(folder).exists():
            _forget(lake)
        elif tracked.is_recorded(lake, fits, named) and released.is_recorded(lake, made, in_force):
            yield _unchanged(lake, TRACKED_FITS, len(fits))
            yield _unchanged(lake, TRACKED_RELEASES, len(made))
            return
        try:
            with store.opened(folder) as client, _mlflow_run(context, folder) as run:
                whole = tracked.stored_fits(lake, families)
                found = tracked.follow(client, run, whole, named, models)
                versions = released.follow(client, run, made, in_force, models)
        except TrackingError as error:
            context.log.warning(str(error))
            yield _failed(TRACKED_FITS, error)
            yield _failed(TRACKED_RELEASES, error)
            return
        yield _written(
            lake,
            TRACKED_FITS,
            tracked.rows_of(found, named),
            [
                f"{x['family']} as of {x['trading_day']}"
                for x in fits
                if x["fingerprint"] not in found
            ],
        )
        yield _written(
            lake,
            TRACKED_RELEASES,
            released.rows_of(made, versions, in_force),
            [one.name for one in made if one.name not in versions],
        )

    return [recorded]


def _forget(lake: Lake) -> None:
    """Nothing is recorded: else a new store, left half made, would pass for the one before."""
    for table in (TRACKED_FITS, TRACKED_RELEASES):
        if lake.has(table):
            lake.replace_all(table, {column.name: [] for column in table.columns})


def _unchanged(lake: Lake, table: Table, rows: int) -> dg.MaterializeResult:
    return result(table, Written(rows, lake.snapshot_id()), checks=[_check_of(table)])


def _failed(table: Table, error: TrackingError) -> dg.MaterializeResult:
    checks = [_check_of(table, str(error))]
    return dg.MaterializeResult(asset_key=key_of(table), check_results=checks)


def _written(
    lake: Lake, table: Table, rows: Mapping[str, list[Any]], missing: Sequence[str]
) -> dg.MaterializeResult:
    return result(table, lake.replace_all(table, rows), checks=[_check_of(table, *missing)])


def _check_of(table: Table, *missing: str) -> dg.AssetCheckResult:
    said = ", ".join(missing) or "none"
    return check(table, _CHECK, not missing, blocking=False, missing=said)


@contextmanager
def _mlflow_run(context: dg.AssetExecutionContext, folder: Path) -> Iterator["Run"]:
    """The Dagster run's run in MLflow, which dagster-mlflow keeps; fits go below it."""
    with warnings.catch_warnings():
        # dagster-mlflow is marked beta as a whole, and asks for what Dagster has deprecated.
        for category in (dg.BetaWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        from dagster_mlflow import mlflow_tracking

        resource = mlflow_tracking.configured(
            {
                "experiment_name": store.EXPERIMENT,
                "mlflow_tracking_uri": store.uri(folder),
                "env": {},
                "extra_tags": {},
            }
        )
        with dg.build_resources(
            {"mlflow": resource}, dagster_run=context.run, log_manager=context.log
        ) as resources:
            yield resources.mlflow.active_run()
            resources.mlflow.end_run()
