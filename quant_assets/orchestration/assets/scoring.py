"""Layer monitoring: how good the forecasts turned out, and what they rest on."""

from collections.abc import Iterator, Sequence

import dagster as dg

from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import members
from quant_assets.ensemble.interval_rows import coverage
from quant_assets.lake.schemas.promotion_tables import PUBLISHED, PUBLISHED_AS
from quant_assets.lake.schemas.scoring_tables import (
    AGREEMENT,
    ATTRIBUTION,
    BREAKDOWN,
    COMPARISON,
    PERFORMANCE,
    SCOREBOARD,
    SLICES,
    TRACK_RECORD,
)
from quant_assets.lake.schemas.tables import (
    ENSEMBLE,
    FEATURES,
    INTERVALS,
    LABELS,
    fits_table,
    forecasts_table,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, day_range
from quant_assets.orchestration.assets.table_assets import (
    columns_of,
    described,
    markdown,
    picture,
    result,
    show,
    table_asset,
)
from quant_assets.scoring.attribution import (
    ATTRIBUTED_DAYS,
    Parts,
    attribution,
    family_parts,
    first_attributed,
)
from quant_assets.scoring.daily_performance import mean_ic, performance
from quant_assets.scoring.judged_days import Judged, judge
from quant_assets.scoring.plots import cumulated_ic, scores, stacked_shares
from quant_assets.scoring.scoreboard import breakdown, comparison, scoreboard
from quant_assets.scoring.scoreboard_inputs import fit_seconds, regimes
from quant_assets.scoring.slices import agreement, slices
from quant_assets.sources.protocol import Source

_DAILY = (PERFORMANCE, SLICES, AGREEMENT)


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The assets of the layer, over all families."""
    return [
        _daily(partitions, families),
        _boards(partitions, families),
        _attribution(partitions, families),
    ]


def _daily(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    """One step, since all three start from the same forecasts and labels."""
    inputs = [LABELS, ENSEMBLE, PUBLISHED, INTERVALS, *map(forecasts_table, families)]

    @dg.multi_asset(
        name="monitoring__daily",
        specs=[described(table, kinds={"numpy"}, deps=inputs) for table in _DAILY],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def daily(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
    ) -> Iterator[dg.MaterializeResult]:
        start, end = day_range(context)
        with lake.at_once():
            found = judge(lake, (PUBLISHED_AS, "ensemble", *families), start, end)
            covered = _coverage(lake, found)
        rows = {
            PERFORMANCE: performance(found, _oracle(source, found)),
            SLICES: slices(found, covered),
            AGREEMENT: agreement(found),
        }
        for table, of_table in rows.items():
            written = lake.replace_days(table, start, end, columns_of(of_table))
            figures = mean_ic(of_table) if table is PERFORMANCE else {}
            yield result(table, written, figures)

    return daily


def _coverage(lake: Lake, found: Judged | None) -> dict[str, FloatArray]:
    return coverage(lake, found.days, found.pairs.targets, found.truth) if found else {}


def _oracle(source: Source, found: Judged | None) -> dict[str, FloatArray]:
    if found is None:
        return {}
    best = source.best_forecast(found.days[0].item(), found.days[-1].item())
    return {} if best is None else {"oracle": best}


def _boards(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="monitoring__boards",
        specs=[
            described(SCOREBOARD, kinds={"matplotlib"}, deps=_DAILY),
            described(BREAKDOWN, kinds={"pandas"}, deps=_DAILY),
            described(COMPARISON, kinds={"pandas"}, deps=_DAILY),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def boards(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult]:
        with lake.at_once():
            ic, parts, alike = (lake.query(f"FROM {table.quoted}") for table in _DAILY)
            board = scoreboard(ic, parts, fit_seconds(lake, families))
            by_part = breakdown(ic, parts, regimes(lake))
        compared = comparison(ic, alike)
        pictures = {"scores": picture(scores(board)), "cumulated_ic": picture(cumulated_ic(ic))}
        of_scores = board.set_index("family")["score"].dropna().to_dict()
        figures = {f"score_{name}": value for name, value in of_scores.items()}
        for table, rows, shown in (
            (SCOREBOARD, board, pictures),
            (BREAKDOWN, by_part, {}),
            (COMPARISON, compared, {}),
        ):
            show(context, table, {table.name.split(".")[1]: markdown(rows.round(3)), **shown})
            written = lake.replace_all(table, columns_of(rows))
            yield result(table, written, figures if table is SCOREBOARD else {})

    return boards


def _attribution(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    made = [table(name) for name in families for table in (fits_table, forecasts_table)]

    @table_asset(
        ATTRIBUTION,
        kinds={"matplotlib"},
        deps=[*FEATURES, TRACK_RECORD, *made],
        about=f"Of a range of days the newest {ATTRIBUTED_DAYS} only; the others have no rows, so "
        "that a row is always about the forecast stored. Run a range of its own for older ones.",
        partitions=partitions,
    )
    def attribution_asset(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = day_range(context)
        with lake.at_once():
            first = first_attributed(lake, start, end)
            of_families = family_parts(lake, settings, families, first, end, context.log.warning)
            blended = Parts("ensemble", *members(lake, families, first, end))
            rows = attribution(lake, [blended, *of_families])
        newest = rows[rows["trading_day"] == rows["trading_day"].max()]
        ensemble = newest[newest["family"] == "ensemble"]
        if len(newest):
            shown = markdown(newest[["family", "inputs", "share"]].round(3))
            pictured = picture(stacked_shares(newest))
            show(context, ATTRIBUTION, {"newest_day": shown, "shares": pictured})
        written = lake.replace_days(ATTRIBUTION, start, end, columns_of(rows))
        on = {f"ensemble_on_{one.inputs}": one.share for one in ensemble.itertuples()}
        return result(ATTRIBUTION, written, on)

    return attribution_asset
