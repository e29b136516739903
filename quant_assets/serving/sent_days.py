"""What the prices of further days lead to: cleaned prices, features and labels, as arrays.

Every figure is computed by the functions that the assets use, from what is known before, so a day
that is stored later has the same bits. Nothing is read from the lake here.
"""

from dataclasses import replace

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.features.catalogue import LABEL_LOOKBACK, PRICE_LOOKBACK, SPREAD_LOOKBACK
from quant_assets.features.cross_market import (
    group_features,
    join_market_inputs,
    market_features,
)
from quant_assets.features.imputation import impute_closes
from quant_assets.features.instruments import instrument_features
from quant_assets.features.kernels import tail_rows
from quant_assets.features.spreads import label_features, target_features
from quant_assets.market.description.imputation import NONE
from quant_assets.market.description.listings import listing_days
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import labels_by_known_day
from quant_assets.market.universe import UniverseState, find_states, find_unlisted
from quant_assets.models.protocol import FeatureBlock, Observations
from quant_assets.quality.cleaning import CleanedTable, clean
from quant_assets.quality.growth import Growth, compute_growth
from quant_assets.quality.members import find_listing_states
from quant_assets.revisions.given_prices import join_days, select_columns, select_days
from quant_assets.serving.known_days import KnownDays
from quant_assets.sources.deliveries import PriceTable


def add_days(known: KnownDays, table: PriceTable) -> tuple[KnownDays, CleanedTable]:
    """Add days to what is known, from their prices alone.

    Returns what is known at the close of the last of them, and their cleaned prices. A day depends
    on this day and on earlier days only, so days may be added together or one by one.

    Args:
        known: what is known before.
        table: n days of prices as the source gives them, later than all known days; a series that
            the table lacks has no price.

    Raises:
        SourceError: the days do not follow the known days, or a series is unknown.
    """
    table = _align(known, table)
    cleaned, joined, scale, growth = _clean(known, table)
    closes = _join_panels(known.closes, _build_panel(known.closes, cleaned, cleaned.value))
    first_closes = _find_first_closes(known, cleaned, closes)
    rows = len(table.days)
    members = _find_members(known, closes, first_closes, rows)
    panel = _join_panels(known.panel, _build_feature_panel(known, cleaned, closes, members))
    joined_members = np.concatenate([known.members, members])
    labels = _add_labels(known, closes, rows)
    observations = _add_features(known, panel, joined_members, labels, rows)
    kept = known.rules.history
    result = replace(
        known,
        prices=select_days(joined, _is_last(joined, kept)),
        scale=None if scale is None else tail_rows(scale, kept),
        growth=growth.last if growth else known.growth,
        closes=closes.rows(max(len(closes.days) - known.close_rows, 0)),
        first_closes=first_closes,
        panel=panel.rows(max(len(panel.days) - PRICE_LOOKBACK, 0)),
        members=tail_rows(joined_members, PRICE_LOOKBACK),
        observations=observations,
        labels=labels,
        date_ids=np.concatenate([known.date_ids, table.date_ids]),
    )
    return result, cleaned


def _align(known: KnownDays, table: PriceTable) -> PriceTable:
    """Give a table the stored series in their order; a series that it lacks is empty."""
    series = known.prices.series
    unknown = sorted(set(table.columns) - set(series.columns))
    if unknown:
        raise SourceError(
            "a series is unknown",
            where=", ".join(unknown[:5]),
            expected=f"the {len(series)} series of the market",
            found=f"{len(unknown)} others",
        )
    if not len(table.days) or table.days[0] <= known.days[-1]:
        raise SourceError(
            "the days do not follow those that are known",
            expected=f"days after {known.days[-1]}",
            found=str(table.days[0]) if len(table.days) else "no day",
        )
    values = np.full((len(table.days), len(series)), np.nan)
    values[:, [series.by_column[name] for name in table.columns]] = table.values
    return replace(table, series=series, values=values)


def _clean(
    known: KnownDays, table: PriceTable
) -> tuple[CleanedTable, PriceTable, FloatArray | None, Growth | None]:
    """Clean the days of a table; also return all prices, their factors, and the growth."""
    before = select_columns(known.prices, table.columns)
    joined = join_days(before, table)
    growth = compute_growth(table, known.decisions, known.growth)
    scale = known.scale
    if growth or scale is not None:
        shape = len(before.days), len(before.columns)
        earlier = np.ones(shape) if scale is None else scale
        later = growth.scale(table.series) if growth else np.ones(table.values.shape)
        scale = np.concatenate([earlier, later])
    states = find_listing_states(joined, known.market.listings)
    cleaned = clean(joined, "sent", known.rules, known.decisions, scale, states)
    n = len(table.days)
    rejected = cleaned.quarantine
    own = rejected["trading_day"].to_numpy().astype("datetime64[D]") >= table.days[0]
    last = CleanedTable(
        table.days,
        table.date_ids,
        table.series,
        cleaned.value[-n:],
        cleaned.filled[-n:],
        cleaned.flags[-n:],
        rejected[own],
    )
    return last, joined, scale, growth


