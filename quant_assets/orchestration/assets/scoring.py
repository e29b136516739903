"""Layer monitoring: how good the forecasts turned out, and what they rest on."""

from collections.abc import Iterator, Sequence
from functools import partial

import dagster as dg

from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import read_members
from quant_assets.ensemble.interval_rows import read_coverage
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS, SUBMITTED_NAME
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
    ENSEMBLE_FORECASTS,
    FEATURES,
    INTERVALS,
    LABELS,
    fits_table,
    forecasts_table,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.table_assets import (
    describe_asset,
    draw_pictures,
    record_result,
    show_last,
    table_asset,
    to_columns,
    to_markdown,
)
from quant_assets.scoring.attribution import (
    ATTRIBUTED_DAYS,
    FamilyParts,
    attribution_rows,
    first_attributed_day,
    read_family_parts,
)
from quant_assets.scoring.daily_performance import mean_ic, performance_rows
from quant_assets.scoring.judged_days import ScoredForecasts, read_scored_forecasts
from quant_assets.scoring.plots import plot_cumulated_ic, plot_scores, plot_shares
from quant_assets.scoring.scoreboard import breakdown_rows, comparison_rows, scoreboard_rows
from quant_assets.scoring.scoreboard_inputs import read_fit_seconds, read_regimes
from quant_assets.scoring.slices import agreement_rows, slice_rows
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
    inputs = [
        LABELS,
        ENSEMBLE_FORECASTS,
        SUBMITTED_FORECASTS,
        INTERVALS,
        *map(forecasts_table, families),
    ]

    @dg.multi_asset(
        name="monitoring__daily",
        specs=[describe_asset(table, kinds={"numpy"}, deps=inputs) for table in _DAILY],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def daily(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
    ) -> Iterator[dg.MaterializeResult]:
        start, end = run_day_range(context)
        with lake.at_once():
            found = read_scored_forecasts(lake, (SUBMITTED_NAME, "ensemble", *families), start, end)
            covered = _coverage(lake, found)
        rows = {
            PERFORMANCE: performance_rows(found, _oracle(source, found)),
            SLICES: slice_rows(found, covered),
            AGREEMENT: agreement_rows(found),
        }
        for table, of_table in rows.items():
            written = lake.replace_days(table, start, end, to_columns(of_table))
            figures = mean_ic(of_table) if table is PERFORMANCE else {}
            yield record_result(table, written, figures)

    return daily


def _coverage(lake: Lake, found: ScoredForecasts | None) -> dict[str, FloatArray]:
    return read_coverage(lake, found.days, found.pairs.targets, found.labels) if found else {}


def _oracle(source: Source, found: ScoredForecasts | None) -> dict[str, FloatArray]:
    if found is None:
        return {}
    best = source.best_forecast(found.days[0].item(), found.days[-1].item())
    return {} if best is None else {"oracle": best}


def _boards(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="monitoring__boards",
        specs=[
            describe_asset(SCOREBOARD, kinds={"matplotlib"}, deps=_DAILY),
            describe_asset(BREAKDOWN, kinds={"pandas"}, deps=_DAILY),
            describe_asset(COMPARISON, kinds={"pandas"}, deps=_DAILY),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def boards(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        with lake.at_once():
            ic, parts, alike = (lake.query(f"FROM {table.quoted}") for table in _DAILY)
            board = scoreboard_rows(ic, parts, read_fit_seconds(lake, families))
            by_part = breakdown_rows(ic, parts, read_regimes(lake))
        compared = comparison_rows(ic, alike)
        pictures = draw_pictures(
            settings,
            scores=partial(plot_scores, board),
            cumulated_ic=partial(plot_cumulated_ic, ic),
        )
        of_scores = board.set_index("family")["score"].dropna().to_dict()
        figures = {f"score_{name}": value for name, value in of_scores.items()}
        for table, rows, shown in (
            (SCOREBOARD, board, pictures),
            (BREAKDOWN, by_part, {}),
            (COMPARISON, compared, {}),
        ):
            show_last(
                context, table, {table.name.split(".")[1]: to_markdown(rows.round(3)), **shown}
            )
            written = lake.replace_all(table, to_columns(rows))
            yield record_result(table, written, figures if table is SCOREBOARD else {})

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
        start, end = run_day_range(context)
        with lake.at_once():
            first = first_attributed_day(lake, start, end)
            of_families = read_family_parts(
                lake, settings, families, first, end, context.log.warning
            )
            blended = FamilyParts("ensemble", *read_members(lake, families, first, end))
            rows = attribution_rows(lake, [blended, *of_families])
        newest = rows[rows["trading_day"] == rows["trading_day"].max()]
        ensemble = newest[newest["family"] == "ensemble"]
        if len(newest):
            shown = to_markdown(newest[["family", "inputs", "share"]].round(3))
            pictures = draw_pictures(settings, shares=partial(plot_shares, newest))
            show_last(context, ATTRIBUTION, {"newest_day": shown, **pictures})
        written = lake.replace_days(ATTRIBUTION, start, end, to_columns(rows))
        on = {f"ensemble_on_{one.inputs}": one.share for one in ensemble.itertuples()}
        return record_result(ATTRIBUTION, written, on)

    return attribution_asset
