"""Layer monitoring: the scores of forecasts, and the inputs that explain the forecasts."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

import dagster as dg

from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import read_members
from quant_assets.ensemble.interval_rows import read_coverage
from quant_assets.lake.readers.origins import read_origins
from quant_assets.lake.schemas.feature_tables import FEATURES, LABELS, MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import (
    ENSEMBLE_FORECASTS,
    INTERVALS,
    fits_table,
    forecasts_table,
)
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
from quant_assets.lake.schemas.table import LIVE, RESUBMITTED
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
from quant_assets.scoring.daily_performance import add_origins, mean_ic, performance_rows
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
    """Build the assets of this module."""
    return [
        _build_daily_scores(partitions, families),
        _build_boards(partitions, families),
        _build_attribution(partitions, families),
    ]


def _build_daily_scores(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    """Build the daily scores as one step, because all three read the same forecasts and labels."""
    inputs = [
        LABELS,
        MARKET_FEATURES,
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
            names = (SUBMITTED_NAME, "ensemble", *families)
            scored = read_scored_forecasts(lake, names, start, end)
            covered = _read_coverage(lake, scored)
            origins = _read_origins(lake, scored)
        rows = {
            PERFORMANCE: add_origins(
                performance_rows(scored, _read_oracle(source, scored)), origins
            ),
            SLICES: slice_rows(scored, covered),
            AGREEMENT: agreement_rows(scored),
        }
        for table, of_table in rows.items():
            written = lake.replace_days(table, start, end, to_columns(of_table))
            figures = mean_ic(of_table) if table is PERFORMANCE else {}
            yield record_result(table, written, figures)

    return daily


def _read_coverage(lake: Lake, scored: ScoredForecasts | None) -> dict[str, FloatArray]:
    if scored is None:
        return {}
    return read_coverage(lake, scored.days, scored.pairs.targets, scored.labels)


def _read_origins(lake: Lake, scored: ScoredForecasts | None) -> dict[date, str | None]:
    if scored is None:
        return {}
    days = scored.days[0].item(), scored.days[-1].item()
    origins = read_origins(lake, SUBMITTED_FORECASTS, *days)
    # The rows judged are those that were live, even if a person replaced them later.
    return {day: LIVE if origin == RESUBMITTED else origin for day, origin in origins.items()}


def _read_oracle(source: Source, scored: ScoredForecasts | None) -> dict[str, FloatArray]:
    """Read the best possible forecast, which only a simulated source knows."""
    if scored is None:
        return {}
    best = source.best_forecast(scored.days[0].item(), scored.days[-1].item())
    return {} if best is None else {"oracle": best}


def _build_boards(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
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
            ic, parts, agreement = (lake.query(f"FROM {table.quoted}") for table in _DAILY)
            board = scoreboard_rows(ic, parts, read_fit_seconds(lake, families))
            by_part = breakdown_rows(ic, parts, read_regimes(lake))
        comparison = comparison_rows(ic, agreement)
        pictures = draw_pictures(
            settings,
            scores=partial(plot_scores, board),
            cumulated_ic=partial(plot_cumulated_ic, ic),
        )
        scores = board.set_index("family")["score"].dropna().to_dict()
        figures = {f"score_{name}": value for name, value in scores.items()}
        for table, rows, shown in (
            (SCOREBOARD, board, pictures),
            (BREAKDOWN, by_part, {}),
            (COMPARISON, comparison, {}),
        ):
            show_last(
                context, table, {table.name.split(".")[1]: to_markdown(rows.round(3)), **shown}
            )
            written = lake.replace_all(table, to_columns(rows))
            yield record_result(table, written, figures if table is SCOREBOARD else {})

    return boards


def _build_attribution(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    of_families = [table(name) for name in families for table in (fits_table, forecasts_table)]

    @table_asset(
        ATTRIBUTION,
        kinds={"matplotlib"},
        deps=[*FEATURES, TRACK_RECORD, *of_families],
        about=f"A run over a range explains its newest {ATTRIBUTED_DAYS} days only. Its older days "
        "lose their rows, because their forecasts may have changed, until they are run as a range "
        "of their own.",
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
            family_parts = read_family_parts(
                lake, settings, families, first, end, context.log.warning
            )
            blended = FamilyParts("ensemble", *read_members(lake, families, first, end))
            rows = attribution_rows(lake, [blended, *family_parts])
        newest = rows[rows["trading_day"] == rows["trading_day"].max()]
        ensemble = newest[newest["family"] == "ensemble"]
        if len(newest):
            shown = to_markdown(newest[["family", "inputs", "share"]].round(3))
            pictures = draw_pictures(settings, shares=partial(plot_shares, newest))
            show_last(context, ATTRIBUTION, {"newest_day": shown, **pictures})
        written = lake.replace_days(ATTRIBUTION, start, end, to_columns(rows))
        shares = {f"ensemble_on_{row.inputs}": row.share for row in ensemble.itertuples()}
        return record_result(ATTRIBUTION, written, shares)

    return attribution_asset
