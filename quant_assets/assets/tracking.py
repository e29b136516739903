"""Layer tracking: the fits in MLflow, through dagster-mlflow."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.assets.results import check, check_spec, key_of, result, table_asset
from quant_assets.errors import TrackingError
from quant_assets.lake.lake import Lake, Written
from quant_assets.lake.tables import TRACKED_FITS, fits_table, forecasts_table
from quant_assets.settings import Settings
from quant_assets.tracking import fits as tracked
from quant_assets.tracking import store

if TYPE_CHECKING:
    from mlflow.entities import Run

_CHECK = "recorded"


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The assets of the layer, over all families."""
    inputs = [*map(fits_table, families), *map(forecasts_table, families)]

    @table_asset(
        TRACKED_FITS,
        kinds={"mlflow"},
        deps=inputs,
        partitions=partitions,
        checks=[
            check_spec(
                TRACKED_FITS,
                _CHECK,
                "Every fit is in MLflow. If not, fits and forecasts are as good, and the next run "
                "records what is missing.",
                blocking=False,
            )
        ],
    )
    def fits(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        stored = tracked.stored_fits(lake, families)
        named = tracked.aliases(lake, stored)
        folder = settings.mlflow_dir
        if store.database(folder).exists() and tracked.is_recorded(lake, stored, named):
            return result(TRACKED_FITS, Written(len(stored), lake.snapshot_id()), checks=[_all()])
        try:
            with store.opened(folder) as client, _mlflow_run(context, folder) as run:
                found = tracked.follow(client, run, stored, named, settings.artifacts_dir)
        except TrackingError as error:
            context.log.warning(str(error))
            return dg.MaterializeResult(
                asset_key=key_of(TRACKED_FITS), check_results=[_all(missing=str(error))]
            )
        missing = [
            f"{fit['family']} as of {fit['trading_day']}"
            for fit in stored
            if fit["fingerprint"] not in found
        ]
        written = lake.replace_all(TRACKED_FITS, tracked.rows_of(found, named))
        return result(TRACKED_FITS, written, checks=[_all(missing=", ".join(missing))])

    return [fits]


def _all(missing: str = "") -> dg.AssetCheckResult:
    return check(TRACKED_FITS, _CHECK, not missing, blocking=False, missing=missing or "none")


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
