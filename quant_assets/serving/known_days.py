"""What is known at the close of a day, as far back as the next days need it, as arrays.

Reading it from the lake belongs here; what follows from the prices of further days is in
``sent_days``. Nothing that became known after the day is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from quant_assets.core.settings import Settings
from quant_assets.core.typing import BoolArray, DayArray, FloatArray, IntArray
from quant_assets.features.catalogue import PRICE_LOOKBACK
from quant_assets.features.imputation import imputation_lookback
from quant_assets.lake.readers.days import read_day_span
from quant_assets.lake.readers.imputed import read_feature_panel
from quant_assets.lake.readers.point_in_time import read_date_ids, read_observations
from quant_assets.lake.readers.prices import (
    find_history_start,
    read_pairs,
    read_panel,
    read_raw,
)
from quant_assets.lake.readers.universe import read_first_closes, read_members
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs, delay_of
from quant_assets.models.protocol import Observations
from quant_assets.models.registry import load_family
from quant_assets.quality.cleaning import CleaningRules
from quant_assets.quality.growth import Growth, GrowthState, compute_growth
from quant_assets.quality.review_decisions import ReviewDecision, read_decisions
from quant_assets.sources.deliveries import PriceTable


@dataclass(frozen=True)
class KnownDays:
    """What is known at the close of a day, the last of every array.

    Attributes:
        market: the description of the market.
        rules: the limits of cleaning.
        decisions: people's decisions about prices, oldest first.
        pairs: the m targets.
        prices: prices as given of the days that cleaning looks back on.
        scale: factors of these prices for splits and dividends; None without any.
        growth: what splits and dividends made of one share, by instrument.
        closes: observed closes of the days that labels, estimates and the universe look back on.
        first_closes: (k,) day of the first close of each instrument; NaT without one.
        panel: prices as features get them, of ``PRICE_LOOKBACK`` days or all that there are.
        members: (n, k) which instruments are in the universe on the days of the panel.
        observations: features and labels of the days that models look back on.
        labels: labels of all days, without features.
        date_ids: (t,) the source's numbers of the days of ``labels``.
    """

    market: MarketDescription
    rules: CleaningRules
    decisions: tuple[ReviewDecision, ...]
    pairs: TargetPairs
    prices: PriceTable
    scale: FloatArray | None
    growth: Mapping[str, GrowthState]
    closes: PricePanel
    first_closes: DayArray
    panel: PricePanel
    members: BoolArray
    observations: Observations
    labels: Observations
    date_ids: IntArray

    @property
    def days(self) -> DayArray:
        """(t,) all days that are known, ascending."""
        return self.labels.days

    @property
    def close_rows(self) -> int:
        """Number of days of closes that the next day looks back on."""
        return count_close_days(self.market, self.pairs, self.rules.fill_limit)


def read_arrays(
    lake: Lake,
    settings: Settings,
    market: MarketDescription,
    families: Sequence[str],
    as_of: date,
) -> KnownDays:
    """Read what was known at the close of a stored day.

    Args:
        lake: the lake.
        settings: the limits of cleaning.
        market: the description of the market.
        families: names of the families that forecast the next days.
        as_of: the day; the newest stored day before it if it is not stored.

    Raises:
        LakeError: no prices or features are stored.
        NotEnoughHistoryError: no day until then has features.
    """
    rules = CleaningRules(fill_limit=settings.fill_limit, jump_z=settings.jump_z)
    with lake.at_once():
        labels = read_observations(lake, as_of, features=False)
        last = labels.days[-1].item()
        pairs, decisions = read_pairs(lake), read_decisions(lake)

        def begin(rows: int) -> date:
            return find_history_start(lake, VALIDATED_PRICES, last, rows - 1)

        prices = read_raw(lake, begin(rules.history), last)
        growth = _read_growth(lake, prices, decisions)
        panel = read_feature_panel(lake, market.imputation, begin(PRICE_LOOKBACK), last)
        rows = count_close_days(market, pairs, settings.fill_limit)
        closes = read_panel(lake, "value", begin(rows), last, fields=("close",))
        lookback = max(load_family(name).lookback for name in families)
        since = find_history_start(lake, MARKET_FEATURES, last, lookback)
        return KnownDays(
            market,
            rules,
            decisions,
            pairs,
            prices,
            growth.scale(prices.series)[-len(prices.days) :] if growth else None,
            growth.last if growth else {},
            closes,
            read_first_closes(lake, closes.instruments, last),
            panel,
            read_members(lake, panel.days, panel.instruments),
            read_observations(lake, last, since=since),
            labels,
            read_date_ids(lake, labels.days),
        )


def count_close_days(market: MarketDescription, pairs: TargetPairs, fill_limit: int) -> int:
    """Count the days of closes that the labels, estimates and universe of a next day need."""
    estimated = market.imputation.estimates
    window = imputation_lookback(market.imputation.window, fill_limit) if estimated else 0
    return max(delay_of(pairs.lags), window, market.universe or 1)


def _read_growth(
    lake: Lake, prices: PriceTable, decisions: Sequence[ReviewDecision]
) -> Growth | None:
    """Compute the growth since the first stored day; None without splits and dividends."""
    if not lake.has(ACTIONS):
        return None
    span = read_day_span(lake, RAW_PRICES)
    first = span[0] if span else prices.days[0].item()
    return compute_growth(read_raw(lake, first, prices.days[-1].item(), prices.series), decisions)
