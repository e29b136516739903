"""The market of a rehearsal in a folder of its own: thirty simulated days, slim files."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from quant_assets.simulation.growing_market import GrowingMarket
from quant_assets.simulation.scenario import PlannedIncident
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.deliveries import PriceTable

FIRST, BEGIN, DAYS = date(2022, 9, 1), date(2022, 12, 19), 30


def plan_market(folder: Path, *incidents: PlannedIncident) -> GrowingMarket:
    return GrowingMarket(folder, FIRST, BEGIN, DAYS, incidents, slim=True)


def create_market(folder: Path, *incidents: PlannedIncident) -> GrowingMarket:
    market = plan_market(folder, *incidents)
    market.create()
    return market


def read_lines(market: GrowingMarket, now: datetime) -> Sequence[str]:
    """Deliver what is due, and return the lines of ``train.csv``."""
    market.deliver(now)
    return (market.source / "train.csv").read_text().splitlines()


def read_folder(market: GrowingMarket, folder: Path) -> PriceTable:
    """Read all prices of a folder of this market."""
    return CompetitionFolder(folder, FIRST).prices(FIRST, market.day(DAYS - 1))


def read_source(market: GrowingMarket, now: datetime) -> PriceTable:
    """Deliver what is due, and read all prices that the platform can read."""
    market.deliver(now)
    return read_folder(market, market.source)
