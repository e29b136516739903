"""Opening the sources that a list in ``market.yaml`` names, as one source."""

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

from quant_assets.core.clock import Clock
from quant_assets.core.errors import MarketError
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import Value, quote
from quant_assets.sources.joined.options import (
    SourceRule,
    list_market_series,
    read_source_rules,
)
from quant_assets.sources.joined.parts import Part
from quant_assets.sources.joined.source import JoinedBarSource, JoinedSource
from quant_assets.sources.protocol import DeliversAsTraded, DeliversBars, Source
from quant_assets.sources.registry import open_choice

OpenSource = Callable[[SourceRule, MarketDescription], Source]
"""Opens a source of a list for the market with the instruments and fields that it covers."""


def open_joined(options: Value | None, market: MarketDescription, cache: Path) -> Source:
    """Open several sources as one. Nothing is asked of a vendor yet.

    Args:
        options: the list of sources.
        market: the market.
        cache: a folder, beside which each source has a folder with its name.

    Raises:
        MarketError: the list or an option of a source is wrong, or two sources do not fit together.
        SettingsError: a vendor's key is missing.
    """
    if options is None:
        raise MarketError("no sources are listed", where=str(market.file), expected="a list")

    def open_part(rule: SourceRule, restricted: MarketDescription) -> Source:
        return open_choice(rule.choice, restricted, cache.parent / rule.name)

    return join_sources(read_source_rules(options, market), market, open_part, Clock())


def join_sources(
    rules: Sequence[SourceRule], market: MarketDescription, open_part: OpenSource, clock: Clock
) -> JoinedSource:
    """Open the sources of some rules as one source.

    Args:
        rules: the sources in order of priority.
        market: the market.
        open_part: opens one of them.
        clock: says when missing prices are late.

    Raises:
        MarketError: two sources of an instrument treat splits differently, or several deliver bars.
    """
    sources = [open_part(rule, rule.restrict(market)) for rule in rules]
    _check_splits(rules, sources)
    keys = list_market_series(market)
    series = market.list_series([market.series_name(each) for each in keys])
    parts = tuple(
        Part(rule.name, source, rule.cover(keys), rule.tolerance)
        for rule, source in zip(rules, sources, strict=True)
    )
    with_bars = [source for source in sources if isinstance(source, DeliversBars)]
    if len(with_bars) > 1:
        raise MarketError(
            "several sources deliver bars within the day",
            where=rules[-1].where,
            expected="bars of one source",
            found=len(with_bars),
        )
    if with_bars:
        return JoinedBarSource(market, series, parts, clock, of_bars=with_bars[0])
    return JoinedSource(market, series, parts, clock)


def _check_splits(rules: Sequence[SourceRule], sources: Sequence[Source]) -> None:
    """Refuse prices as traded beside adjusted prices of one instrument."""
    for (one, first), (other, second) in combinations(zip(rules, sources, strict=True), 2):
        shared = [name for name in one.covers if name in other.covers]
        if shared and _is_as_traded(first) != _is_as_traded(second):
            traded, adjusted = (one, other) if _is_as_traded(first) else (other, one)
            raise MarketError(
                "the prices of two sources differ by splits and dividends",
                where=other.where,
                expected="both as traded with splits and dividends beside them, or both without",
                found=f"{quote(shared[0])} as traded of {traded.name}, and not of {adjusted.name}",
                hint="`columns: {split: ..., dividend: ...}` says that files are as traded; or "
                "give each source its own `instruments`",
            )


def _is_as_traded(source: Source) -> bool:
    return isinstance(source, DeliversAsTraded) and source.as_traded
