"""A described market with tables: from files to forecasts, with what was known on each day."""

import json
from datetime import timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from quant_assets.commands.description_changes import list_changed_parts
from quant_assets.commands.loading import load_everything, run_range
from quant_assets.commands.revising import run_revision
from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, fits_table
from quant_assets.lake.schemas.observation_tables import OBSERVATION_FEATURES, RAW_OBSERVATIONS
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.reading import open_description, parse_description
from quant_assets.models.families import lightgbm
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets_tests.support.described_market import FIRST_FIT_AFTER, TABLES
from quant_assets_tests.support.installation import Installation, digests
from quant_assets_tests.support.observed_market import (
    TEXT,
    WITHOUT_ROWS,
    ObservedMarket,
    make_observed_market,
)

pytestmark = pytest.mark.slow(
    "a market is loaded three times, and refreshed in real runs", seconds=150
)

DAYS, REPLAYED = 310, 2
AS_OF = FIRST_FIT_AFTER
INPUTS = {"diff_fundamentals_value", "diff_fundamentals_yield"}
MARKET_INPUTS = {"rates_DGS10_z_250", "rates_DGS10_change_20"}


def read(installation: Installation, sql: str) -> pd.DataFrame:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return lake.query(sql)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> ObservedMarket:
    """A market, loaded: to look at and to copy, not to change."""
    market = make_observed_market(tmp_path_factory.mktemp("observed"), DAYS)
    market.deliver()
    load_everything(market.installation.settings)
    return market


def test_models_use_the_inputs_from_tables(market: ObservedMarket) -> None:
    settings = market.installation.settings
    for family in ("lightgbm", "ridge"):
        fits = read(market.installation, f"FROM {fits_table(family).quoted} ORDER BY trading_day")
        assert len(fits) >= 2
        assert fits["failure"].isna().all()
        assert fits["features_version"].str.contains("+", regex=False).all()
        if family == "ridge":
            assert set(json.loads(fits["importance"].iloc[-1])) >= MARKET_INPUTS
        else:
            file, digest = fits[["artifact", "sha256"]].iloc[-1]
            model = lightgbm.load(read_artifact(settings.artifacts_dir, file, digest))
            assert set(model.boosters[0].feature_name()) >= INPUTS
    submitted = read(market.installation, f"FROM {SUBMISSIONS.quoted}")
    assert submitted["trading_day"].max().date() == market.days[-1]
    parts = read(market.installation, "SELECT DISTINCT inputs FROM monitoring.attribution")
    assert "rates" in set(parts["inputs"])


def test_a_day_has_the_newest_values_known_at_its_close(market: ObservedMarket) -> None:
    rows = read(market.installation, f"FROM {OBSERVATION_FEATURES.quoted}")
    stored = rows[rows["field"] == "DGS10"].set_index("trading_day").sort_index()
    by_day = market.rates.set_index("observation_date")["DGS10"]
    # A rate is known at the close of the next calendar day, so that Monday has that of Friday.
    expected = [by_day[: day - timedelta(days=1)].iloc[-1] for day in stored.index]
    np.testing.assert_array_equal(stored["value"], expected)
    values = rows[rows["field"] == "value"]
    assert values[values["instrument"] == WITHOUT_ROWS]["value"].isna().all()
    known = market.fundamentals
    for row in (30, 150, 309):
        day = market.prices.index[row]
        of_day = values[values["trading_day"] == day].set_index("instrument")
        for symbol in set(known["ticker"]):
            own = known[(known["ticker"] == symbol) & (known["filed"] <= market.close(row))]
            newest = own[own["period"] == own["period"].max()].sort_values("filed").iloc[-1]
            old = (day - newest["period"]).days > 120
            value = of_day.loc[symbol, "value"]
            assert np.isnan(value) if old else value == newest["value"], (symbol, day)


