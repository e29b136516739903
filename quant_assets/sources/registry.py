"""Opening the source that the settings name."""

from pathlib import Path

from quant_assets.core.settings import SIMULATED, Settings
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.protocol import Source
from quant_assets.sources.simulated.market import SimulatedMarket


def open_source(settings: Settings) -> Source:
    """Open the simulated market, or a folder in the competition's format.

    The folder may be a link: every read follows it anew.
    """
    if settings.source == SIMULATED:
        return SimulatedMarket(seed=settings.seed)
    return CompetitionFolder(
        Path(settings.source), settings.first_day, day_filled=settings.day_filled
    )
