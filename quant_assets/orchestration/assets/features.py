"""Layer features: the labels that became known on each day, and the features known at its close."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.features.catalogue import (
    CATALOGUE_VERSION,
    LABEL_LOOKBACK,
    LEG_FEATURES,
    PRICE_LOOKBACK,
    SPREAD_LOOKBACK,
    find_left_out,
)
from quant_assets.features.cross_market import group_features, market_features
from quant_assets.features.instruments import instrument_features
from quant_assets.features.kernels import tail_rows
from quant_assets.features.spreads import label_features, target_features
from quant_assets.lake.readers.arrays import ROWS_AT_ONCE, day_blocks, long_rows
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.readers.features import read_features
from quant_assets.lake.readers.imputed import read_feature_panel
from quant_assets.lake.readers.labels import compare_labels, label_rows
from quant_assets.lake.readers.point_in_time import read_known_labels
from quant_assets.lake.readers.prices import find_history_start, read_pairs, read_panel
from quant_assets.lake.readers.universe import read_members, read_target_members
from quant_assets.lake.schemas.tables import (
    GROUP_FEATURES,
    IMPUTED,
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    RAW_TARGET_PAIRS,
    TARGET_FEATURES,
    UNIVERSE,
    VALIDATED_PRICES,
)
from quant_assets.lake.store.changes import replace_days
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import Spool
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs, delay_of, labels_by_known_day
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
_LABEL_ROWS = 4 * ROWS_AT_ONCE
"""Rows whose labels are computed at once; they have long windows, so more than other features."""


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
        for block in day_blocks(len(panel.days) - first, len(panel.instruments)):
            part = panel.rows(max(first + block.start - PRICE_LOOKBACK, 0), first + block.stop)
            members = read_members(lake, part.days, part.instruments)
            rows = _instrument_rows(part, members, block.stop - block.start)
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
            for columns in _target_blocks(lake, market, pairs, start, end):
                spool.add(columns)
                results.add(_frame_members(lake, pairs, columns))
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


def _target_blocks(
    lake: Lake, market: MarketDescription, pairs: TargetPairs, start: date, end: date
) -> Iterator[dict[str, Any]]:
    """Compute the rows of the targets in blocks of days that fit into memory."""
    days = read_days(lake, VALIDATED_PRICES)
    days = days[days <= np.datetime64(end)]
    first = int(np.searchsorted(days, np.datetime64(start)))
    labelled = max(first - LABEL_LOOKBACK, 0)
    known_labels = read_known_labels(lake, days[labelled:], pairs)
    history = find_history_start(lake, VALIDATED_PRICES, start, SPREAD_LOOKBACK)
    panel = read_feature_panel(lake, market.imputation, history, end, fields=("close",))
    begins = int(np.searchsorted(days, panel.days[0])) if len(panel.days) else 0
    for span in day_blocks(len(days) - first, len(pairs), _LABEL_ROWS):
        stop = first + span.stop - labelled
        known = known_labels[max(stop - span.stop + span.start - LABEL_LOOKBACK, 0) : stop]
        labels = label_features(known, span.stop - span.start)
        for block in day_blocks(span.stop - span.start, len(pairs)):
            start_row, stop_row = (first + span.start + x for x in (block.start, block.stop))
            part = panel.rows(max(start_row - SPREAD_LOOKBACK - begins, 0), stop_row - begins)
            of_block = {name: values[block] for name, values in labels.items()}
            yield _target_rows(lake, part, pairs, of_block, block.stop - block.start)


def _instrument_rows(panel: PricePanel, members: BoolArray, rows: int) -> Iterator[dict[str, Any]]:
    """Compute the rows of instruments, of groups and of the market on the last days of a panel."""
    by_instrument = instrument_features(panel)
    groups = tuple(group.name for group in panel.all_groups)
    for values, units in (
        (by_instrument, ("instrument", panel.instruments)),
        (group_features(panel, by_instrument, members), ("instrument_group", groups)),
        (market_features(by_instrument, members), ()),
    ):
        kept = {name: tail_rows(array, rows) for name, array in values.items()}
        yield long_rows(tail_rows(panel.days, rows), tail_rows(panel.date_ids, rows), kept, *units)


def _target_rows(
    lake: Lake, panel: PricePanel, pairs: TargetPairs, labels: dict[str, FloatArray], rows: int
) -> dict[str, Any]:
    """Compute the rows of the targets on the last days of a panel.

    Args:
        lake: holds the features of instruments and of the market.
        panel: (n, k) prices.
        pairs: the m targets.
        labels: features of the labels that are known on the last days.
        rows: number of last days.
    """
    days, date_ids = tail_rows(panel.days, rows), tail_rows(panel.date_ids, rows)
    read = partial(
        read_features, lake, INSTRUMENT_FEATURES, unit_column="instrument", units=panel.instruments
    )
    values = target_features(
        panel,
        # Of the days before, only returns are needed.
        {**read(days=days, only=LEG_FEATURES), **read(days=panel.days, only=("ret_1",))},
        read_features(lake, MARKET_FEATURES, panel.days),
        pairs,
        labels,
        last_rows=rows,
    )
    return long_rows(days, date_ids, values, "target", pairs.targets)


def _frame_members(lake: Lake, pairs: TargetPairs, columns: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of targets that are in the universe on the day; all if no row is.

    The columns become a frame as they are: by way of Arrow it would take thrice as long.
    """
    names = columns["target"]
    targets = pd.Categorical.from_codes(names.indices.to_numpy(), names.dictionary.to_pylist())
    days = np.unique(columns["trading_day"]).astype("datetime64[D]")
    kept = read_target_members(lake, days, pairs).ravel()
    everything = kept.all() or not kept.any()
    whole = {**columns, "target": targets}
    rows = whole if everything else {name: values[kept] for name, values in whole.items()}
    return pd.DataFrame(rows, copy=False)


def _check_targets(result: SuiteResult | None) -> dg.AssetCheckResult:
    if result is None:
        # Every day of the run was withdrawn.
        name = TARGET_FEATURES_SUITE.name
        return make_check_result(TARGET_FEATURES, name, True, blocking=False, rows=0)
    return report_suite(TARGET_FEATURES, TARGET_FEATURES_SUITE, result, blocking=False)
