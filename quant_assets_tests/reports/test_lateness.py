"""A page names late submissions, and sections whose rows are older than the page."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.alerts.alert_store import AlertStore
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT, REGIMES
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.times import ZonedTime
from quant_assets.orchestration.assets.table_assets import to_columns
from quant_assets.reports import forecast_sections, market_sections
from quant_assets.reports.blocks import ActionItem
from quant_assets.reports.page import compose_report
from quant_assets.reports.periods import DAILY, MONTHLY, WEEKLY, Period
from quant_assets.submission.submission import SubmissionTime
from quant_assets_tests.support import report_tables
from quant_assets_tests.support.calendars import NEW_YORK
from quant_assets_tests.support.report_scopes import scope, without
from quant_assets_tests.support.report_tables import DAY, LAST, add_others, at


@pytest.mark.parametrize(
    ("moment", "seconds", "text", "late"),
    [
        (at(DAY, 22, 1), 31.4, "at 22:01 UTC, 31 s after its run began", False),
        (at(DAY, 23, 59), None, "at 23:59 UTC", False),
        (
            at(DAY + timedelta(days=1), 0),
            9.0,
            "at 2023-11-16 00:00 UTC, after the day's end, 9 s after its run began",
            True,
        ),
        (at(LAST, 8), None, f"at {LAST} 08:00 UTC, after the day's end", False),
    ],
    ids=["in time", "just in time", "late", "a history loaded"],
)
def test_a_submission_says_when_it_was_stored(
    lake: Lake, moment: datetime, seconds: float | None, text: str, late: bool
) -> None:
    section = forecast_sections.submission_section(
        scope(lake, delivery=SubmissionTime(moment, seconds))
    )
    assert section.summary == f"Stored with 424 targets, {text}."
    concern = f"no submission for {DAY} by its end: stored 2023-11-16 00:00 UTC"
    assert section.action_items == ((ActionItem("warning", concern),) if late else ())


def test_a_day_ends_later_where_prices_are_due_after_midnight(lake: Lake) -> None:
    """21:00 in New York is 1:00 or 2:00 UTC of the next day."""
    evening = ZonedTime(time(21), "America/New_York")
    of_day = scope(lake, date(2023, 12, 28))
    assert of_day.end == datetime(2023, 12, 29, tzinfo=UTC)
    late_market = replace(of_day, calendar=replace(NEW_YORK, due=evening))
    assert late_market.end == datetime(2023, 12, 29, 4, tzinfo=UTC)
    assert replace(of_day, calendar=replace(NEW_YORK, due=None)).end == of_day.end


def test_a_submission_is_missing_or_late_but_not_both(lake: Lake) -> None:
    without(lake, SUBMISSIONS, DAY)
    delivery = SubmissionTime(at(DAY + timedelta(days=1), 2), 9.0)
    (item,) = forecast_sections.submission_section(scope(lake, delivery=delivery)).action_items
    assert item.text == f"no submission for {DAY}: run refresh_daily"


@pytest.mark.parametrize("period", [DAILY, WEEKLY, MONTHLY], ids=lambda period: period.name)
def test_late_sections_make_one_action_item(lake: Lake, period: Period) -> None:
    add_others(lake)
    last = DAY - timedelta(days=1)
    low = pd.concat([report_tables.rolling(day, -1.0, "critical") for day in (last, DAY)])
    report_tables.write(lake, report_tables.ROLLING, low)
    monitored = {"performance", "data-health", "drift", "regime", "anomalies", "attribution"}
    page = compose_report(scope(lake, period=period))
    assert not any("not watched" in item.text for item in page.action_items)
    assert all(section.late is False for section in page.sections)

    tables = (
        report_tables.ROLLING,
        report_tables.ANOMALIES,
        ATTRIBUTION,
        DATA_QUALITY,
        DRIFT,
        REGIMES,
    )
    for table in tables:
        without(lake, table, DAY)
    page = compose_report(scope(lake, period=period))
    late = {section.anchor: section for section in page.sections if section.late}
    assert set(late) == monitored
    for section in late.values():
        assert section.state in ("warning", "critical")
        assert section.summary.endswith(f" Not watched since {last}.")
    (item,) = (item for item in page.action_items if "not watched" in item.text)
    assert item == ActionItem(
        "warning",
        "Performance, attribution, data health, drift, regime, anomalies not watched since"
        f" {last}: run watch_daily",
    )
    (low_score,) = late["performance"].action_items
    assert low_score.state == "critical"
    assert low_score.text.endswith(f" (as of {last})")


def test_sections_that_never_had_rows_make_one_action_item(lake: Lake) -> None:
    for table in (ATTRIBUTION, DATA_QUALITY, DRIFT, REGIMES):
        lake.replace_all(table, {column.name: [] for column in table.columns})
    page = compose_report(scope(lake))
    (item,) = (item for item in page.action_items if "watched" in item.text)
    assert item == ActionItem(
        "warning",
        "Performance, attribution, data health, drift, regime, anomalies never watched:"
        " run watch_daily",
    )
    assert all(section.state == "warning" for section in page.sections if section.late)


def test_a_section_is_late_after_a_trading_day_only(lake: Lake) -> None:
    friday = date(2023, 11, 17)
    for table in (DATA_QUALITY, DRIFT, REGIMES):
        rows = lake.query(f"FROM {table.quoted} WHERE trading_day <= ?", [friday])
        lake.replace_all(table, to_columns(rows))
    late = [
        [
            section.title
            for section in compose_report(scope(lake, friday + timedelta(days=n))).sections
            if section.late and section.as_of
        ]
        for n in range(4)
    ]
    assert late == [[], [], [], ["Data health", "Drift", "Regime"]]


def test_a_late_section_hides_no_alert(lake: Lake, tmp_path: Path) -> None:
    last = DAY - timedelta(days=1)
    rows = lake.query(f"FROM {DATA_QUALITY.quoted} WHERE trading_day = ?", [last])
    lake.replace_days(DATA_QUALITY, last, DAY, to_columns(rows.assign(within=True)))
    key = "check_failed/monitoring/data_quality/within_limits"
    alert = report_tables.raised(key, "warning", report_tables.at(DAY, 22))
    AlertStore(lake, tmp_path).take_in([alert], report_tables.NOBODY)
    page = compose_report(scope(lake))
    assert page.sections[4].late
    assert any("within_limits" in item.text for item in page.action_items)


def test_anomalies_of_a_day_without_rows_are_unknown(lake: Lake) -> None:
    day_before = DAY - timedelta(days=1)
    quiet = report_tables.anomaly(day_before, 0.5, "info").head(1)
    report_tables.write(lake, report_tables.ANOMALIES, quiet)
    earlier = market_sections.anomalies_section(scope(lake, day_before))
    assert (earlier.known, earlier.summary) == (True, "Nothing beyond its limit on the day.")
    section = market_sections.anomalies_section(scope(lake))
    assert (section.known, section.as_of) == (False, day_before)
    assert section.summary == "No prices were searched for anomalies on the day."
