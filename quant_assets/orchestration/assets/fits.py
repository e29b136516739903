"""Layer fits: one asset per model family, from the registry."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.tables import FEATURES, LABELS, fits_table, study_table
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
    """Parameters of the fits of one run."""

    parameters: dict[str, Any] = Field(
        {}, description="Set by hand, by name, instead of those of a study or the defaults."
    )


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The assets of the layer, one a family."""
    return [_fit_asset(name, partitions) for name in families]


def _fit_asset(name: str, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    table, chosen = fits_table(name), load_family(name)

    @table_asset(
        table,
        kinds={chosen.library},
        deps=[*FEATURES, LABELS, *map(study_table, tunable_families([name]))],
        about=f"{chosen.description} A single day is fitted as of that day; a range, on "
        "the walk-forward days in it and those that have a fit. Parameters are those of the newest "
        "study as of a fit's day or before, else the defaults.",
        partitions=partitions,
        checks=[
            check_spec(
                table,
                _CHECK,
                "Every fit came to a model. If not, the reason is recorded, the fit before it "
                "stays in force, and the ensemble goes on with what there is.",
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
        made, written = [], WriteResult(0, lake.snapshot_id())
        for one in make_fits(
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
            # Day by day: fits of the range that are not made again stay.
            rows = {column: [value] for column, value in one.items()}
            written = lake.replace_days(table, one["trading_day"], one["trading_day"], rows)
            made.append(one)
        failed = [f"{one['trading_day']}: {one['failure']}" for one in made if one["failure"]]
        failures = "\n".join(failed) or "none"
        return record_result(
            table,
            WriteResult(len(made), written.snapshot),
            {"seconds": sum(one["seconds"] for one in made)},
            checks=[
                make_check_result(table, _CHECK, not failed, blocking=False, failures=failures)
            ],
        )

    return fit
