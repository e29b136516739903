"""Layer forecasts: one asset per model family, and their blend."""

import dagster as dg

from quant_assets.assets.partitions import day_range
from quant_assets.assets.results import result, suite_outcome, suite_spec, table_asset
from quant_assets.ensemble.blend import blend
from quant_assets.evaluation.fits import forecast
from quant_assets.lake.forecasts import Forecasts, forecast_rows
from quant_assets.lake.lake import Lake
from quant_assets.lake.schema import Table
from quant_assets.lake.tables import ENSEMBLE, TARGET_FEATURES, fits_table, forecasts_table
from quant_assets.models.registry import FAMILIES, family
from quant_assets.quality.suites import FORECASTS_SUITE
from quant_assets.settings import Settings


def build(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The assets of the layer."""
    return [*(_forecast_asset(name, partitions) for name in FAMILIES), _ensemble(partitions)]


def _forecast_asset(name: str, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    table = forecasts_table(name)

    @table_asset(
        table,
        kinds={family(name).library},
        deps=[fits_table(name), TARGET_FEATURES],
        partitions=partitions,
        checks=[suite_spec(table, FORECASTS_SUITE, blocking=False)],
    )
    def forecasts(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        made = forecast(lake, settings, name, *day_range(context))
        return _stored(context, lake, table, made)

    return forecasts


def _ensemble(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @table_asset(
        ENSEMBLE,
        kinds={"numpy"},
        deps=[forecasts_table(name) for name in FAMILIES],
        about="The mean of the families' ranks.",
        partitions=partitions,
        checks=[suite_spec(ENSEMBLE, FORECASTS_SUITE, blocking=False)],
    )
    def ensemble(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        return _stored(context, lake, ENSEMBLE, blend(lake, FAMILIES, *day_range(context)))

    return ensemble


def _stored(
    context: dg.AssetExecutionContext, lake: Lake, table: Table, made: Forecasts
) -> dg.MaterializeResult:
    rows = forecast_rows(lake, made)
    return result(
        table,
        lake.replace_days(table, *day_range(context), rows),
        {"dispersion": float(made.values.std(axis=1).mean()) if len(made.days) else 0.0},
        checks=[suite_outcome(table, FORECASTS_SUITE, rows, blocking=False)],
    )
