"""Bars within the day and their daily features; only where the source delivers bars.

What bars mean belongs in ``features.bars``, and reading them in ``sources``. Bars that cannot be
used stop nothing: models do without them.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from quant_assets.core.clock import Clock
from quant_assets.core.errors import CalendarError, SourceError
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.features.bar_catalogue import BAR_CATALOGUE_VERSION, BAR_LOOKBACK
from quant_assets.features.bars import bar_features
from quant_assets.features.kernels import tail_rows
from quant_assets.lake.readers.actions import read_splits
from quant_assets.lake.readers.arrays import day_blocks, long_rows
from quant_assets.lake.readers.bars import (
    BarComparison,
    bar_rows,
    compare_with_prices,
    count_bars,
    read_bars,
)
from quant_assets.lake.readers.prices import find_history_start, read_numbered_days
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.bar_tables import BAR_FEATURES, RAW_BARS, REJECTED_BARS
from quant_assets.lake.schemas.feature_tables import FEATURES
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import Spool, collect
from quant_assets.market.description.market import MarketDescription
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.rejections import mark_rejected
from quant_assets.orchestration.assets.table_assets import (
    asset_key_of,
    check_spec,
    make_check_result,
    record_result,
    report_suite,
    suite_spec,
    table_asset,
    to_frame,
    to_markdown,
)
from quant_assets.quality.bar_suites import BAR_FEATURES_SUITE, RAW_BARS_SUITE
from quant_assets.quality.expectations import Suite
from quant_assets.quality.in_turn import ResultsInTurn
from quant_assets.sources.protocol import DeliversBars, Source

_AGREE = "agree_with_prices"
_DIFFERING_SHARE = 0.01
_MINUTES_A_DAY = 1440
Blocks = Iterator[dict[str, Any]]


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of bars; the families do not matter."""

    @table_asset(
        RAW_BARS,
        kinds={"numpy"},
        partitions=partitions,
        deps=[RAW_PRICES],
        about="Bars that cannot be read, or that fail their check, are not stored. The stored bars "
        "stay in force then, and the assets downstream go on.",
        checks=[
            suite_spec(RAW_BARS, RAW_BARS_SUITE, blocking=False),
            check_spec(
                RAW_BARS,
                _AGREE,
                "At most 1 % of the daily opens, highs, lows, closes and volumes differ from those "
                "of the day's bars: prices by more than 0.1 %, volumes by more than 5 %.",
                blocking=False,
            ),
        ],
    )
    def raw_bars(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        days, date_ids = read_numbered_days(lake, RAW_PRICES, start, end)
        blocks = partial(_read_blocks, lake, source, days, date_ids)
        spool = Spool(RAW_BARS)
        try:
            check = _check_blocks(RAW_BARS_SUITE, spool, blocks())
            if not check.passed:
                marked = (mark_rejected(b, len(b["trading_day"]), context, clock) for b in blocks())
                lake.replace_days(REJECTED_BARS, start, end, collect(REJECTED_BARS, marked))
        except (SourceError, CalendarError) as error:
            check = _report_unread(error)
            context.log.warning(f"the bars cannot be read: {error}")
        if not check.passed:
            if not lake.has(RAW_BARS):
                lake.replace_days(RAW_BARS, start, end, Spool(RAW_BARS))
            return _report_unused(check)
        written = lake.replace_days(RAW_BARS, start, end, spool)
        comparison = _report_comparison(compare_with_prices(lake, start, end))
        details = {"days_without_bars": len(days) - len(spool.days)}
        return record_result(RAW_BARS, written, details, checks=[check, comparison])

    @table_asset(
        BAR_FEATURES,
        kinds={"numpy"},
        partitions=partitions,
        deps=[RAW_BARS],
        checks=[suite_spec(BAR_FEATURES, BAR_FEATURES_SUITE, blocking=False)],
    )
    def features_of_bars(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        market: dg.ResourceParam[MarketDescription],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        first = find_history_start(lake, RAW_PRICES, start, BAR_LOOKBACK)
        days, date_ids = read_numbered_days(lake, RAW_PRICES, first, end)
        with_bars, counts = count_bars(lake, start, end)
        rows = _feature_rows(lake, market, days, date_ids, with_bars, int(counts.max(initial=1)))
        spool = Spool(BAR_FEATURES)
        check = _check_blocks(BAR_FEATURES_SUITE, spool, rows)
        written = lake.replace_days(BAR_FEATURES, start, end, spool)
        details = {"catalogue_version": BAR_CATALOGUE_VERSION, "days_with_bars": len(with_bars)}
        return record_result(BAR_FEATURES, written, details, checks=[check])

    return [raw_bars, features_of_bars]


def depend_on_bars(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Add the features from bars to what an asset reads, if it reads all other features."""
    read = {dep.asset_key for dep in spec.deps}
    if not read.issuperset(map(asset_key_of, FEATURES)):
        return spec
    return spec.replace_attributes(deps=[*spec.deps, asset_key_of(BAR_FEATURES)])


def _read_blocks(lake: Lake, source: Source, days: DayArray, date_ids: IntArray) -> Blocks:
    """Yield the rows of the source's bars, some days at a time."""
    if not isinstance(source, DeliversBars):
        raise SourceError("the source delivers no bars", where=source.name)
    most = len(read_series(lake).group_of) * (_MINUTES_A_DAY // source.bar_minutes)
    for part in day_blocks(len(days), most):
        some = days[part]
        table = source.bars(some[0].item(), some[-1].item())
        yield bar_rows(table, days, date_ids, source.bar_minutes, source.name)


def _feature_rows(
    lake: Lake,
    market: MarketDescription,
    days: DayArray,
    date_ids: IntArray,
    with_bars: DayArray,
    most: int,
) -> Blocks:
    """Compute the features of the days with bars, some days at a time.

    Args:
        lake: holds the bars.
        market: its calendar says when sessions begin and end.
        days: (n,) days of the run, and the days before that their features need.
        date_ids: (n,) their numbers.
        with_bars: days of the run that have bars.
        most: most bars of a day.
    """
    instruments = tuple(sorted(read_series(lake).group_of))
    own = np.flatnonzero(np.isin(days, with_bars))
    for part in day_blocks(len(own), most):
        first, stop = own[part][0], own[part][-1] + 1
        begin = max(first - BAR_LOOKBACK, 0)
        bars = read_bars(lake, days[begin:stop], instruments, market.calendar)
        kept = np.isin(days[first:stop], with_bars)
        values = {
            name: tail_rows(array, stop - first)[kept] for name, array in bar_features(bars).items()
        }
        splits = read_splits(lake, days[first:stop][kept], instruments)
        if splits is not None:
            values["overnight_return"] += np.log(splits)
        numbers = date_ids[first:stop][kept]
        yield long_rows(days[first:stop][kept], numbers, values, "instrument", instruments)


def _check_blocks(suite: Suite, spool: Spool, blocks: Blocks) -> dg.AssetCheckResult:
    """Collect blocks of rows, and run a suite over them."""
    with ResultsInTurn(suite) as results:
        for block in blocks:
            spool.add(block)
            results.add(to_frame(spool.table, block))
        result = results.joined()
    if result is None:
        return make_check_result(spool.table, suite.name, True, blocking=False, rows=0)
    return report_suite(spool.table, suite, result, blocking=False)


def _report_unused(check: dg.AssetCheckResult) -> dg.MaterializeResult:
    """Report that no bars were stored, and where the reason is."""
    rows = f"rows that did not pass are in {REJECTED_BARS.name}"
    return dg.MaterializeResult(
        asset_key=asset_key_of(RAW_BARS),
        check_results=[check, _report_comparison(())],
        metadata={"nothing_stored": f"the check {check.check_name} says why; {rows}"},
    )


def _report_unread(error: Exception) -> dg.AssetCheckResult:
    """Build the result of the check of bars that cannot be read."""
    problem = pd.DataFrame({"problem": [" ".join(str(error).split())]})
    return make_check_result(
        RAW_BARS, RAW_BARS_SUITE.name, False, blocking=False, problem=to_markdown(problem)
    )


def _report_comparison(fields: Sequence[BarComparison]) -> dg.AssetCheckResult:
    """Build the result of the comparison of bars with daily prices."""
    compared = sum(each.cells - each.missing for each in fields)
    differing = sum(each.differing for each in fields)
    return make_check_result(
        RAW_BARS,
        _AGREE,
        differing <= _DIFFERING_SHARE * compared,
        blocking=False,
        compared_cells=compared,
        differing_cells=differing,
        cells_without_bars=sum(each.missing for each in fields),
        fields=to_markdown(pd.DataFrame([vars(each) for each in fields])),
    )
