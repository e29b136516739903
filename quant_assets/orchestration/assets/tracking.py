"""Layer tracking: the records of fits and releases in MLflow, through dagster-mlflow.

Both are recorded in one step, which opens MLflow's store once.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.core.errors import TrackingError
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.forecast_tables import TRACKED_FITS, fits_table, forecasts_table
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES, TRACKED_RELEASES
from quant_assets.lake.schemas.table import Table
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
_DESCRIPTION = (
    "Every {} is recorded in MLflow. If a record is missing, the next run adds it; fits, releases "
    "and forecasts do not depend on it."
)


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of the layer."""
    promotion = (RELEASES, DECISIONS)
    inputs = [*map(fits_table, families), *map(forecasts_table, families), *promotion]

    @dg.multi_asset(
        name="tracking__mlflow",
        specs=[
            describe_asset(TRACKED_FITS, kinds={"mlflow"}, deps=inputs),
            describe_asset(TRACKED_RELEASES, kinds={"mlflow"}, deps=[TRACKED_FITS, *promotion]),
        ],
        check_specs=[
            check_spec(TRACKED_FITS, _CHECK, _DESCRIPTION.format("fit"), blocking=False),
            check_spec(TRACKED_RELEASES, _CHECK, _DESCRIPTION.format("release"), blocking=False),
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
        desired = mlflow_sync.DesiredState.read(lake, families, whole=False)
        if not mlflow_store.database_path(folder).exists():
            mlflow_sync.clear_recorded(lake)
        elif desired.is_recorded(lake):
            yield _record_unchanged(lake, TRACKED_FITS, len(desired.fits))
            yield _record_unchanged(lake, TRACKED_RELEASES, len(desired.releases))
            return
        try:
            with mlflow_store.open_store(folder) as client, _mlflow_run(context, folder) as run:
                results = mlflow_sync.synchronise(
                    lake, client, run, families, settings.artifacts_dir
                )
        except TrackingError as error:
            context.log.warning(str(error))
            for table in mlflow_sync.TABLES:
                checks = [_check_missing(table, str(error))]
                yield dg.MaterializeResult(asset_key=asset_key_of(table), check_results=checks)
            return
        for table, result in zip(mlflow_sync.TABLES, results, strict=True):
            checks = [_check_missing(table, *result.missing)]
            yield record_result(table, result.written, checks=checks)

    return [recorded]


def _record_unchanged(lake: Lake, table: Table, rows: int) -> dg.MaterializeResult:
    written = WriteResult(rows, lake.snapshot_id())
    return record_result(table, written, checks=[_check_missing(table)])


def _check_missing(table: Table, *missing: str) -> dg.AssetCheckResult:
    text = ", ".join(missing) or "none"
    return make_check_result(table, _CHECK, not missing, blocking=False, missing=text)


@contextmanager
def _mlflow_run(context: dg.AssetExecutionContext, folder: Path) -> Iterator["Run"]:
    """Open the MLflow run that dagster-mlflow keeps for the Dagster run; fits are nested in it."""
    with warnings.catch_warnings():
        # dagster-mlflow is marked beta as a whole, and uses deprecated parts of Dagster.
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
