"""``quant-assets report``: write the page of any day by hand."""

from datetime import date
from pathlib import Path

from quant_assets.core.errors import CalendarError, LakeError
from quant_assets.core.settings import Settings, require_market
from quant_assets.lake.readers.days import read_day_span
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import select_families
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.orchestration.execution.submission_times import read_submission_time
from quant_assets.reports.page import store_report
from quant_assets.reports.periods import find_period
from quant_assets.reports.scope import ReportScope
from quant_assets.sources.registry import open_market


def write_report(settings: Settings, period: str, day: date | None = None) -> Path:
    """Write the page of a period and return its path.

    Args:
        settings: the market, and the data directory.
        period: daily, weekly or monthly.
        day: last day of the period; the trading day before, if it is none. Default: the newest
            day with prices.

    Raises:
        UnknownNameError: there is no such period.
        SettingsError: no market is loaded, or another one.
        LakeError: no prices are stored yet.
        CalendarError: there are no prices of that day.
    """
    kind = find_period(period)
    require_market(settings, loaded=True)
    calendar = open_market(settings).calendar
    with Lake(settings.lake_dir, read_only=True) as lake, open_instance(settings) as opened:
        span = read_day_span(lake, RAW_PRICES)
        if span is None:
            raise LakeError(
                "no prices are stored yet", where=RAW_PRICES.name, hint="run `quant-assets load`"
            )
        first, last = span
        wanted = calendar.newest_trading_day(day) if day else last
        if not first <= wanted <= last:
            raise CalendarError(
                "there are no prices of this day",
                where=RAW_PRICES.name,
                expected=f"a day from {first} to {last}",
                found=day,
            )
        families = select_families(settings.families)
        submitted = read_submission_time(opened, wanted)
        scope = ReportScope(lake, kind, wanted, families, settings.drift_share, calendar, submitted)
        return store_report(scope, settings.reports_dir)[1]
