"""Layer monitoring: how good the forecasts turned out."""

import dagster as dg

from quant_assets.assets.partitions import day_range
from quant_assets.assets.results import columns_of, markdown, picture, result, table_asset
from quant_assets.evaluation.performance import judged_days, performance, scoreboard
from quant_assets.evaluation.plots import cumulated_ic
from quant_assets.lake.lake import Lake
from quant_assets.lake.tables import ENSEMBLE, LABELS, PERFORMANCE, SCOREBOARD, forecasts_table
from quant_assets.models.registry import FAMILIES
from quant_assets.sources.base import Source

_JUDGED = ("ensemble", *FAMILIES)


def build(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The assets of the layer."""

    @table_asset(
        PERFORMANCE,
        kinds={"numpy"},
        deps=[LABELS, ENSEMBLE, *(forecasts_table(name) for name in FAMILIES)],
        partitions=partitions,
    )
    def performance_asset(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
    ) -> dg.MaterializeResult:
        start, end = day_range(context)
        judged, _ = judged_days(lake, start, end)
        oracle = source.best_forecast(judged[0].item(), judged[-1].item()) if len(judged) else None
        others = {} if oracle is None else {"oracle": oracle}
        rows = performance(lake, _JUDGED, start, end, others)
        written = lake.replace_days(PERFORMANCE, start, end, columns_of(rows))
        means = rows.groupby("family")["ic"].mean().to_dict()
        return result(PERFORMANCE, written, {f"ic_{name}": mean for name, mean in means.items()})

    @table_asset(SCOREBOARD, kinds={"matplotlib"}, deps=[PERFORMANCE], partitions=partitions)
    def scoreboard_asset(lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
        ic = lake.query(f"FROM {PERFORMANCE.quoted}")
        board = scoreboard(ic)
        written = lake.replace_all(SCOREBOARD, columns_of(board))
        scores = board.set_index("family")["score"].dropna().to_dict()
        return result(
            SCOREBOARD,
            written,
            {
                "scoreboard": markdown(board.round(3)),
                "cumulated_ic": picture(cumulated_ic(ic)),
                **{f"score_{name}": score for name, score in scores.items()},
            },
        )

    return [performance_asset, scoreboard_asset]
