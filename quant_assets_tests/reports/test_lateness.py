"""What was stored late, or was not watched up to the page's day, is said to be."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.alerts.alert_store import AlertStore
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT, REGIMES
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION
from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.assets.table_assets import to_columns
from quant_assets.reports import forecast_sections, market_sections
from quant_assets.reports.blocks import ActionItem
from quant_assets.reports.page import compose_report
from quant_assets.reports.periods import DAILY, MONTHLY, WEEKLY, Period
from quant_assets.submission.submission import SubmissionTime
from quant_assets_tests.support import report_tables
from quant_assets_tests.support.report_scopes import scope, without
from quant_assets_tests.support.report_tables import DAY, LAST, add_others, at


@pytest.mark.parametrize(
    ("moment", "seconds", "said", "late"),
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
    lake: Lake, moment: datetime, seconds: float | None, said: str, late: bool
) -> None:
    section = forecast_sections.submission_section(
        scope(lake, delivery=SubmissionTime(moment, seconds))
    )
    assert section.summary == f"Stored with 424 targets, {said}."
    text = f"no submission for {DAY} by its end: stored 2023-11-16 00:00 UTC"
    assert section.needs == ((ActionItem("warning", text),) if late else ())


def test_a_submission_is_missing_or_late_but_not_both(lake: Lake) -> None:
    without(lake, SUBMISSIONS, DAY)
    once = SubmissionTime(at(DAY + timedelta(days=1), 2), 9.0)
    (need,) = forecast_sections.submission_section(scope(lake, delivery=once)).needs
    assert need.text == f"no submission for {DAY}: run refresh_daily"


@pytest.mark.parametrize("period", [DAILY, WEEKLY, MONTHLY], ids=lambda one: one.name)
def test_what_nobody_watched_needs_somebody(lake: Lake, period: Period) -> None:
    add_others(lake)
    last = DAY - timedelta(days=1)
    low = pd.concat([report_tables.rolling(day, -1.0, "critical") for day in (last, DAY)])
    report_tables.write(lake, report_tables.ROLLING, low)
    watched = {"performance", "data-health", "drift", "regime", "anomalies", "attribution"}
    made = compose_report(scope(lake, period=period))
    assert not any("not watched" in need.text for need in made.needs)
    assert all(section.late is False for section in made.sections)

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
    made = compose_report(scope(lake, period=period))
    late = {section.anchor: section for section in made.sections if section.late}
    assert set(late) == watched
    for section in late.values():
        assert section.state in ("warning", "critical")
        assert section.summary.endswith(f" Not watched since {last}.")
    (need,) = (need for need in made.needs if "not watched" in need.text)
    assert need == ActionItem(
        "warning",
        "Performance, attribution, data health, drift, regime, anomalies not watched since"
        f" {last}: run watch_daily",
    )
    (old,) = late["performance"].needs
    assert old.state == "critical"
    assert old.text.endswith(f" (as of {last})")


def test_what_nobody_ever_watched_needs_somebody(lake: Lake) -> None:
    for table in (ATTRIBUTION, DATA_QUALITY, DRIFT, REGIMES):
        lake.replace_all(table, {column.name: [] for column in table.columns})
    made = compose_report(scope(lake))
    (need,) = (need for need in made.needs if "watched" in need.text)
    assert need == ActionItem(
        "warning",
        "Performance, attribution, data health, drift, regime, anomalies never watched:"
        " run watch_daily",
    )
    assert all(section.state == "warning" for section in made.sections if section.late)


def test_only_trading_days_make_it_late(lake: Lake) -> None:
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


def test_what_nobody_watched_hides_no_alert(lake: Lake, tmp_path: Path) -> None:
    last = DAY - timedelta(days=1)
    rows = lake.query(f"FROM {DATA_QUALITY.quoted} WHERE trading_day = ?", [last])
    lake.replace_days(DATA_QUALITY, last, DAY, to_columns(rows.assign(within=True)))
    key = "check_failed/monitoring/data_quality/within_limits"
    seen = report_tables.raised(key, "warning", report_tables.at(DAY, 22))
    AlertStore(lake, tmp_path).take_in([seen], report_tables.NOBODY)
    made = compose_report(scope(lake))
    assert made.sections[4].late
    assert any("within_limits" in need.text for need in made.needs)


def test_anomalies_of_a_day_that_was_not_looked_through_are_unknown(lake: Lake) -> None:
    day_before = DAY - timedelta(days=1)
    quiet = report_tables.anomaly(day_before, 0.5, "info").head(1)
    report_tables.write(lake, report_tables.ANOMALIES, quiet)
    seen = market_sections.anomalies_section(scope(lake, day_before))
    assert (seen.known, seen.summary) == (True, "Nothing beyond its limit on the day.")
    section = market_sections.anomalies_section(scope(lake))
    assert (section.known, section.as_of) == (False, day_before)
    assert section.summary == "Nothing was looked through on the day."
