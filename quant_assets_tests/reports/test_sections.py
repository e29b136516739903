"""The texts and grids of sections, compared with the rows of the lake."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.alerts.alert_store import AlertStore
from quant_assets.lake.readers.series import group_rows, series_rows
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, forecasts_table
from quant_assets.lake.schemas.monitoring_tables import (
    DATA_QUALITY,
    DRIFT,
    GROUP_VOLATILITY,
    REGIMES,
)
from quant_assets.lake.schemas.price_tables import RAW_GROUPS, RAW_SERIES
from quant_assets.lake.schemas.revision_tables import REVISIONS, SET_ASIDE
from quant_assets.lake.schemas.scoring_tables import PERFORMANCE
from quant_assets.lake.schemas.source_tables import DISAGREEMENTS
from quant_assets.lake.schemas.table import Column
from quant_assets.lake.store.changes import append
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import (
    Group,
    InstrumentSeries,
    SeriesList,
    list_competition_series,
)
from quant_assets.monitoring.data.disagreement import MEASURE as DISAGREEMENT
from quant_assets.monitoring.drift.drift import share_drifted
from quant_assets.orchestration.assets.table_assets import to_columns
from quant_assets.reports import (
    data_sections,
    forecast_sections,
    market_sections,
    operations_sections,
    revision_sections,
)
from quant_assets.reports.blocks import ActionItem, Grid, Section
from quant_assets.reports.page import compose_report
from quant_assets.reports.periods import MONTHLY, WEEKLY
from quant_assets.revisions.changes import revision_rows
from quant_assets.revisions.differences import Revision
from quant_assets.scoring.metric import score_of_ic
from quant_assets_tests.support import report_tables
from quant_assets_tests.support.report_scopes import scope, without
from quant_assets_tests.support.report_tables import DAY, FAMILIES, LAST, add_others, fill


def grid(section: Section, position: int = 0) -> list[list[str]]:
    """The texts of a section's grid, row by row."""
    grids = [block for block in section.blocks if isinstance(block, Grid)]
    return [[cell.text for cell in cells] for cells in grids[position].rows]


def head(section: Section, position: int = 0) -> tuple[str, ...]:
    """The titles of the columns of a section's grid."""
    grids = [block for block in section.blocks if isinstance(block, Grid)]
    return grids[position].head


def store_energy(lake: Lake) -> None:
    """Store series of the groups solar and oil, in this order, and rows that name these groups."""
    names = tuple(InstrumentSeries(name, "close") for name in ("a", "b"))
    groups = (Group("solar"), Group("oil"))
    series = SeriesList(("a", "b"), names, ("solar", "oil"), groups)
    lake.replace_all(RAW_SERIES, series_rows(series))
    lake.replace_all(RAW_GROUPS, group_rows(groups))
    named = {"US": "oil", "FX": "solar"}
    for table, column in ((DATA_QUALITY, "market"), (GROUP_VOLATILITY, "instrument_group")):
        rows = lake.query(f"FROM {table.quoted}")
        rows = rows[rows[column].isin([*named])]
        lake.replace_all(table, to_columns(rows.assign(**{column: rows[column].map(named)})))


def test_a_missing_submission_is_critical_on_its_day_and_in_its_period(lake: Lake) -> None:
    without(lake, SUBMISSIONS, DAY)
    expected = (ActionItem("critical", f"no submission for {DAY}: run refresh_daily"),)
    assert forecast_sections.submission_section(scope(lake)).action_items == expected
    after = DAY + timedelta(days=2)
    assert forecast_sections.submission_section(scope(lake, after)).action_items == ()
    week = forecast_sections.submission_section(scope(lake, after, WEEKLY))
    assert week.action_items == expected
    assert week.summary == "4 of 5 trading days have a submission."


def test_a_family_without_a_forecast_is_named(lake: Lake) -> None:
    without(lake, forecasts_table("ridge"), DAY)
    section = forecast_sections.submission_section(scope(lake))
    assert section.action_items == (ActionItem("warning", "submitted without ridge"),)
    assert grid(section)[1][-1] == "no forecast"
    assert grid(section)[0] == ["rank_prior", "2023-10-04", "30"]
    without(lake, SUBMISSIONS, DAY - timedelta(days=1))
    week = forecast_sections.submission_section(scope(lake, period=WEEKLY))
    assert [item.state for item in week.action_items] == ["critical", "warning"]
    assert week.action_items[-1] == section.action_items[0]