def _build_panel(like: PricePanel, cleaned: CleanedTable, values: FloatArray) -> PricePanel:
    """Build the panel of cleaned days with the instruments and fields of another panel."""
    place = {name: i for i, name in enumerate(like.instruments)}
    fields = {
        name: np.full((len(cleaned.days), len(like.instruments)), np.nan) for name in like.fields
    }
    for column, each in enumerate(cleaned.series.series):
        if each.field in fields:
            fields[each.field][:, place[each.instrument]] = values[:, column]
    return replace(like, days=cleaned.days, date_ids=cleaned.date_ids, fields=fields)


def _join_panels(earlier: PricePanel, later: PricePanel) -> PricePanel:
    return replace(
        later,
        days=np.concatenate([earlier.days, later.days]),
        date_ids=np.concatenate([earlier.date_ids, later.date_ids]),
        fields={
            name: np.concatenate([values, later.fields[name]])
            for name, values in earlier.fields.items()
        },
    )


def _find_first_closes(known: KnownDays, cleaned: CleanedTable, closes: PricePanel) -> AnyArray:
    own = ~np.isnan(closes.close[-len(cleaned.days) :])
    first = np.where(own.any(axis=0), cleaned.days[own.argmax(axis=0)], np.datetime64("NaT"))
    return np.where(np.isnat(known.first_closes), first, known.first_closes)


def _find_members(
    known: KnownDays, closes: PricePanel, first_closes: AnyArray, rows: int
) -> BoolArray:
    """Find the (rows, k) members of the last days of a panel of closes."""
    limit, instruments = known.market.universe, closes.instruments
    days = closes.days[-rows:]
    if limit is None:
        return np.ones((rows, len(instruments)), dtype=np.bool_)
    unlisted = find_unlisted(days, *listing_days(instruments, known.market.listings))
    states = find_states(days, first_closes, closes.close, limit)
    return np.asarray((states == UniverseState.LISTED) & (unlisted == UniverseState.LISTED))


def _build_feature_panel(
    known: KnownDays, cleaned: CleanedTable, closes: PricePanel, members: BoolArray
) -> PricePanel:
    """Build the panel of cleaned days as features get it."""
    imputation = known.market.imputation
    values = cleaned.value if imputation.method == NONE else cleaned.filled
    panel = _build_panel(known.panel, cleaned, values)
    if not imputation.estimates:
        return panel
    rows = len(cleaned.days)
    limit = known.rules.fill_limit
    estimates = impute_closes(closes.close, imputation.window, limit, rows).value
    estimated = members & ~np.isnan(estimates)
    for name in ("open", "high", "low", "settlement"):
        if name in panel.fields:
            panel.fields[name][estimated] = np.nan
    panel.close[estimated] = estimates[estimated]
    return panel


def _add_labels(known: KnownDays, closes: PricePanel, rows: int) -> Observations:
    """Add the labels that become known on the last days of a panel of closes."""
    labels = labels_by_known_day(closes.close, known.pairs, closes.instruments)[-rows:]
    before = known.labels
    n = len(before.days) + rows

    def grow(block: FeatureBlock) -> FeatureBlock:
        return FeatureBlock(block.names, np.empty((n, *block.values.shape[1:]), np.float32))

    return replace(
        before,
        days=np.concatenate([before.days, closes.days[-rows:]]),
        known_labels=np.concatenate([before.known_labels, labels]),
        target=grow(before.target),
        instrument=grow(before.instrument),
        market=grow(before.market),
    )


def _add_features(
    known: KnownDays, panel: PricePanel, members: BoolArray, labels: Observations, rows: int
) -> Observations:
    """Add the features of the last days of a panel to the observations."""
    instruments = instrument_features(panel)
    market = market_features(instruments, members)
    by_group = group_features(panel, instruments, members)
    since = max(len(panel.days) - rows - SPREAD_LOOKBACK, 0)
    targets = target_features(
        panel.rows(since),
        {name: values[since:] for name, values in instruments.items()},
        {name: values[since:] for name, values in market.items()},
        known.pairs,
        label_features(tail_rows(labels.known_labels, rows + LABEL_LOOKBACK), rows),
        last_rows=rows,
    )
    last = slice(len(panel.days) - rows, None)
    inputs = join_market_inputs(
        panel.all_groups,
        {name: values[last] for name, values in by_group.items()},
        {name: values[last] for name, values in market.items()},
    )
    own = {name: values[last] for name, values in instruments.items()}
    before = known.observations
    return replace(
        before,
        days=np.concatenate([before.days, panel.days[last]]),
        known_labels=np.concatenate([before.known_labels, labels.known_labels[-rows:]]),
        target=_add_rows(before.target, targets, rows),
        instrument=_add_rows(before.instrument, own, rows),
        market=_add_rows(before.market, inputs, rows),
    )


def _add_rows(block: FeatureBlock, features: dict[str, FloatArray], rows: int) -> FeatureBlock:
    """Add days to a block; features of tables and of bars within the day are unknown on them."""
    new = np.full((rows, *block.values.shape[1:]), np.nan, block.values.dtype)
    for column, name in enumerate(block.names):
        if name in features:
            new[..., column] = features[name]
    return FeatureBlock(block.names, np.concatenate([block.values, new]))


def _is_last(table: PriceTable, rows: int) -> BoolArray:
    return np.asarray(np.arange(len(table.days)) >= len(table.days) - rows)
