"""Layer features: the labels that became known on each day, and the features known at its close."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import numpy as np

from quant_assets.features.catalogue import CATALOGUE_VERSION, LOOKBACK, find_left_out
from quant_assets.features.cross_market import group_features, market_features
from quant_assets.features.instruments import instrument_features
from quant_assets.features.spreads import target_features
from quant_assets.lake.readers.arrays import long_rows
from quant_assets.lake.readers.features import read_features
from quant_assets.lake.readers.labels import compare_labels, label_rows
from quant_assets.lake.readers.point_in_time import read_known_labels
from quant_assets.lake.readers.prices import find_history_start, read_pairs, read_panel
from quant_assets.lake.schemas.tables import (
    GROUP_FEATURES,
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    RAW_TARGET_PAIRS,
    TARGET_FEATURES,
    VALIDATED_PRICES,
)
from quant_assets.lake.store.changes import replace_days
from quant_assets.lake.store.lake import Lake
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import delay_of, labels_by_known_day
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.table_assets import (
    check_spec,
    describe_asset,
    make_check_result,
    record_result,
    run_suite,
    suite_spec,
    table_asset,
)
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
        panel = _read_panel_with_history(lake, "value", start, end, delay_of(pairs.lags))
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
            describe_asset(INSTRUMENT_FEATURES, kinds={"numpy"}, deps=[VALIDATED_PRICES]),
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
        panel = _read_panel_with_history(lake, "filled", start, end, LOOKBACK)
        keep = panel.days >= np.datetime64(start)
        by_instrument = instrument_features(panel)
        groups = tuple(group.name for group in panel.all_groups)
        for table, values, units in (
            (INSTRUMENT_FEATURES, by_instrument, ("instrument", panel.instruments)),
            (GROUP_FEATURES, group_features(panel, by_instrument), ("instrument_group", groups)),
            (MARKET_FEATURES, market_features(by_instrument), ()),
        ):
            kept = {name: array[keep] for name, array in values.items()}
            rows = long_rows(panel.days[keep], panel.date_ids[keep], kept, *units)
            written = lake.replace_days(table, start, end, rows)
            yield record_result(table, written, {"left_out": find_left_out(panel)})

    @table_asset(
        TARGET_FEATURES,
        kinds={"numpy"},
        deps=[INSTRUMENT_FEATURES, MARKET_FEATURES, LABELS, RAW_TARGET_PAIRS],
        partitions=partitions,
        checks=[suite_spec(TARGET_FEATURES, TARGET_FEATURES_SUITE, blocking=False)],
    )
    def targets(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        panel = _read_panel_with_history(lake, "filled", start, end, LOOKBACK)
        pairs = read_pairs(lake)
        keep = panel.days >= np.datetime64(start)
        values = target_features(
            panel,
            read_features(lake, INSTRUMENT_FEATURES, panel.days, "instrument", panel.instruments),
            read_features(lake, MARKET_FEATURES, panel.days),
            pairs,
            read_known_labels(lake, panel.days, pairs),
            last_rows=int(keep.sum()),
        )
        rows = long_rows(panel.days[keep], panel.date_ids[keep], values, "target", pairs.targets)
        written, *_ = lake.change(
            replace_days(TARGET_FEATURES, start, end, rows), *list_mark_removal(lake, start, end)
        )
        return record_result(
            TARGET_FEATURES,
            written,
            {"catalogue_version": CATALOGUE_VERSION, "left_out": find_left_out(panel)},
            checks=[_check_targets(rows)],
        )

    return [labels, instruments_and_market, targets]


def _check_targets(rows: Mapping[str, Any]) -> dg.AssetCheckResult:
    if not len(rows["target"]):
        # Every day of the run was withdrawn.
        name = TARGET_FEATURES_SUITE.name
        return make_check_result(TARGET_FEATURES, name, True, blocking=False, rows=0)
    return run_suite(TARGET_FEATURES, TARGET_FEATURES_SUITE, rows, blocking=False)


def _read_panel_with_history(
    lake: Lake, value: str, start: date, end: date, history: int
) -> PricePanel:
    """Read the panel of a range of days, and the history that its first day needs.

    Args:
        lake: holds validated prices.
        value: the column of the validated prices.
        start: first day of the range.
        end: last day of the range.
        history: number of days before ``start``.
    """
    return read_panel(lake, value, find_history_start(lake, VALIDATED_PRICES, start, history), end)
