"""Layer fits: an asset for each model family of the registry."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.feature_tables import FEATURES, LABELS
from quant_assets.lake.schemas.forecast_tables import fits_table, study_table
from quant_assets.lake.store.lake import Lake, WriteResult
from quant_assets.models.parameters import tunable_families
from quant_assets.models.registry import load_family
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import (
    check_spec,
    make_check_result,
    record_result,
    table_asset,
)
from quant_assets.training.fits import make_fits

_CHECK = "fitted"


class FitConfig(dg.Config):
    """Configuration of a run that fits families."""

    parameters: dict[str, Any] = Field(
        {}, description="Parameters by name, instead of those of a study or the defaults."
    )


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build an asset for each family."""
    return [_build_fit_asset(name, partitions) for name in families]


def _build_fit_asset(name: str, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    table, family = fits_table(name), load_family(name)

    @table_asset(
        table,
        kinds={family.library},
        deps=[*FEATURES, LABELS, *map(study_table, tunable_families([name]))],
        about=f"{family.description} A run of a single day fits the family as of that day. A run "
        "over a range fits it as of the range's walk-forward days and of its days that have a fit. "
        "The parameters are those of the newest study as of a fit's day or before, or else the "
        "defaults.",
        partitions=partitions,
        checks=[
            check_spec(
                table,
                _CHECK,
                "Every fit gave a model. If a fit failed, its reason is stored, the fit before it "
                "stays in use, and the ensemble continues with the other families.",
                blocking=False,
            )
        ],
    )
    def fit(
        context: dg.AssetExecutionContext,
        config: FitConfig,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        fits, written = [], WriteResult(0, lake.snapshot_id())
        for row in make_fits(
            lake,
            settings,
            name,
            start,
            end,
            context.log.info,
            by_hand=config.parameters,
            warn=context.log.warning,
            dagster_run=context.run.run_id,
        ):
            # Each day is replaced alone, so that the range's other fits stay.
            rows = {column: [value] for column, value in row.items()}
            written = lake.replace_days(table, row["trading_day"], row["trading_day"], rows)
            fits.append(row)
        failed = [f"{row['trading_day']}: {row['failure']}" for row in fits if row["failure"]]
        failures = "\n".join(failed) or "none"
        return record_result(
            table,
            WriteResult(len(fits), written.snapshot),
            {"seconds": sum(row["seconds"] for row in fits)},
            checks=[
                make_check_result(table, _CHECK, not failed, blocking=False, failures=failures)
            ],
        )

    return fit