def test_scores_are_the_metric_over_days_known_by_then(lake: Lake) -> None:
    rows = lake.query(f"FROM {PERFORMANCE.quoted} ORDER BY released_on")
    known = rows[rows["released_on"] <= pd.Timestamp(DAY)]
    shown = {
        cells[0]: cells[1:] for cells in grid(forecast_sections.performance_section(scope(lake)))
    }
    assert list(shown) == ["ensemble", *FAMILIES]
    for name, texts in shown.items():
        ic = known[known["family"] == name]["ic"].to_numpy()
        assert texts == [f"{score_of_ic(ic[-window:]):.2f}" for window in (20, 60, 250)]


def test_a_window_without_enough_days_has_no_score(lake: Lake) -> None:
    early = report_tables.DAYS[40].item()
    for cells in grid(forecast_sections.performance_section(scope(lake, early))):
        assert cells[1] != "–"
        assert cells[2:] == ["–", "–"]


def test_scores_are_shown_beside_expected_scores(lake: Lake) -> None:
    low = pd.concat(
        report_tables.rolling(DAY, score, level).assign(window=window)
        for window, score, level in ((0, 2.0, "critical"), (20, -0.3, "warning"), (60, 0.4, "ok"))
    )
    report_tables.write(lake, report_tables.ROLLING, low)
    section = forecast_sections.performance_section(scope(lake))
    assert grid(section) == [
        ["published", "since it began to drop", "2.00", "0.50", "0.10"],
        ["published", "20 days", "-0.30", "0.50", "0.10"],
        ["published", "60 days", "0.40", "0.50", "0.10"],
    ]
    (item,) = section.action_items
    assert item.state == "critical"
    assert item.text.endswith("since it began to drop 2.00 (0.10), 20 days -0.30 (0.10)")


def test_a_few_bad_days_are_no_drop(lake: Lake) -> None:
    calm = pd.concat(
        report_tables.rolling(DAY, score, "ok").assign(window=window)
        for window, score in ((0, -1.0), (20, 0.4))
    )
    report_tables.write(lake, report_tables.ROLLING, calm)
    section = forecast_sections.performance_section(scope(lake))
    assert [cells[1] for cells in grid(section)] == ["20 days"]
    assert not section.action_items


def test_longer_windows_and_other_families_are_shown_without_action_items(lake: Lake) -> None:
    """Longer windows stay low for long after a fault is repaired."""
    shown = pd.concat(
        [
            report_tables.rolling(DAY, 0.4, "ok"),
            report_tables.rolling(DAY, -1.0, "critical").assign(window=250),
            report_tables.rolling(DAY, -1.0, "critical").assign(family="ridge"),
        ]
    )
    report_tables.write(lake, report_tables.ROLLING, shown)
    section = forecast_sections.performance_section(scope(lake))
    assert [cells[:2] for cells in grid(section)] == [
        ["published", "20 days"],
        ["published", "250 days"],
        ["ridge", "20 days"],
    ]
    assert not section.action_items
    before = shown[shown["family"] == "ridge"].assign(family="ensemble")
    report_tables.write(lake, report_tables.ROLLING, before)
    assert forecast_sections.performance_section(scope(lake)).state == "critical"


def test_a_period_is_judged_by_its_own_days(lake: Lake) -> None:
    rows = lake.query(
        f"SELECT family, count(*) AS n, avg(ic) AS mean FROM {PERFORMANCE.quoted}"
        " WHERE released_on BETWEEN ? AND ? AND family <> 'oracle' GROUP BY ALL ORDER BY ALL",
        [date(2023, 11, 1), DAY],
    )
    section = forecast_sections.performance_section(scope(lake, period=MONTHLY))
    expected = [[row.family, f"{row.n}", f"{row.mean:.3f}"] for row in rows.itertuples()]
    assert grid(section, -1) == expected


