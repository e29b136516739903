"""Layer features: the labels that became known on each day, and the features known at its close."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
import numpy as np

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
from quant_assets.features.spreads import target_features
from quant_assets.lake.readers.arrays import day_blocks, long_rows
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.readers.features import read_features
from quant_assets.lake.readers.labels import compare_labels, label_rows
from quant_assets.lake.readers.point_in_time import read_known_labels
from quant_assets.lake.readers.prices import find_history_start, read_pairs, read_panel
from quant_assets.lake.readers.universe import find_settled_targets, read_members
from quant_assets.lake.schemas.tables import (
    GROUP_FEATURES,
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
from quant_assets.market.instruments import FIELDS
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
    to_frame,
)
from quant_assets.quality.expectations import SuiteResult
from quant_assets.quality.in_turn import ResultsInTurn
from quant_assets.quality.suites import TARGET_FEATURES_SUITE
from quant_assets.revisions.records import list_mark_removal
from quant_assets.sources.protocol import Source

_PUBLISHED = "agree_with_published"


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of the layer; the families do not matter."""

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
        panel = _read_panel_with_history(
            lake, "value", start, end, delay_of(pairs.lags), fields=("close",)
        )
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
            describe_asset(INSTRUMENT_FEATURES, kinds={"numpy"}, deps=[VALIDATED_PRICES, UNIVERSE]),
            describe_asset(GROUP_FEATURES, kinds={"numpy"}, deps=[INSTRUMENT_FEATURES]),
            describe_asset(MARKET_FEATURES, kinds={"numpy"}, deps=[INSTRUMENT_FEATURES]),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def instruments_and_market(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult]:
        start, end = run_day_range(context)
        panel = _read_panel_with_history(lake, "filled", start, end, PRICE_LOOKBACK)
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
            for columns in _target_blocks(lake, pairs, start, end):
                spool.add(columns)
                frame = to_frame(TARGET_FEATURES, columns)
                if market.universe is not None:
                    days = np.unique(frame["trading_day"].to_numpy()).astype("datetime64[D]")
                    frame = frame[find_settled_targets(lake, pairs, days).ravel()]
                if len(frame):
                    results.add(frame)
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
    lake: Lake, pairs: TargetPairs, start: date, end: date
) -> Iterator[dict[str, Any]]:
    """Compute the rows of the targets in blocks of days that fit into memory."""
    days = read_days(lake, VALIDATED_PRICES)
    days = days[days <= np.datetime64(end)]
    first = int(np.searchsorted(days, np.datetime64(start)))
    labelled = max(first - LABEL_LOOKBACK, 0)
    known_labels = read_known_labels(lake, days[labelled:], pairs)
    panel = _read_panel_with_history(lake, "filled", start, end, SPREAD_LOOKBACK, fields=("close",))
    begins = int(np.searchsorted(days, panel.days[0])) if len(panel.days) else 0
    for block in day_blocks(len(days) - first, len(pairs)):
        stop = first + block.stop
        known = known_labels[
            max(first + block.start - LABEL_LOOKBACK - labelled, 0) : stop - labelled
        ]
        part = panel.rows(max(first + block.start - SPREAD_LOOKBACK - begins, 0), stop - begins)
        yield _target_rows(lake, part, pairs, known, block.stop - block.start)


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
    lake: Lake, panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, rows: int
) -> dict[str, Any]:
    """Compute the rows of the targets on the last days of a panel.

    Args:
        lake: holds the features of instruments and of the market.
        panel: (n, k) prices.
        pairs: the m targets.
        known_labels: labels by the day on which they become known, of shape (days, m).
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
        known_labels,
        last_rows=rows,
    )
    return long_rows(days, date_ids, values, "target", pairs.targets)


def _check_targets(result: SuiteResult | None) -> dg.AssetCheckResult:
    if result is None:
        # Every day of the run was withdrawn, or no target has been there for long enough.
        name = TARGET_FEATURES_SUITE.name
        return make_check_result(TARGET_FEATURES, name, True, blocking=False, rows=0)
    return report_suite(TARGET_FEATURES, TARGET_FEATURES_SUITE, result, blocking=False)


def _read_panel_with_history(
    lake: Lake,
    value: str,
    start: date,
    end: date,
    history: int,
    *,
    fields: Sequence[str] = FIELDS,
) -> PricePanel:
    """Read the panel of a range of days, and the history that its first day needs.

    Args:
        lake: holds validated prices.
        value: the column of the validated prices.
        start: first day of the range.
        end: last day of the range.
        history: number of days before ``start``.
        fields: fields to read.
    """
    first = find_history_start(lake, VALIDATED_PRICES, start, history)
    return read_panel(lake, value, first, end, fields=fields)
