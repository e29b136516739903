"""Layer features: the labels that became known on each day, and the features known at its close."""

from collections.abc import Iterator, Sequence

import dagster as dg
import numpy as np

from quant_assets.features.catalogue import (
    CATALOGUE_VERSION,
    PRICE_LOOKBACK,
    find_left_out,
)
from quant_assets.lake.readers.arrays import ROWS_AT_ONCE, day_blocks
from quant_assets.lake.readers.imputed import read_feature_panel
from quant_assets.lake.readers.labels import compare_labels, label_rows
from quant_assets.lake.readers.prices import find_history_start, read_pairs, read_panel
from quant_assets.lake.readers.universe import read_members
from quant_assets.lake.schemas.feature_tables import (
    GROUP_FEATURES,
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    TARGET_FEATURES,
)
from quant_assets.lake.schemas.price_tables import (
    IMPUTED,
    RAW_TARGET_PAIRS,
    UNIVERSE,
    VALIDATED_PRICES,
)
from quant_assets.lake.store.changes import replace_days
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import Spool
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.targets import delay_of, labels_by_known_day
from quant_assets.orchestration.assets.feature_rows import (
    compute_target_blocks,
    frame_settled,
    instrument_rows,
)
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.table_assets import (
    check_spec,
    describe_asset,
    make_check_result,
    record_result,
    report_suite,
    suite_spec,
    table_asset,
)
from quant_assets.quality.expectations import SuiteResult
from quant_assets.quality.in_turn import ResultsInTurn
from quant_assets.quality.suites import TARGET_FEATURES_SUITE
from quant_assets.revisions.records import list_mark_removal
from quant_assets.sources.protocol import Source

_PUBLISHED = "agree_with_published"
_ROWS = 2 * ROWS_AT_ONCE
"""Rows of instruments that are computed at once: a block begins with the days of long windows."""


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str], *, imputed: bool = False
) -> list[dg.AssetsDefinition]:
    """Build the assets of the layer.

    Args:
        partitions: the trading days.
        families: the model families; they do not matter.
        imputed: whether missing closes are estimated, in a table of their own.
    """
    closes = [VALIDATED_PRICES, UNIVERSE, *([IMPUTED] if imputed else [])]

    @table_asset(
        LABELS,
        kinds={"numpy"},
        deps=[VALIDATED_PRICES, RAW_TARGET_PAIRS],
        partitions=partitions,
        checks=[
            check_spec(
                LABELS,
                _PUBLISHED,
                "Labels equal the published labels of the source to 2e-6, and the same cells are "
                "empty.",
                blocking=False,
            )
        ],
    )
    def labels(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        pairs = read_pairs(lake)
        first = find_history_start(lake, VALIDATED_PRICES, start, delay_of(pairs.lags))
        panel = read_panel(lake, "value", first, end, fields=("close",))
        values = labels_by_known_day(panel.close, pairs, panel.instruments)
        rows = label_rows(panel, pairs, values, start)
        published = source.published_labels(panel.days[0].item(), end)
        comparison = compare_labels(panel.days, values, pairs, published)
        return record_result(
            LABELS,
            lake.replace_days(LABELS, start, end, rows),
            {"empty_share": float(np.isnan(rows["value"]).mean()) if len(rows["value"]) else 0.0},
            checks=[
                make_check_result(
                    LABELS,
                    _PUBLISHED,
                    comparison.agree,
                    blocking=False,
                    **comparison.as_metadata(),
                )
            ],
        )

    @dg.multi_asset(
        name="features__instruments_and_market",
        specs=[
            describe_asset(INSTRUMENT_FEATURES, kinds={"numpy"}, deps=closes),
            describe_asset(GROUP_FEATURES, kinds={"numpy"}, deps=[INSTRUMENT_FEATURES]),
            describe_asset(MARKET_FEATURES, kinds={"numpy"}, deps=[INSTRUMENT_FEATURES]),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def instruments_and_market(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        market: dg.ResourceParam[MarketDescription],
    ) -> Iterator[dg.MaterializeResult]:
        start, end = run_day_range(context)
        history = find_history_start(lake, VALIDATED_PRICES, start, PRICE_LOOKBACK)
        panel = read_feature_panel(lake, market.imputation, history, end)
        spools = [Spool(t) for t in (INSTRUMENT_FEATURES, GROUP_FEATURES, MARKET_FEATURES)]
        first = int(np.searchsorted(panel.days, np.datetime64(start)))
        for block in day_blocks(len(panel.days) - first, len(panel.instruments), _ROWS):
            part = panel.rows(max(first + block.start - PRICE_LOOKBACK, 0), first + block.stop)
            members = read_members(lake, part.days, part.instruments)
            rows = instrument_rows(part, members, block.stop - block.start)
            for spool, columns in zip(spools, rows, strict=True):
                spool.add(columns)
        for spool in spools:
            written = lake.replace_days(spool.table, start, end, spool)
            yield record_result(spool.table, written, {"left_out": find_left_out(panel)})

    @table_asset(
        TARGET_FEATURES,
        kinds={"numpy"},
        deps=[INSTRUMENT_FEATURES, MARKET_FEATURES, LABELS, RAW_TARGET_PAIRS],
        partitions=partitions,
        checks=[suite_spec(TARGET_FEATURES, TARGET_FEATURES_SUITE, blocking=False)],
    )
    def targets(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        market: dg.ResourceParam[MarketDescription],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        pairs = read_pairs(lake)
        spool, results = Spool(TARGET_FEATURES), ResultsInTurn(TARGET_FEATURES_SUITE)
        with results:
            for columns in compute_target_blocks(lake, market, pairs, start, end):
                spool.add(columns)
                results.add(frame_settled(lake, market, pairs, columns))
        written, *_ = lake.change(
            replace_days(TARGET_FEATURES, start, end, spool), *list_mark_removal(lake, start, end)
        )
        return record_result(
            TARGET_FEATURES,
            written,
            {"catalogue_version": CATALOGUE_VERSION},
            checks=[_check_targets(results.joined())],
        )

    return [labels, instruments_and_market, targets]


def _check_targets(result: SuiteResult | None) -> dg.AssetCheckResult:
    if result is None:
        # Every day of the run was withdrawn, or no target has been there for long enough.
        name = TARGET_FEATURES_SUITE.name
        return make_check_result(TARGET_FEATURES, name, True, blocking=False, rows=0)
    return report_suite(TARGET_FEATURES, TARGET_FEATURES_SUITE, result, blocking=False)
