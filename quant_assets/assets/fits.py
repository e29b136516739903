"""Layer fits: one asset per model family, from the registry."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from quant_assets.assets.partitions import day_range
from quant_assets.assets.results import result, table_asset
from quant_assets.evaluation.fits import make_fits
from quant_assets.lake.lake import Lake, Written
from quant_assets.lake.tables import FEATURES, LABELS, fits_table, study_table
from quant_assets.models.parameters import tunable
from quant_assets.models.registry import family
from quant_assets.settings import Settings


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
    table, chosen = fits_table(name), family(name)

    @table_asset(
        table,
        kinds={chosen.library},
        deps=[*FEATURES, LABELS, *map(study_table, tunable([name]))],
        about=f"{chosen.description} A single day is fitted as of that day; a range, on "
        "the walk-forward days in it. Parameters are those of the newest study as of a fit's day "
        "or before, else the defaults.",
        partitions=partitions,
    )
    def fit(
        context: dg.AssetExecutionContext,
        config: FitConfig,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = day_range(context)
        fits, seconds, written = 0, 0.0, Written(0, lake.snapshot_id())
        for made in make_fits(
            lake,
            settings,
            name,
            start,
            end,
            context.log.info,
            by_hand=config.parameters,
            warn=context.log.warning,
        ):
            # Day by day: fits made on other days of the range, on demand, stay.
            rows = {column: [value] for column, value in made.items()}
            written = lake.replace_days(table, made["trading_day"], made["trading_day"], rows)
            fits, seconds = fits + 1, seconds + made["seconds"]
        return result(table, Written(fits, written.snapshot), {"seconds": seconds})

    return fit