def test_attribution_is_of_the_newest_known_day(lake: Lake) -> None:
    section = forecast_sections.attribution_section(scope(lake))
    assert section.summary == f"Shares of the inputs in the forecasts of {DAY}."
    assert grid(section)[0] == ["rank_prior", "prior 100 %"]
    before = forecast_sections.attribution_section(scope(lake, report_tables.DAYS[-81].item()))
    assert not before.known


def test_broken_limits_are_counted_and_make_action_items(lake: Lake) -> None:
    rows = lake.query(f"FROM {DATA_QUALITY.quoted} WHERE trading_day = ?", [DAY])
    rows["value"], rows["within"] = 0.0, True
    rows.loc[(rows["market"] == "FX") & (rows["figure"] == "freshness"), "value"] = 6.0
    rows["within"] = rows["value"] <= rows["allowed"]
    series = rows[~rows["within"]].assign(series="FX_USDJPY")
    rows = pd.concat([rows, series])
    lake.replace_days(DATA_QUALITY, DAY, DAY, to_columns(rows))
    section = data_sections.data_health_section(scope(lake))
    assert section.action_items == (
        ActionItem("warning", "Prices of FX: freshness is 6, 5 is allowed"),
    )
    assert section.summary == f"7 of 8 limits are kept on {DAY}."
    assert head(section) == ("measure", "LME", "JPX", "US", "FX", "allowed")
    assert grid(section)[0] == ["freshness", "0", "0", "0", "6", "5"]
    assert grid(section, 1) == [["FX_USDJPY", "freshness", "6"]]


def test_every_share_is_shown_as_one(lake: Lake) -> None:
    rows = lake.query(f"FROM {DATA_QUALITY.quoted} WHERE trading_day = ?", [DAY]).head(1)
    rows = rows.assign(market="LME", figure=DISAGREEMENT, value=0.25, allowed=0.0, within=False)
    lake.replace_days(DATA_QUALITY, DAY, DAY, to_columns(rows))
    section = data_sections.data_health_section(scope(lake))
    assert [item.text for item in section.action_items] == [
        "Prices of LME: disagreement is 25.00 %, 0.00 % is allowed"
    ]
    assert grid(section) == [[DISAGREEMENT, "25.0 %", "0.0 %"]]


def test_sections_show_the_groups_that_are_stored(lake: Lake) -> None:
    store_energy(lake)
    assert head(data_sections.data_health_section(scope(lake))) == (
        *("measure", "solar", "oil", "allowed"),
    )
    section = market_sections.regime_section(scope(lake))
    rows = lake.query(f"FROM {GROUP_VOLATILITY.quoted} WHERE trading_day = ?", [DAY])
    by_group = rows.set_index("instrument_group")["volatility"]
    assert head(section) == ("solar", "oil")
    assert grid(section) == [[f"{100 * by_group[group]:.1f} %" for group in ("solar", "oil")]]


def test_days_before_volatilities_were_stored_by_group_show_none(lake: Lake) -> None:
    """A lake of an earlier version has other columns, which are not shown."""
    rows = lake.query(f"FROM {REGIMES.quoted}").assign(volatility_LME=0.5)
    column = Column("volatility_LME", "DOUBLE", "as an earlier version declared it")
    lake.replace_all(replace(REGIMES, columns=(*REGIMES.columns, column)), to_columns(rows))
    without(lake, GROUP_VOLATILITY, DAY)
    section = market_sections.regime_section(scope(lake))
    assert section.known
    assert not [block for block in section.blocks if isinstance(block, Grid)]
    earlier = market_sections.regime_section(scope(lake, DAY - timedelta(days=1)))
    assert head(earlier) == ("LME", "JPX", "US", "FX")


def test_anomalies_name_groups_and_all_instruments(lake: Lake) -> None:
    """A series of a market without groups is named alone."""
    rows = pd.concat([report_tables.anomaly(DAY, 3.0, "critical") for _ in range(2)])
    rows["market"] = ["oil", "oil", "all", "all"]
    report_tables.write(lake, report_tables.ANOMALIES, rows)
    section = market_sections.anomalies_section(scope(lake))
    assert [item.text.partition(",")[0] for item in section.action_items] == [
        "all instruments",
        "oil",
    ]
    assert [cells[1] for cells in grid(section)] == [
        *("all instruments", "oil", "US_Stock_CVX", "US_Stock_CVX, oil"),
    ]


