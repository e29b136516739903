"""Opening the source that the settings or the description of a market name."""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias

from quant_assets.core.errors import MarketError, suggest_names
from quant_assets.core.settings import SIMULATED, Settings
from quant_assets.market.description.market import MarketDescription, SourceChoice
from quant_assets.market.description.reading import open_description
from quant_assets.market.description.values import Value, quote
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.protocol import Source
from quant_assets.sources.simulated.market import SimulatedMarket

SourceOpener: TypeAlias = Callable[[Value | None, MarketDescription, Path], Source]
"""Opens a source: options of the description, the description, and a folder that it may use."""
ENTRY_POINTS = "quant_assets.sources"
"""Group of the entry points by which other packages add sources."""
FILES = "files"
_SEVERAL = "quant_assets.sources.joined.opening:open_joined"
_OPENERS = {
    FILES: "quant_assets.sources.files.source:open_files",
    "ecb": "quant_assets.sources.http.ecb:open_ecb",
    **{
        name: f"quant_assets.sources.http.{name}:open_source"
        for name in ("tiingo", "alpaca", "massive", "yahoo", "oanda")
    },
}


def open_source(settings: Settings) -> Source:
    """Open the source of the market that the settings name.

    It is the simulated market, the source that a description names, or else a folder in the
    competition's format. A folder may be a link: every read follows it anew.

    Raises:
        MarketError: the description cannot be used, or names an unknown source.
    """
    if settings.source == SIMULATED:
        return SimulatedMarket(seed=settings.seed)
    if settings.description_file is None:
        return CompetitionFolder(
            Path(settings.source), settings.first_day, day_filled=settings.day_filled
        )
    market = open_description(settings)
    choice = market.source or SourceChoice(FILES, None)
    return open_choice(choice, market, settings.data_dir / "sources" / choice.name)


def open_choice(choice: SourceChoice, market: MarketDescription, cache: Path) -> Source:
    """Open a source that a description names.

    Args:
        choice: the source and its options.
        market: the market with the instruments of the source.
        cache: a folder that the source may use.

    Raises:
        MarketError: the source is unknown, or cannot be opened with these options.
    """
    return find_opener(choice, market)(choice.options, market, cache)


def open_market(settings: Settings, source: Source | None = None) -> MarketDescription:
    """Return the description of the market that the settings name, with its trading days.

    Args:
        settings: of the data directory.
        source: the market's source, if it is open already.

    Where the trading days are those of the data, the calendar reads them from the source.

    Raises:
        MarketError: the description cannot be used.
    """
    market = open_description(settings)
    if market.calendar.exchanges:
        return market
    return market.with_days((source or open_source(settings)).days)


def find_opener(choice: SourceChoice, market: MarketDescription) -> SourceOpener:
    """Return what opens a source that a description names.

    Raises:
        MarketError: the source is unknown.
    """
    path = _SEVERAL if choice.is_list else _OPENERS.get(choice.name)
    if path:
        module, name = path.split(":")
        opener: SourceOpener = getattr(import_module(module), name)
        return opener
    added = {point.name: point.load for point in entry_points(group=ENTRY_POINTS)}
    if choice.name in added:
        loaded: SourceOpener = added[choice.name]()
        return loaded
    known = [*_OPENERS, *added]
    raise MarketError(
        "unknown source",
        where=f"{market.file}, key source",
        expected=f"one of {', '.join(known)}",
        found=quote(choice.name),
        hint=suggest_names(choice.name, known),
    )
