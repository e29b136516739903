"""Rows of rolling scores and of the health of forecasts, from a lake."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.monitoring_tables import HEALTH, ROLLING
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RECORDS
from quant_assets.lake.schemas.scoring_tables import AGREEMENT, PERFORMANCE, SLICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.plots import plot_health, plot_part_scores, plot_rolling_scores
from quant_assets.monitoring.rows import read_days
from quant_assets.monitoring.skill.champion_periods import ChampionPeriod, read_champion_periods
from quant_assets.monitoring.skill.daily_records import (
    WHOLE,
    choose_judged_family,
    ic_by_markets,
    read_agreement_records,
    read_daily_records,
)
from quant_assets.monitoring.skill.health import compare_mean, health_rows
from quant_assets.monitoring.skill.reference_window import NO_LABELS, DailyRecord
from quant_assets.monitoring.skill.rolling_rows import find_worst_level, rolling_rows
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.stationary import by_market, daily_ics, record

FAMILIES = ("ridge", "rank_prior")
NAMES = ("ensemble", *FAMILIES)
SETTINGS = Settings()
N, DELAY, BROKEN = 560, 5, 450
"""Days; days until a label is known; the row from which the signal has the wrong sign."""
DAYS = pd.bdate_range("2019-01-01", periods=N).to_numpy().astype("datetime64[D]")
KEYS = ["trading_day", "family", "by", "part", "window"]
HEALTH_KEYS = ["trading_day", "family", "figure", "window"]


def judged(columns: dict[str, object], value: np.ndarray, name: str = "value") -> pd.DataFrame:
    """Rows of forecast days, known ``DELAY`` days later."""
    days = DAYS[:-DELAY]
    keys = {"trading_day": days, "date_id": np.arange(len(days)), "released_on": DAYS[DELAY:]}
    return pd.DataFrame({**keys, **columns, name: value[: len(days)]})


def store(lake: Lake, table: Table, parts: list[pd.DataFrame]) -> None:
    rows = pd.concat(parts)[[column.name for column in table.columns]]
    columns = {str(name): column.tolist() for name, column in rows.items()}
    lake.replace_days(table, DAYS[0].item(), DAYS[-1].item(), columns)


def fill(folder: Path, broken: int = BROKEN, submitted_from: int | None = None) -> Lake:
    """The record of three families, whose signal changes its sign on a row."""
    lake = Lake(folder)
    synthetic.number_days(lake, DAYS, 0)
    ics, slices, agreements = [], [], []
    for seed, family in enumerate(NAMES):
        of_markets = by_market(N, seed)
        of_markets[broken:] -= 2 * of_markets.mean(axis=0)
        of_markets[::9, 2] = np.nan
        ic = daily_ics(N, seed)
        ic[broken:] -= 0.08
        ics.append(judged({"family": family}, ic, "ic"))
        for column, name in enumerate(("FX-JPX", "JPX-US", "LME", "US")):
            keys = {"family": family, "by": "markets", "part": name}
            slices.append(judged(keys, of_markets[:, column]).dropna())
        draw = np.random.default_rng(seed)
        for part, mean in (("turnover", 0.1), ("dispersion", 0.5)):
            measure = mean + 0.02 * draw.normal(size=N)
            measure[broken:] *= 2.0
            slices.append(judged({"family": family, "by": "forecast", "part": part}, measure))
    for level in (80, 95):
        share = level / 100 + 0.05 * np.random.default_rng(level).normal(size=N)
        keys = {"family": "ensemble", "by": "interval", "part": str(level)}
        slices.append(judged(keys, share - np.where(np.arange(N) >= broken, 0.1, 0.0)))
    pairs = [("ensemble", "ridge"), ("ensemble", "rank_prior"), ("rank_prior", "ridge")]
    for seed, (family, other) in enumerate(pairs):
        value = 0.6 + 0.02 * np.random.default_rng(seed).normal(size=N)
        agreements.append(judged({"family": family, "other": other}, value))
    if submitted_from is not None:
        ics.append(judged({"family": "published"}, daily_ics(N, 99), "ic").iloc[submitted_from:])
    ics = [part.assign(origin=None) for part in ics]
    for table, parts in ((PERFORMANCE, ics), (SLICES, slices), (AGREEMENT, agreements)):
        store(lake, table, parts)
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with fill(tmp_path_factory.mktemp("record")) as opened:
        yield opened


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """The same record, whose signal never changes its sign."""
    with fill(tmp_path_factory.mktemp("sound"), N) as opened:
        yield opened


def scores(lake: Lake, first: int, last: int) -> pd.DataFrame:
    days, date_ids = read_days(lake, DAYS[first].item(), DAYS[last].item())
    rows = rolling_rows(
        read_daily_records(lake, FAMILIES, DAYS[last].item()), days, date_ids, SETTINGS
    )
    return rows.sort_values(KEYS, ignore_index=True)


def health(lake: Lake, first: int, last: int) -> pd.DataFrame:
    end = DAYS[last].item()
    days, date_ids = read_days(lake, DAYS[first].item(), end)
    agreement = read_agreement_records(lake, NAMES, end)
    rows = health_rows(read_daily_records(lake, FAMILIES, end), agreement, days, date_ids)
    return rows.sort_values(HEALTH_KEYS, ignore_index=True)


def test_every_part_has_a_row_a_day_and_window(lake: Lake) -> None:
    rows = scores(lake, 0, N - 1)
    assert rows.columns.tolist() == [column.name for column in ROLLING.columns]
    assert not rows.duplicated(KEYS).any()
    assert (rows.groupby("trading_day").size() == 3 * (4 + 4 * 3)).all()
    assert (rows["level"].isna() == rows["reason"].notna()).all()
    assert set(rows["level"].dropna()) == {"ok", "warning", "critical"}
    assert rows.drop_duplicates("trading_day")["date_id"].tolist() == list(range(N))


def test_a_score_is_of_the_days_that_were_judged_by_then(lake: Lake) -> None:
    row = 400
    rows = scores(lake, row, row)
    mine = (rows["family"] == "ridge") & (rows["by"] == "all") & (rows["window"] == 60)
    newest = daily_ics(N, NAMES.index("ridge"))[row - DELAY - 59 : row - DELAY + 1]
    expected = newest.mean() / newest.std()
    assert rows[mine]["score"].item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("make_rows", [scores, health])
def test_nothing_known_later_matters(lake: Lake, sound: Lake, make_rows: object) -> None:
    """Until the first day whose labels show the change, rows are the same to the bit."""
    assert callable(make_rows)
    last = BROKEN + DELAY - 1
    ours, theirs = make_rows(lake, last - 20, last), make_rows(sound, last - 20, last)
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    within = make_rows(lake, last - 20, last + 30)
    until = within[within["trading_day"] <= DAYS[last]].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, until, check_exact=True)
    assert not make_rows(lake, last + 1, last + 1).equals(make_rows(sound, last + 1, last + 1))


@pytest.mark.parametrize("make_rows", [scores, health])
@pytest.mark.parametrize("row", [3, 100, 300, 470, N - 1])
def test_a_day_alone_is_as_in_a_range(lake: Lake, make_rows: object, row: int) -> None:
    assert callable(make_rows)
    bulk = make_rows(lake, 0, N - 1)
    expected = bulk[bulk["trading_day"] == DAYS[row]].reset_index(drop=True)
    alone = make_rows(lake, row, row)
    known = expected.merge(alone, on=list(alone.columns), how="outer", indicator=True)
    assert known[known["_merge"] == "right_only"].empty
    # A part that is judged later only has rows without figures in the range.
    absent = known[known["_merge"] == "left_only"]
    assert absent.get("score", absent.get("value", pd.Series())).isna().all()
    if row >= 100:
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_a_signal_of_the_wrong_sign_is_critical(lake: Lake, sound: Lake) -> None:
    for opened, level in ((lake, "critical"), (sound, "ok")):
        rows = scores(opened, BROKEN + 60, BROKEN + 60)
        assert find_worst_level(rows, "ensemble") == level
    before = scores(lake, BROKEN, BROKEN)
    assert find_worst_level(before, "ensemble") == "ok"


def test_a_level_over_20_days_ends_with_the_drop() -> None:
    """The score of the window and the levels of longer windows are low for weeks more."""
    values = daily_ics(360, seed=0)
    values[300:320] -= 0.3
    records = {("ensemble", *WHOLE): record(values)}
    date_ids = record(values).date_ids
    rows = rolling_rows(records, DAYS[:360], date_ids, SETTINGS).set_index("window")
    of_20, of_60 = (rows.loc[window].iloc[319:327] for window in (20, 60))
    assert (of_20["score"] < of_20["limit_critical"]).all()
    assert of_20["level"].iloc[0] == "critical"
    assert set(of_20["level"].iloc[5:]) == {"ok"}
    assert set(of_60["level"]) == {"critical"}


def test_the_submitted_forecast_takes_over_the_ensemble_s_record(tmp_path: Path) -> None:
    since = 400
    with fill(tmp_path, submitted_from=since) as lake:
        records = read_daily_records(lake, FAMILIES, DAYS[-1].item())
    assert choose_judged_family({family for family, *_ in records}) == "published"
    submitted, ensemble = (records[name, "all", ""] for name in ("published", "ensemble"))
    np.testing.assert_array_equal(submitted.date_ids, ensemble.date_ids)
    np.testing.assert_array_equal(submitted.values[:since], ensemble.values[:since])
    np.testing.assert_array_equal(submitted.values[since:], daily_ics(N, 99)[since : N - DELAY])


def in_force(lake: Lake, champions: dict[int, str], records: dict[str, np.ndarray]) -> None:
    """Store champions by the row from which each is in force, and their walk-forward ICs."""
    decisions = [
        {
            **dict.fromkeys((column.name for column in DECISIONS.columns), None),
            "decision": str(row),
            "trading_day": DAYS[row],
            "sequence": 101,
            "champion": champion,
            "share_before": 0.0,
            "share_after": 0.0,
        }
        for row, champion in champions.items()
    ]
    store(lake, DECISIONS, [pd.DataFrame(decisions)])
    walk_forwards = [
        judged({"release": x, "origin": "walk_forward"}, ic, "ic") for x, ic in records.items()
    ]
    store(lake, RECORDS, walk_forwards)


def test_the_submitted_forecast_is_compared_with_the_champion_s_walk_forward(
    tmp_path: Path,
) -> None:
    since, weak = 400, daily_ics(N, 7)
    with fill(tmp_path, submitted_from=300) as lake:
        in_force(lake, {300: "weak", since: "good"}, {"weak": weak, "good": daily_ics(N, 0)})
        *_, (earlier, _), (period, positions) = read_champion_periods(lake, DAYS)
        end = DAYS[-1].item()
        before = read_daily_records(lake, FAMILIES, DAYS[since - 1].item(), earlier)
        records = read_daily_records(lake, FAMILIES, end, period)
    assert (earlier, period) == (
        ChampionPeriod("weak", DAYS[300].item()),
        ChampionPeriod("good", DAYS[since].item()),
    )
    assert positions == slice(since, N)
    np.testing.assert_array_equal(before["published", *WHOLE].values[:300], weak[:300])
    submitted = records["published", *WHOLE]
    np.testing.assert_array_equal(submitted.values[:since], daily_ics(N, 0)[:since])
    np.testing.assert_array_equal(submitted.values[since:], daily_ics(N, 99)[since : N - DELAY])
    # The ensemble has the good one's ICs: the measures of its parts are the champion's as well.
    parts = [records[x, "markets", "US"] for x in ("published", "ensemble")]
    np.testing.assert_array_equal(parts[0].values, parts[1].values[:since])
    assert ("published", "markets", "US") not in before


def test_a_day_knows_nothing_of_a_later_champion(tmp_path: Path) -> None:
    since = 400
    with fill(tmp_path, submitted_from=300) as lake:
        in_force(lake, {300: "weak"}, {"weak": daily_ics(N, 7)})
        expected = [period for period, _ in read_champion_periods(lake, DAYS[:since])]
        in_force(
            lake,
            {300: "weak", since: "good"},
            {"weak": daily_ics(N, 7), "good": daily_ics(N, 0)},
        )
        assert [period for period, _ in read_champion_periods(lake, DAYS[:since])] == expected


def test_without_a_walk_forward_the_submitted_forecast_stays_the_record(tmp_path: Path) -> None:
    with fill(tmp_path, submitted_from=300) as lake:
        in_force(lake, {300: "weak", 400: "new"}, {"weak": daily_ics(N, 7)})
        *_, (period, _) = read_champion_periods(lake, DAYS)
        records = read_daily_records(lake, FAMILIES, DAYS[-1].item(), period)
    expected = daily_ics(N, 99)[300 : N - DELAY]
    np.testing.assert_array_equal(records["published", *WHOLE].values[300:], expected)


def test_no_day_has_no_champion(lake: Lake) -> None:
    assert list(read_champion_periods(lake, DAYS[:0])) == [(None, slice(0, 0))]
    assert list(read_champion_periods(lake, DAYS)) == [(None, slice(0, N))]


def test_pairs_of_markets_are_columns_beside_all_targets(lake: Lake) -> None:
    joined = ic_by_markets(read_daily_records(lake, FAMILIES, DAYS[-1].item()), "ensemble")
    expected = by_market(N, 0)
    expected[BROKEN:] -= 2 * expected.mean(axis=0)
    expected[::9, 2] = np.nan
    np.testing.assert_array_equal(joined.values[:, 1:], expected[: N - DELAY])
    assert joined.values[0, 0] == daily_ics(N, 0)[0]


def test_before_any_label_is_known_there_is_no_level(tmp_path: Path) -> None:
    with Lake(tmp_path) as young:
        synthetic.number_days(young, DAYS[:30], 0)
        rows = scores(young, 0, 29)
        assert rows["family"].unique().tolist() == ["ensemble"]
        assert set(rows["reason"]) == {NO_LABELS}
        assert rows[["score", "expected", "limit", "level"]].isna().all(axis=None)
        assert find_worst_level(rows, "ensemble") is None
        empty = health(young, 0, 29)
        assert empty.empty
        assert empty.columns.tolist() == [column.name for column in HEALTH.columns]


def test_health_measures_by_hand(lake: Lake) -> None:
    row = 440
    rows = health(lake, row, row).set_index(["family", "figure", "window"])["value"]
    judged_row = row - DELAY + 1
    total = np.concatenate([[0.0], np.cumsum(daily_ics(N, 0)[:judged_row])])[-121:]
    assert rows["ensemble", "drawdown", 120] == pytest.approx(total.max() - total[-1], abs=1e-12)
    draw = np.random.default_rng(0)
    turnover, dispersion = (m + 0.02 * draw.normal(size=N) for m in (0.1, 0.5))
    newest = slice(judged_row - 20, judged_row)
    value = rows["ensemble", "stability", 20]
    assert value == pytest.approx(1.0 - turnover[newest].mean(), abs=1e-12)
    value = rows["ensemble", "dispersion", 20]
    assert value == pytest.approx(dispersion[newest].mean(), abs=1e-12)
    pairs = [0.6 + 0.02 * np.random.default_rng(i).normal(size=N) for i in (1, 2)]
    value = rows["rank_prior", "agreement", 20]
    assert value == pytest.approx(np.mean(pairs, axis=0)[newest].mean(), abs=1e-12)
    share = 0.8 + 0.05 * np.random.default_rng(80).normal(size=N)
    value = rows["ensemble", "coverage_80", 60]
    assert value == pytest.approx(share[judged_row - 60 : judged_row].mean(), abs=1e-12)


def test_only_measures_that_change_leave_their_range(lake: Lake, sound: Lake) -> None:
    changed = {"drawdown", "stability", "dispersion", "coverage_80", "coverage_95"}
    row = BROKEN + DELAY + 25
    for opened, expected in ((lake, changed), (sound, set())):
        rows = health(opened, row, row)
        mine = rows[(rows["family"] == "ensemble") & (rows["window"] < 250)]
        assert mine["within"].notna().all()
        assert set(mine["figure"][~mine["within"].astype(bool)]) == expected


def test_a_constant_measure_stays_within_its_range() -> None:
    for value in (1 / 3, 0.1, 0.0):
        comparison = compare_mean(DailyRecord(np.arange(N), np.full(N, value)), np.arange(300, N))
        low, high = comparison.bounds.T
        assert ((low <= comparison.value) & (comparison.value <= high)).all()


def test_intervals_are_the_ensemble_s_alone(tmp_path: Path) -> None:
    with fill(tmp_path, submitted_from=300) as lake:
        in_force(lake, {300: "weak"}, {"weak": daily_ics(N, 7)})
        *_, (period, _) = read_champion_periods(lake, DAYS)
        for champion_period in (period, None):
            records = read_daily_records(lake, FAMILIES, DAYS[-1].item(), champion_period)
            families = {name for name, by, _ in records if by == "interval"}
            assert families == {"ensemble"}


def test_measures_without_a_reference_say_so(lake: Lake) -> None:
    rows = health(lake, 0, 200)
    assert (rows["within"].isna() == rows["reason"].notna()).all()
    assert rows["reason"].str.contains("needed|known yet").sum() == rows["within"].isna().sum()
    nominal = rows[rows["figure"] == "coverage_95"]["expected"].dropna()
    assert set(nominal) == {0.95}


def test_pictures_are_small_pngs(lake: Lake) -> None:
    rows, figures = scores(lake, 200, N - 1), health(lake, 200, N - 1)
    mine = rows[(rows["family"] == "ensemble") & (rows["by"] == "all")]
    newest = rows[(rows["trading_day"] == DAYS[-1]) & (rows["window"] == 60)]
    of_family = figures[(figures["family"] == "ensemble") & figures["value"].notna()]
    for picture in (plot_rolling_scores(mine), plot_part_scores(newest), plot_health(of_family)):
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 100_000