def test_drift_is_the_share_of_drifted_features(lake: Lake) -> None:
    rows = lake.query(f"FROM {DRIFT.quoted} WHERE trading_day = ?", [DAY])
    share = float(share_drifted(rows).iloc[0])
    section = data_sections.drift_section(scope(lake))
    assert section.summary.startswith(f"{100 * share:.0f} % of the features have drifted on {DAY}")
    assert len(grid(section)) == 10


def test_drift_that_raises_an_alert_makes_an_action_item(lake: Lake) -> None:
    rows = lake.query(f"FROM {DRIFT.quoted} WHERE trading_day = ? ORDER BY name", [DAY])
    rows = rows.assign(psi=0.1, ks=0.1, drifted=False)
    lake.replace_days(DRIFT, DAY, DAY, to_columns(rows))
    assert not data_sections.drift_section(scope(lake)).action_items
    severe = rows["name"].isin(["column_3", "column_7"])
    lake.replace_days(DRIFT, DAY, DAY, to_columns(rows.assign(psi=rows["psi"].where(~severe, 9.0))))
    assert data_sections.drift_section(scope(lake)).action_items == (
        ActionItem("warning", "Drift over 3 times the limit: column_3, column_7"),
    )
    lake.replace_days(DRIFT, DAY, DAY, to_columns(rows.assign(drifted=True)))
    assert data_sections.drift_section(scope(lake)).action_items == (
        ActionItem("warning", "100 % of the features have drifted, 30 % are allowed"),
    )


def test_a_day_without_a_compared_feature_says_so(lake: Lake) -> None:
    rows = lake.query(f"FROM {DRIFT.quoted} WHERE trading_day = ?", [DAY])
    rows = rows.assign(psi=np.nan, ks=np.nan, missing_change=np.nan, drifted=False)
    lake.replace_days(DRIFT, DAY, DAY, to_columns(rows))
    section = data_sections.drift_section(scope(lake))
    assert section.summary == f"No feature could be compared on {DAY}. Drifted forecasts: 0."
    assert not section.action_items


def test_only_markets_of_the_day_make_action_items(lake: Lake) -> None:
    day_before = DAY - timedelta(days=1)
    rows = [
        report_tables.anomaly(day_before, 4.0, "critical"),
        report_tables.anomaly(DAY, 3.0, "info"),
    ]
    report_tables.write(lake, report_tables.ANOMALIES, pd.concat(rows))
    assert market_sections.anomalies_section(scope(lake, day_before)).state == "critical"
    week = market_sections.anomalies_section(scope(lake, DAY, WEEKLY))
    assert week.action_items == ()
    assert week.summary == (
        "1 market and 2 series beyond their limits in the week. 2 of 3 trading days were searched."
    )
    assert [cells[0] for cells in grid(week)] == [str(DAY), *[str(day_before)] * 2]


def test_alerts_have_their_level_at_the_end_of_the_day(lake: Lake, tmp_path: Path) -> None:
    now = operations_sections.alerts_section(scope(lake))
    assert [item.state for item in now.action_items] == ["warning", "warning"]
    assert now.summary.endswith("1 ended on the day.")
    with fill(tmp_path / "later", DAY) as later:
        assert operations_sections.alerts_section(scope(later)) == now
        next_day = operations_sections.alerts_section(scope(later, DAY + timedelta(days=1)))
    assert [item.state for item in next_day.action_items] == ["critical", "critical"]
    assert grid(next_day)[0][:2] == ["critical", "data late"]
    assert grid(next_day)[-1][1] == "check failed: monitoring/drift/within"


def test_a_failed_check_and_its_section_count_once(lake: Lake, tmp_path: Path) -> None:
    rows = lake.query(f"FROM {DATA_QUALITY.quoted} WHERE trading_day = ?", [DAY])
    rows["within"] = rows["figure"] == "missing"
    lake.replace_days(DATA_QUALITY, DAY, DAY, to_columns(rows))
    key = "check_failed/monitoring/data_quality/within_limits"
    alert = report_tables.raised(key, "warning", report_tables.at(DAY, 22))
    AlertStore(lake, tmp_path).take_in([alert], report_tables.NOBODY)
    page = compose_report(scope(lake))
    alerts, data = page.sections[0], page.sections[4]
    assert any(key.rsplit("/", maxsplit=1)[-1] in item.text for item in alerts.action_items)
    assert not any(key.rsplit("/", maxsplit=1)[-1] in item.text for item in page.action_items)
    assert set(data.action_items) <= set(page.action_items)


