"""Bars within the day go through real loads: what is stored, when it is known, what is checked."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from quant_assets.commands.loading import load_everything, run_range
from quant_assets.core.settings import store_market
from quant_assets.core.typing import FloatArray
from quant_assets.definitions import build_definitions
from quant_assets.features.bars import bar_features
from quant_assets.features.further_inputs import FurtherInputs, version_of_inputs
from quant_assets.lake.readers.bars import compare_with_prices, read_bars
from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.schemas.bar_tables import BAR_FEATURES, RAW_BARS, REJECTED_BARS
from quant_assets.lake.schemas.forecast_tables import (
    ENSEMBLE_FORECASTS,
    SUBMISSIONS,
    fits_table,
    forecasts_table,
)
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.execution.runs import open_instance, run_job
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets.simulation.history_checks import HISTORY
from quant_assets.sources.registry import open_market, open_source
from quant_assets_tests.support import bar_oracle
from quant_assets_tests.support.bar_folder import (
    BAR_TABLES,
    FIELDS,
    NAMES,
    BarMarket,
    make_bar_market,
)
from quant_assets_tests.support.installation import digests

pytestmark = pytest.mark.slow(
    "a market with bars is loaded eleven times, and refreshed day by day, in real runs", seconds=80
)
PRICES = tuple(HISTORY)[:4]
# The clock changes on 5 November 2023, and the 24th has an early close.
DAYS = 85
FORECASTS = (forecasts_table("rank_prior"), forecasts_table("ridge"), ENSEMBLE_FORECASTS)


def run(
    market: BarMarket, job: str, start: date, end: date, tables: Iterable[Table] = PRICES
) -> dict[str, dg.AssetCheckEvaluation]:
    """Run the assets of some tables and of bars; return the results of checks by name."""
    store_market(market.settings)
    definitions = build_definitions(market.settings)
    graph = definitions.resolve_asset_graph()
    only = [table.name for table in (*tables, *BAR_TABLES) if graph.has(dg.AssetKey(table.key))]
    with open_instance(market.settings) as instance:
        result = run_job(definitions, instance, JobRun(job, start, end, only=only))
        return {
            check.check_name: check
            for event in instance.all_logs(result.run_id)
            if event.dagster_event
            and event.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
            for check in [event.dagster_event.asset_check_evaluation_data]
        }


def spoil_bars(market: BarMarket) -> None:
    """Write text instead of a number into the newest bar of an instrument."""
    file = market.root / "bars" / f"{NAMES[0]}.csv"
    *rows, last = file.read_text().splitlines()
    file.write_text("\n".join([*rows, last.rpartition(",")[0] + ",many"]) + "\n")


def load(market: BarMarket, tables: Iterable[Table] = PRICES) -> dict[str, Any]:
    last = open_source(market.settings).last_day
    return run(market, "load_history", market.days[0], last, tables)


def read(market: BarMarket, table: Table) -> pd.DataFrame:
    with Lake(market.settings.lake_dir, read_only=True) as lake:
        return lake.query(f"FROM {table.quoted} ORDER BY ALL")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> BarMarket:
    """A loaded market, to look at and not to change."""
    market = make_bar_market(tmp_path_factory.mktemp("bars"), DAYS)
    market.deliver()
    load(market)
    return market


def test_the_lake_holds_the_bars_of_the_files(loaded: BarMarket) -> None:
    stored = read(loaded, RAW_BARS)
    expected = loaded.bars.sort_values(["day", "symbol", "timestamp"])
    assert stored["trading_day"].dt.date.tolist() == expected["day"].tolist()
    assert stored["instrument"].tolist() == expected["symbol"].tolist()
    local = stored["bar_start"].dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    assert local.dt.strftime("%Y-%m-%d %H:%M").tolist() == expected["timestamp"].tolist()
    np.testing.assert_array_equal(stored[FIELDS].to_numpy(), expected[FIELDS].to_numpy())
    assert set(stored["minutes"]) == {15}
    assert set(stored["source"]) == {"files"}
    numbers = {day: number for number, day in enumerate(loaded.days)}
    days = stored["trading_day"].dt.date
    assert [numbers[day] for day in days] == stored["date_id"].tolist()


def test_stored_features_are_those_of_the_arrays_and_of_the_oracle(loaded: BarMarket) -> None:
    days = np.array(loaded.days, dtype="datetime64[D]")
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        bars = read_bars(lake, days, NAMES, open_market(loaded.settings).calendar)
    slots = dict(zip(loaded.days, bars.slots[:, 0], strict=True))
    assert (slots[date(2023, 11, 22)], slots[date(2023, 11, 24)]) == (26, 14)
    expected, plain = bar_features(bars), bar_oracle.features(bars)
    stored = read(loaded, BAR_FEATURES)
    assert len(stored) == DAYS * len(NAMES)
    for name, values in expected.items():
        column = stored[name].to_numpy(dtype=float, na_value=np.nan)
        np.testing.assert_array_equal(column, values.ravel(), name)
        np.testing.assert_allclose(column, plain[name].ravel(), rtol=1e-11, atol=1e-12)
        assert np.isfinite(column).sum() > 200, name


def test_one_day_at_a_time_equals_all_days_bit_for_bit(loaded: BarMarket, tmp_path: Path) -> None:
    market = loaded.at(tmp_path)
    market.deliver(DAYS - 4)
    load(market, HISTORY)
    for row in range(DAYS - 3, DAYS):
        market.deliver(row)
        run(market, "refresh_daily", market.days[row], market.days[row], HISTORY)
    assert digests(market.settings, BAR_TABLES) == digests(loaded.settings, BAR_TABLES)


def test_no_row_depends_on_bars_after_its_day(loaded: BarMarket, tmp_path: Path) -> None:
    market, row = loaded.at(tmp_path), DAYS - 20
    market.change_after(row)
    market.deliver()
    load(market)
    day = market.days[row]
    until = digests(loaded.settings, BAR_TABLES, day)
    assert digests(market.settings, BAR_TABLES, day) == until
    assert len(until) == 2 * (row + 1)
    later = (
        digests(market.settings, BAR_TABLES).items() - digests(loaded.settings, BAR_TABLES).items()
    )
    assert len(later) >= 2 * (DAYS - row - 1)


def test_a_revision_reads_the_bars_again(loaded: BarMarket, tmp_path: Path) -> None:
    market, row = loaded.at(tmp_path / "revised"), 30
    market.deliver()
    load(market, HISTORY)
    corrected = market.bars["day"] == market.days[row]
    market.bars.loc[corrected, "volume"] *= 2
    market.deliver()
    run(market, "revise_history", market.days[row], market.days[-1], HISTORY)
    scratch = market.at(tmp_path / "scratch")
    scratch.deliver()
    load(scratch)
    revised = digests(market.settings, BAR_TABLES)
    assert revised == digests(scratch.settings, BAR_TABLES)
    assert revised != digests(loaded.settings, BAR_TABLES)


def test_daily_prices_agree_with_their_bars_or_the_check_counts(
    loaded: BarMarket, tmp_path: Path
) -> None:
    market = loaded.at(tmp_path)
    market.deliver()
    checks = load(market)
    assert checks["agree_with_prices"].passed
    assert {"raw_bars", "bar_features", "raw_prices"} <= set(checks)
    prices = pd.read_csv(tmp_path / "prices" / "prices.csv")
    prices.loc[:99, "high"] *= 1.01
    prices.loc[:9, "volume"] *= 2
    prices.to_csv(tmp_path / "prices" / "prices.csv", index=False)
    checks = load(market)
    check = checks["agree_with_prices"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.metadata["differing_cells"].value == 110
    with Lake(market.settings.lake_dir, read_only=True) as lake:
        fields = {each.field: each for each in compare_with_prices(lake, *market.days[:: DAYS - 1])}
    assert fields["high"].differing == 100
    assert fields["high"].largest == pytest.approx(0.01 / 1.01)
    assert fields["volume"].differing == 10
    assert {fields[name].differing for name in ("open", "low", "close")} == {0}
    assert {each.cells for each in fields.values()} == {DAYS * len(NAMES)}


def test_bars_that_fail_their_check_are_kept_out(loaded: BarMarket, tmp_path: Path) -> None:
    market = loaded.at(tmp_path)
    market.deliver()
    for file in (tmp_path / "bars").iterdir():
        rows = pd.read_csv(file)
        rows.loc[::10, "low"] = rows.loc[::10, "high"] * 2
        rows.to_csv(file, index=False)
    checks = load(market)
    assert not checks["raw_bars"].passed
    assert not len(read(market, RAW_BARS))
    assert not len(read(market, BAR_FEATURES))
    assert len(read(market, REJECTED_BARS)) == len(market.bars)


def test_stored_bars_stay_while_the_files_cannot_be_read(loaded: BarMarket, tmp_path: Path) -> None:
    market = loaded.at(tmp_path)
    market.deliver(-3)
    load(market)
    market.deliver()
    spoil_bars(market)
    checks = load(market)
    assert not checks["raw_bars"].passed
    assert "ANT.csv" in checks["raw_bars"].metadata["problem"].value
    before = digests(loaded.settings, BAR_TABLES, market.days[-3])
    assert digests(market.settings, BAR_TABLES) == before


def test_days_without_bars_have_no_rows(loaded: BarMarket, tmp_path: Path) -> None:
    market = loaded.at(tmp_path)
    market.deliver()
    for file in (tmp_path / "bars").iterdir():
        rows = pd.read_csv(file)
        rows[rows["timestamp"] >= str(market.days[40])].to_csv(file, index=False)
    load(market)
    days = sorted(set(read(market, BAR_FEATURES)["trading_day"].dt.date))
    assert days == market.days[40:]
    overnight = read(market, BAR_FEATURES)["overnight_return"].isna()
    assert overnight[: len(NAMES)].all()
    assert overnight.sum() < 3 * len(NAMES)


def test_a_source_without_bars_stores_none(loaded: BarMarket, tmp_path: Path) -> None:
    market = loaded.at(tmp_path)
    market.deliver(with_bars=False)
    load(market)
    with Lake(market.settings.lake_dir, read_only=True) as lake:
        assert not any(lake.has(table) for table in BAR_TABLES)


def test_a_whole_load_has_bars_and_a_day_goes_on_without_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market = make_bar_market(tmp_path)
    day, before = market.days[-1], market.days[-2]
    market.deliver(-2)
    load_everything(market.settings)
    assert len(read(market, BAR_FEATURES)) == (len(market.days) - 1) * len(NAMES)
    fits = read(market, fits_table("ridge"))
    assert fits["failure"].isna().all()
    assert set(fits["features_version"]) == {version_of_inputs(FurtherInputs(bars=True))}
    first = digests(market.settings, FORECASTS)

    # The bars of the newest day cannot be read: the day goes on without them.
    market.deliver()
    spoil_bars(market)
    run_range(market.settings, "refresh_daily", day, day)
    assert "check raw_bars of raw/bars did not pass" in capsys.readouterr().out
    assert max(read(market, RAW_BARS)["trading_day"]).date() == before
    without = digests(market.settings, FORECASTS)
    assert first.items() <= without.items()
    assert without.keys() - first.keys() == {(table.name, str(day)) for table in FORECASTS}
    assert max(read(market, SUBMISSIONS)["trading_day"]).date() == day
    assert np.isfinite(read(market, FORECASTS[1])["value"]).all()
    assert np.isnan(read_inputs(market, day)[-1]).all()

    # Once they can, the next load has them.
    market.deliver()
    load_everything(market.settings)
    assert len(read(market, BAR_FEATURES)) == len(market.days) * len(NAMES)
    assert np.isfinite(read_inputs(market, day)[-1]).all()
    load_everything(market.settings)
    assert "nothing has changed" in capsys.readouterr().out

    # A market that has no bars any more has no inputs from them, and other fits.
    market.deliver(with_bars=False)
    load_everything(market.settings, yes=True)
    fits = read(market, fits_table("ridge"))
    assert set(fits["features_version"]) == {version_of_inputs()}


def read_inputs(market: BarMarket, day: date) -> FloatArray:
    """Return the inputs of models from bars, up to a day."""
    with Lake(market.settings.lake_dir, read_only=True) as lake:
        target = read_observations(lake, day).target
    first = target.names.index("diff_log_realised_variance")
    values: FloatArray = target.values[..., first : first + 2]
    return values
