"""Prices a person may decide about: flagged ones, and the rest of the bar of a flagged close."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from quant_assets.core.errors import ReviewError
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.series import group_rows, series_rows
from quant_assets.lake.schemas.price_tables import (
    RAW_GROUPS,
    RAW_PRICES,
    RAW_SERIES,
    VALIDATED_PRICES,
    VALIDATED_QUARANTINE,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import Group, InstrumentSeries, SeriesList
from quant_assets.quality.review_decisions import ReviewAction
from quant_assets.review.deciding import ReviewRequest, decide_review

JUMPED, CALM = date(2024, 1, 2), date(2024, 1, 3)
FIELDS = ("high", "close", "volume")
NOW = datetime(2024, 1, 4, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def lake(settings: Settings) -> Iterator[Lake]:
    """Two days of an instrument; the close of the first is a jump."""
    series = tuple(InstrumentSeries("XOM", field) for field in FIELDS)
    listed = SeriesList(FIELDS, series, ("all",) * 3, (Group("all"),))
    days, cells = (JUMPED, CALM), 2 * len(FIELDS)
    keys = {
        "trading_day": [day for day in days for _ in FIELDS],
        "date_id": [number for number in range(2) for _ in FIELDS],
        "instrument": ["XOM"] * cells,
        "field": [*FIELDS] * 2,
    }
    raw = {**keys, "value": [150.0, 149.0, 9.0, 50.0, 49.0, 9.0]}
    flags = [None, "jump", None, None, None, None]
    with Lake(settings.lake_dir) as opened:
        opened.replace_all(RAW_SERIES, series_rows(listed))
        opened.replace_all(RAW_GROUPS, group_rows(listed.all_groups))
        given = {"source": ["files"] * cells, "unread": [None] * cells}
        opened.replace_days(RAW_PRICES, JUMPED, CALM, raw | given)
        validated = raw | {"filled": raw["value"], "flag": flags}
        opened.replace_days(VALIDATED_PRICES, JUMPED, CALM, validated)
        nothing = {column.name: [] for column in VALIDATED_QUARANTINE.columns}
        opened.replace_days(VALIDATED_QUARANTINE, JUMPED, CALM, nothing)
        yield opened


def decide(
    lake: Lake, settings: Settings, decision: ReviewAction, day: date, field: str
) -> float | None:
    request = ReviewRequest(decision, day, "XOM", field, "a wrong bar", "me")
    return decide_review(lake, settings, request, JUMPED, NOW).value


def test_the_rest_of_a_bar_is_rejected_where_its_close_is_flagged(
    lake: Lake, settings: Settings
) -> None:
    assert decide(lake, settings, "reject", JUMPED, "high") == 150.0
    assert decide(lake, settings, "reject", JUMPED, "close") == 149.0


@pytest.mark.parametrize(
    ("decision", "day", "field"),
    [
        ("reject", CALM, "close"),
        ("reject", CALM, "high"),
        ("reject", JUMPED, "volume"),
        ("accept", JUMPED, "high"),
    ],
)
def test_other_prices_are_not_decided_about(
    lake: Lake, settings: Settings, decision: ReviewAction, day: date, field: str
) -> None:
    with pytest.raises(ReviewError, match="no such flagged price"):
        decide(lake, settings, decision, day, field)
