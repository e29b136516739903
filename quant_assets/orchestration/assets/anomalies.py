"""Layer monitoring: the asset with unusual prices and volumes of the source.

Whether data are complete and up to date belongs in ``orchestration.assets.data_quality``.
"""

from collections.abc import Sequence
from functools import partial

import dagster as dg
import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.monitoring_tables import ANOMALIES
from quant_assets.lake.schemas.price_tables import RAW_PRICES, UNIVERSE
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.anomalies.anomalies import anomaly_rows
from quant_assets.monitoring.plots import plot_anomalies
from quant_assets.orchestration.assets.partitions import stored_day_range
from quant_assets.orchestration.assets.table_assets import (
    check_spec,
    draw_pictures,
    make_check_result,
    record_result,
    show_last,
    table_asset,
    to_columns,
    to_markdown,
)

_ORDINARY = "ordinary"


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of this module, whatever the families."""
    return [_build_anomalies(partitions)]


def _build_anomalies(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @table_asset(
        ANOMALIES,
        kinds={"scikitlearn", "pytorch", "matplotlib"},
        deps=[RAW_PRICES, UNIVERSE],
        partitions=partitions,
        checks=[
            check_spec(
                ANOMALIES,
                _ORDINARY,
                "On the last day no market has a critical anomaly: values far beyond all that the "
                "detectors were fitted on, or many unusual series at once. A single unusual series "
                "does not fail the check.",
                blocking=False,
            )
        ],
    )
    def anomalies_asset(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = stored_day_range(context, lake, RAW_PRICES)
        rows, reasons = anomaly_rows(lake, settings, start, end)
        written = lake.replace_days(ANOMALIES, start, end, to_columns(rows))
        for as_of, reason in reasons.items():
            context.log.warning(f"the detectors as of {as_of} give no rows: {reason}")
        recent = lake.query(
            f"FROM {ANOMALIES.quoted} WHERE trading_day > ?::DATE - 365 AND trading_day <= ?",
            [end, end],
        )
        newest = rows[(rows["trading_day"] == np.datetime64(end)) & (rows["severity"] != "info")]
        unusual = newest.drop(columns=["trading_day", "date_id"])
        if len(recent):
            pictures = draw_pictures(settings, scores=partial(plot_anomalies, recent))
            show_last(context, ANOMALIES, {"unusual": to_markdown(unusual), **pictures})
        critical = unusual[unusual["severity"] == "critical"]
        return record_result(
            ANOMALIES,
            written,
            {"series_unusual": int(unusual["series"].notna().sum())},
            checks=[
                make_check_result(
                    ANOMALIES,
                    _ORDINARY,
                    critical.empty,
                    blocking=False,
                    day=str(end),
                    critical=to_markdown(critical),
                )
            ],
        )

    return anomalies_asset
