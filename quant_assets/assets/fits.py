"""Layer fits: one asset per model family, from the registry."""

import dagster as dg

from quant_assets.assets.partitions import day_range
from quant_assets.assets.results import result, table_asset
from quant_assets.evaluation.fits import make_fits
from quant_assets.lake.lake import Lake
from quant_assets.lake.tables import LABELS, TARGET_FEATURES, fits_table
from quant_assets.models.registry import FAMILIES, family
from quant_assets.settings import Settings


def build(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The assets of the layer."""
    return [_fit_asset(name, partitions) for name in FAMILIES]


def _fit_asset(name: str, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    table, chosen = fits_table(name), family(name)

    @table_asset(
        table,
        kinds={chosen.library},
        deps=[TARGET_FEATURES, LABELS],
        about=f"{chosen.description} A single day is fitted as of that day; a range, on "
        "the walk-forward days in it.",
        partitions=partitions,
    )
    def fit(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = day_range(context)
        fits = list(make_fits(lake, settings, name, start, end, context.log.info))
        rows = {column.name: [made[column.name] for made in fits] for column in table.columns}
        return result(
            table,
            lake.replace_days(table, start, end, rows),
            fits=len(fits),
            seconds=float(sum(rows["seconds"])),
        )

    return fit