def test_promotion_names_the_champion_and_the_challenger(lake: Lake) -> None:
    add_others(lake)
    section = operations_sections.promotion_section(scope(lake))
    assert section.summary == (
        f"Champion on {DAY}: rel-champion; challenger rel-challenger has a share of 25 %."
    )
    newest = grid(section)[0]
    assert newest[0] == str(DAY)
    assert newest[1].startswith("advance rel-")
    assert newest[2] == "it is better (days 60, p 0.031)"


def test_freshness_counts_trading_days(lake: Lake) -> None:
    later = LAST + timedelta(days=7)
    behind = len(trading_days(LAST, later)) - 1
    shown = {
        cells[0]: cells[1:]
        for cells in grid(operations_sections.freshness_section(scope(lake, later)))
    }
    assert shown["submissions.daily"] == [str(LAST), str(behind)]
    assert shown["features.market"] == ["–", "–"]
    assert operations_sections.freshness_section(scope(lake)).summary.startswith(
        "8 of 16 layers are up to date on"
    )


def test_what_was_known_then_and_revised_since_is_told(lake: Lake) -> None:
    page = scope(lake)
    before = revision_sections.revisions_section(page)
    assert "was computed when later prices were known" in before.summary
    assert "has since changed no price of a day" in before.summary
    closing = datetime.combine(DAY, time(23))
    known, later = closing - timedelta(hours=2), closing + timedelta(days=9)
    correction = Revision("corrected", DAY, DAY, "US_Stock_CVX_adj_close", 10.5, 11.25, cells=1)
    split = Revision(
        "restated", DAY - timedelta(days=90), DAY, "US_Stock_COP_adj_close", 8.0, 4.0, 0.5, 60
    )
    names = list_competition_series([correction.column, split.column])
    elsewhere = Revision("withdrawn", DAY + timedelta(days=1), DAY + timedelta(days=1))
    lake.change(
        append(REVISIONS, revision_rows([split], names, known)),
        append(REVISIONS, revision_rows([correction, split, elsewhere], names, later)),
    )
    section = revision_sections.revisions_section(page)
    assert "1 corrected, 1 restated; 2 changes" in section.summary
    moment = f"{later:%Y-%m-%d %H:%M}"
    days = f"{DAY - timedelta(days=90)} to {DAY}"
    assert grid(section) == [
        [moment, "restated", "US_Stock_COP close", days, "8", "4"],
        [moment, "corrected", "US_Stock_CVX close", str(DAY), "10.5", "11.25"],
    ]
    row = {"trading_day": [DAY], "digest": [1], "reason": ["zeros"], "since": [later]}
    lake.change(append(SET_ASIDE, row))
    (item,) = revision_sections.revisions_section(page).action_items
    assert item == ActionItem("warning", f"the prices of {DAY} are set aside")


def test_cells_in_which_sources_differ_are_shown(lake: Lake) -> None:
    before = data_sections.data_health_section(scope(lake))
    row = ("A", "close", 10.0, "one", 8.0, "two", 0.2, 0.002)
    rows = [(DAY - timedelta(days=days), *row) for days in (0, 5, 9)]
    names = [column.name for column in DISAGREEMENTS.columns]
    columns = to_columns(pd.DataFrame(rows, columns=names))
    lake.replace_days(DISAGREEMENTS, DAY - timedelta(days=9), DAY, columns)
    section = data_sections.data_health_section(scope(lake))
    since = DAY - timedelta(days=7)
    assert section.summary == f"{before.summary} Sources differ in 2 cells since {since}."
    assert grid(section, -1) == [
        ["A close", str(day), "10 of one", "8 of two", "20.00 %"]
        for day in (DAY, DAY - timedelta(days=5))
    ]