def test_inputs_of_targets_are_differences_of_ranks(market: ObservedMarket) -> None:
    with Lake(market.installation.settings.lake_dir, read_only=True) as lake:
        observations = read_observations(lake, market.days[-1])
    assert set(observations.target.names[-2:]) == INPUTS
    assert set(observations.market.names[-2:]) == MARKET_INPUTS
    ranks = read(
        market.installation,
        f"SELECT instrument, rank FROM {OBSERVATION_FEATURES.quoted} WHERE field = 'value'"
        f" AND trading_day = DATE '{market.days[-1]}'",
    ).set_index("instrument")["rank"]
    column = observations.target.column("diff_fundamentals_value")[-1]
    for target, value in zip(observations.targets, column, strict=True):
        first, second = target.partition("_")[0].split("-")
        expected = np.float32(ranks[first] - ranks[second])
        np.testing.assert_array_equal(value, expected)


def test_what_is_known_later_changes_nothing_before(market: ObservedMarket, tmp_path: Path) -> None:
    other, day = market.at(tmp_path), market.days[AS_OF]
    other.change_after(AS_OF)
    other.deliver()
    load_everything(other.installation.settings)
    before, again = (digests(m.installation.settings, TABLES, until=day) for m in (market, other))
    assert again == before
    assert ("features.observations", str(day)) in before
    assert ("forecasts.ensemble", str(day)) in before
    mine, theirs = (digests(m.installation.settings, TABLES) for m in (market, other))
    next_days = {str(day) for day in market.days[AS_OF + 1 : AS_OF + 6]}
    differ = {key[0] for key in mine if key[1] in next_days and mine[key] != theirs[key]}
    assert {"features.observations", "forecasts.ridge"} <= differ
    assert "features.targets" not in differ


def test_replaying_day_by_day_gives_what_the_backfill_gave(
    market: ObservedMarket, tmp_path: Path
) -> None:
    live = market.at(tmp_path)
    settings = live.installation.settings
    live.deliver(DAYS - REPLAYED - 1)
    load_everything(settings)
    for row in range(DAYS - REPLAYED, DAYS):
        live.deliver(row)
        run_range(settings, "refresh_daily", live.days[row], live.days[row])
    replayed, backfilled = (digests(s, TABLES) for s in (settings, market.installation.settings))
    lacking = {name for name, _ in backfilled.keys() - replayed.keys()}
    assert lacking <= {"monitoring.attribution"}
    assert {key: replayed.get(key) for key in backfilled if key[0] not in lacking} == {
        key: digest for key, digest in backfilled.items() if key[0] not in lacking
    }
    late = f"SELECT count(*) AS n FROM {RAW_OBSERVATIONS.quoted} WHERE known_at <> stated_at"
    assert read(live.installation, late)["n"][0] == 0


def test_a_table_that_cannot_be_read_leaves_its_stored_rows_in_force(
    market: ObservedMarket, tmp_path: Path
) -> None:
    installation = market.installation.copy(tmp_path)
    settings = market.at(tmp_path).installation.settings
    (installation.folder / "rates.csv").write_text("observation_date,DGS10\n2022-01-03,high\n")
    before = digests(settings, [OBSERVATION_FEATURES, RAW_OBSERVATIONS])
    run_range(settings, "refresh_daily", market.days[-1], market.days[-1])
    assert digests(settings, [OBSERVATION_FEATURES, RAW_OBSERVATIONS]) == before
    with open_instance(settings) as instance:
        events = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(["raw", "observations"]), "tables_read"), limit=1
        )
    evaluation = events[0].event.dagster_event.asset_check_evaluation_data
    assert not evaluation.passed
    assert "a value is no number" in str(evaluation.metadata["problems"].value)


def test_a_withdrawn_day_has_no_values_and_other_days_keep_theirs(
    market: ObservedMarket, tmp_path: Path
) -> None:
    market.installation.copy(tmp_path)
    revised, withdrawn = market.at(tmp_path), market.days[-5]
    settings, table = revised.installation.settings, [OBSERVATION_FEATURES]
    before = digests(settings, table, until=market.days[-6])
    revised.prices = revised.prices.drop(index=pd.Timestamp(withdrawn))
    revised.deliver()
    run_revision(settings)
    after = digests(settings, table)
    assert before.items() <= after.items()
    days = {day for _, day in after}
    assert days == {str(day) for day in market.days} - {str(withdrawn)}


def test_a_description_without_the_tables_is_another_description(market: ObservedMarket) -> None:
    settings = market.installation.settings
    assert list_changed_parts(settings, open_description(settings)) == []
    without = parse_description(TEXT, Path("market.yaml"))
    assert list_changed_parts(settings, without) == ["tables"]
