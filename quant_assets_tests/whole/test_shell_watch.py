"""Monitoring of a whole small market, through the command line."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from quant_assets.features.catalogue import list_inputs
from quant_assets.lake.schemas.declared import watched_tables
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import COMPETITION_GROUPS
from quant_assets.models.registry import FAST
from quant_assets.monitoring.drift.drift import MAX_COMPARED_DAYS
from quant_assets.monitoring.drift.evidently_page import MAX_COLUMNS
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets_tests.support.installation import Installation, days_with_picture, digests
from quant_assets_tests.support.small_market import (
    FIRST_DAY,
    FIRST_FIT_AFTER,
    LAST_DAY,
    REFIT_EVERY,
)

pytestmark = pytest.mark.slow("every day watched in real runs")

DAYS = trading_days(FIRST_DAY, LAST_DAY)
FIT_DAYS = DAYS[FIRST_FIT_AFTER::REFIT_EVERY]
JUDGED = ("ensemble", *FAST)


@pytest.fixture(scope="module")
def watched(loaded: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The loaded market, monitored on all days in one run, and the page of the newest day."""
    installation = loaded.copy(tmp_path_factory.mktemp("watched"))
    days = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]))
    for job in ("watch_daily", "report_drift"):
        installation.run("backfill", "--job", job, *days).succeeded()
    return installation


@pytest.fixture(scope="module")
def lake(watched: Installation) -> Iterator[Lake]:
    with Lake(watched.settings.lake_dir, read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def history(watched: Installation) -> Iterator[dg.DagsterInstance]:
    with open_instance(watched.settings) as opened:
        yield opened


def days_in(lake: Lake, table: str) -> np.ndarray:
    rows = lake.query(f"SELECT DISTINCT trading_day AS day FROM {table} ORDER BY 1")
    return rows["day"].to_numpy().astype("datetime64[D]")


def test_the_data_of_every_day_are_judged(lake: Lake) -> None:
    np.testing.assert_array_equal(days_in(lake, "monitoring.data_quality"), DAYS)
    rows = lake.query("FROM monitoring.data_quality WHERE series IS NULL")
    assert (rows.groupby("trading_day").size() == 4 * 6).all()
    assert (rows["within"] == ~(rows["value"] > rows["allowed"])).all()


def test_the_newest_days_are_compared_with_what_their_fit_saw(lake: Lake) -> None:
    np.testing.assert_array_equal(days_in(lake, "monitoring.drift"), DAYS[-MAX_COMPARED_DAYS:])
    rows = lake.query("FROM monitoring.drift")
    names = set(list_inputs(COMPETITION_GROUPS))
    names |= {("forecast", name) for name in JUDGED}
    for _, of_day in rows.groupby("trading_day"):
        assert set(zip(of_day["level"], of_day["name"], strict=True)) == names
    of_features = rows[rows["level"] != "forecast"].sort_values("trading_day")
    fit = np.searchsorted(FIT_DAYS, of_features["trading_day"].to_numpy(), side="right") - 1
    np.testing.assert_array_equal(
        of_features["reference_until"].to_numpy().astype("M8[D]"), FIT_DAYS[fit]
    )


def test_the_state_of_the_markets_is_known_of_every_day(lake: Lake) -> None:
    rows = lake.query("FROM monitoring.regimes ORDER BY trading_day")
    np.testing.assert_array_equal(rows["trading_day"], DAYS)
    assert rows["turbulence"].notna().tolist() == [day >= FIT_DAYS[0] for day in DAYS]
    assert rows["correlation"].iloc[60:].between(-1, 1).all()
    of_groups = lake.query("FROM monitoring.group_volatility")
    by_day = of_groups.pivot(index="trading_day", columns="instrument_group", values="volatility")
    assert set(by_day) == {"LME", "JPX", "US", "FX"}
    assert (by_day.reindex(pd.DatetimeIndex(DAYS)).iloc[20:] > 0).all(axis=None)


def test_of_a_young_record_no_level_can_be_told_and_the_check_says_so(
    lake: Lake, history: dg.DagsterInstance
) -> None:
    np.testing.assert_array_equal(days_in(lake, "monitoring.rolling"), DAYS)
    rows = lake.query("FROM monitoring.rolling WHERE family = 'ensemble' AND \"by\" = 'all'")
    assert (rows.groupby("trading_day")["window"].apply(set) == {0, 20, 60, 250}).all()
    assert rows["level"].isna().all()
    assert rows["reason"].notna().all()
    newest = rows[(rows["trading_day"] == rows["trading_day"].max()) & (rows["window"] == 20)]
    judged = len(DAYS) - FIRST_FIT_AFTER - 5
    assert newest["score"].notna().all() == (judged >= 20)
    key = dg.AssetCheckKey(dg.AssetKey(["monitoring", "rolling"]), "as_expected")
    (record,) = history.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event
    outcome = record.event.dagster_event
    assert outcome
    evaluation = outcome.asset_check_evaluation_data
    assert evaluation.passed
    assert "are needed" in str(evaluation.metadata["windows"].value)


def test_figures_of_every_family_are_kept(lake: Lake) -> None:
    rows = lake.query("FROM monitoring.health")
    named = rows.groupby("family")["figure"].apply(set)
    for family in JUDGED:
        assert {"drawdown", "dispersion", "stability", "agreement"} <= named[family]
    assert {"coverage_80", "coverage_95"} <= named["ensemble"]
    assert rows["reason"].notna().all()


def test_a_hundred_days_are_too_few_to_tell_what_is_unusual(lake: Lake) -> None:
    """The run goes on without rows; rows are tested beside the detectors."""
    assert lake.query("FROM monitoring.anomalies").empty


def test_what_days_are_compared_with_is_kept(lake: Lake) -> None:
    rows = lake.query('FROM "monitoring"."references" WHERE artifact IS NOT NULL')
    reports = rows["id"].str.partition("/")[0].value_counts().to_dict()
    assert set(reports) == {"regimes", "drift"}
    assert reports["regimes"] == len(FIT_DAYS)


def test_the_newest_day_has_a_page_of_its_drift(
    history: dg.DagsterInstance, watched: Installation, lake: Lake
) -> None:
    (page,) = (watched.settings.reports_dir / "drift").iterdir()
    assert page.name == f"{DAYS[-1]}.html"
    event = history.get_latest_materialization_event(dg.AssetKey(["monitoring", "drift_report"]))
    assert event
    assert event.asset_materialization
    shown = event.asset_materialization.metadata
    assert shown["page"] == dg.MetadataValue.path(page)
    compared = lake.query(
        "FROM monitoring.drift WHERE trading_day = ? AND ks IS NOT NULL", [DAYS[-1].item()]
    )
    assert len(compared) > 20
    assert shown["columns"].value == min(MAX_COLUMNS, len(compared))


def test_a_day_alone_is_as_in_the_range(watched: Installation, tmp_path: Path) -> None:
    before, newest = digests(watched.settings, watched_tables()), str(DAYS[-1])
    again = watched.copy(tmp_path)
    again.run("backfill", "--job", "watch_daily", "--from", newest, "--to", newest).succeeded()
    assert digests(again.settings, watched_tables()) == before


@pytest.mark.parametrize("name", ["data_quality", "drift", "regimes", "rolling", "health"])
def test_pictures_are_kept_once_a_run(history: dg.DagsterInstance, name: str) -> None:
    """The last day of a run has the picture; a copy for each day would fill the disk."""
    assert days_with_picture(history, name, DAYS.astype(str).tolist()) == [str(DAYS[-1])]
