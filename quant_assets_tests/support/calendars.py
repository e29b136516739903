"""Calendars of markets: the competition's, and one of another exchange."""

from datetime import time

from quant_assets.market.description.reading import competition_description
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.market.description.times import ZonedTime

LONDON_AND_TOKYO = competition_description().calendar
NEW_YORK = MarketCalendar(("XNYS",), ZonedTime(time(17), "America/New_York"), late_after_hours=3)
