"""The splits and dividends that a run stores together with its prices.

What they make of prices belongs in ``quality.growth``.
"""

from datetime import date

from quant_assets.lake.readers.actions import action_rows
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.changes import Change, replace_days
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.deliveries import PriceTable


def replace_actions(lake: Lake, own: PriceTable, start: date, last: date) -> list[Change]:
    """List the change that replaces the splits and dividends of a run's days.

    Returns an empty list if the source has none and none are stored.

    Args:
        lake: the lake.
        own: the source's prices of the run's days.
        start: first day whose rows are replaced.
        last: last such day.
    """
    if not own.actions and not lake.has(ACTIONS):
        return []
    return [replace_days(ACTIONS, start, last, action_rows(own))]
