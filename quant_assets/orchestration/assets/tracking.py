"""Layer tracking: fits and releases in MLflow, through dagster-mlflow.

One step for both: a store is opened once, and is either there for both or for neither.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.core.errors import TrackingError
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES, TRACKED_RELEASES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import TRACKED_FITS, fits_table, forecasts_table
from quant_assets.lake.store.lake import Lake, WriteResult
from quant_assets.orchestration.assets.partitions import SINGLE_RUN
from quant_assets.orchestration.assets.table_assets import (
    asset_key_of,
    check_spec,
    describe_asset,
    make_check_result,
    record_result,
)
from quant_assets.tracking import mlflow_store, mlflow_sync

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
            describe_asset(TRACKED_FITS, kinds={"mlflow"}, deps=inputs),
            describe_asset(TRACKED_RELEASES, kinds={"mlflow"}, deps=[TRACKED_FITS, *decided]),
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
        folder = settings.mlflow_dir
        wanted = mlflow_sync.DesiredState.read(lake, families, whole=False)
        if not mlflow_store.database_path(folder).exists():
            mlflow_sync.clear_recorded(lake)
        elif wanted.is_recorded(lake):
            yield _unchanged(lake, TRACKED_FITS, len(wanted.fits))
            yield _unchanged(lake, TRACKED_RELEASES, len(wanted.releases))
            return
        try:
            with mlflow_store.open_store(folder) as client, _mlflow_run(context, folder) as run:
                found = mlflow_sync.synchronise(lake, client, run, families, settings.artifacts_dir)
        except TrackingError as error:
            context.log.warning(str(error))
            for table in mlflow_sync.TABLES:
                checks = [_check_of(table, str(error))]
                yield dg.MaterializeResult(asset_key=asset_key_of(table), check_results=checks)
            return
        for table, one in zip(mlflow_sync.TABLES, found, strict=True):
            yield record_result(table, one.written, checks=[_check_of(table, *one.missing)])

    return [recorded]


def _unchanged(lake: Lake, table: Table, rows: int) -> dg.MaterializeResult:
    return record_result(table, WriteResult(rows, lake.snapshot_id()), checks=[_check_of(table)])


def _check_of(table: Table, *missing: str) -> dg.AssetCheckResult:
    said = ", ".join(missing) or "none"
    return make_check_result(table, _CHECK, not missing, blocking=False, missing=said)


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
                "experiment_name": mlflow_store.EXPERIMENT,
                "mlflow_tracking_uri": mlflow_store.store_uri(folder),
                "env": {},
                "extra_tags": {},
            }
        )
        with dg.build_resources(
            {"mlflow": resource}, dagster_run=context.run, log_manager=context.log
        ) as resources:
            yield resources.mlflow.active_run()
            resources.mlflow.end_run()
