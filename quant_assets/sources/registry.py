"""Opening the source that the settings name."""

from pathlib import Path

from quant_assets.core.settings import SIMULATED, Settings
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.protocol import Source
from quant_assets.sources.simulated.market import SimulatedMarket


def open_source(settings: Settings) -> Source:
    """Open the simulated market, or a folder in the competition's format.

    Raises:
        SourceError: the folder does not exist.
    """
    if settings.source == SIMULATED:
        return SimulatedMarket(seed=settings.seed)
    return CompetitionFolder(Path(settings.source).expanduser().resolve(), settings.first_day)
