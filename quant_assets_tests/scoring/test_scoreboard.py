"""Scoreboard, breakdown and comparison, against plain arithmetic on each part."""

import numpy as np
import pandas as pd
import pytest

from quant_assets.lake.schemas.scoring_tables import BREAKDOWN, COMPARISON, SCOREBOARD
from quant_assets.models.registry import FAST
from quant_assets.scoring.daily_performance import performance_rows
from quant_assets.scoring.judged_days import read_scored_forecasts
from quant_assets.scoring.scoreboard import breakdown_rows, comparison_rows, scoreboard_rows
from quant_assets.scoring.scoreboard_inputs import read_fit_seconds, read_regimes
from quant_assets.scoring.significance import block_bootstrap, paired_bootstrap
from quant_assets.scoring.slices import agreement_rows, slice_rows
from quant_assets_tests.support.fitted_lake import FIT_ROWS, FittedLake

Daily = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def daily(fitted: FittedLake) -> Daily:
    result = read_scored_forecasts(fitted.lake, FAST, fitted.days[0].item(), fitted.days[-1].item())
    return performance_rows(result), slice_rows(result), agreement_rows(result)


def metric(ic: pd.Series) -> float:
    return float(ic.mean() / ic.std(ddof=0))


def test_scoreboard(fitted: FittedLake, daily: Daily) -> None:
    ic, parts, _ = daily
    seconds = read_fit_seconds(fitted.lake, FAST)
    shuffled = ic.sample(frac=1.0, random_state=1)
    board = scoreboard_rows(shuffled, parts, seconds).set_index("family")
    assert [*board.reset_index().columns] == [column.name for column in SCOREBOARD.columns]
    assert board["score"].is_monotonic_decreasing
    assert set(board.index) == set(FAST) == set(seconds)
    turnover = parts[parts["part"] == "turnover"].groupby("family")["value"].mean()
    for name, row in board.iterrows():
        own = ic[ic["family"] == name].sort_values("trading_day")["ic"]
        assert row["days"] == len(own) == len(fitted.days) - FIT_ROWS[0] - 5
        assert row["score"] == pytest.approx(metric(own), rel=1e-12)
        assert row["score_90"] == pytest.approx(metric(own[-90:]), rel=1e-12)
        assert row["score_250"] == pytest.approx(metric(own), rel=1e-12)
        assert (row["low"], row["high"]) == block_bootstrap(own.to_numpy())
        assert row["low"] < row["score"] < row["high"]
        assert row["turnover"] == pytest.approx(turnover[name])
        assert row["fit_seconds"] == pytest.approx(
            np.mean([fit["seconds"] for fit in fitted.fits[str(name)]])
        )
        assert np.isnan(row["share_of_oracle"])
    fitted.lake.replace_all(SCOREBOARD, dict(board.reset_index()))
    assert fitted.lake.query(f"FROM {SCOREBOARD.quoted}")["family"].tolist() == list(board.index)


def test_a_share_of_the_oracle_where_there_is_one() -> None:
    days = np.datetime64("2020-01-01") + np.arange(60)
    ic = np.random.default_rng(0).normal(0.1, 0.3, 60)
    each = {"a": ic, "oracle": ic + 0.2}
    rows = pd.concat(
        pd.DataFrame({"family": name, "trading_day": days, "ic": x}) for name, x in each.items()
    )
    none = pd.DataFrame({"family": [], "by": [], "part": [], "value": []})
    board = scoreboard_rows(rows, none, {}).set_index("family")
    expected = metric(pd.Series(ic)) / metric(pd.Series(ic + 0.2))
    assert board.loc["a", "share_of_oracle"] == pytest.approx(expected)
    assert board.loc["oracle", "share_of_oracle"] == 1.0
    assert np.isnan(board.loc["a", "turnover"])


def test_breakdown(fitted: FittedLake, daily: Daily) -> None:
    ic, parts, _ = daily
    regime = read_regimes(fitted.lake)
    assert set(regime) == {"calm", "volatile"}
    result = breakdown_rows(ic, parts, regime).set_index(["family", "by", "part"])
    assert [*result.reset_index().columns] == [column.name for column in BREAKDOWN.columns]
    own = ic[ic["family"] == "ridge"].set_index("trading_day")["ic"].sort_index()
    year = own[own.index.year == own.index[0].year]
    assert result.loc[("ridge", "year", str(own.index[0].year)), "score"] == pytest.approx(
        metric(year)
    )
    calm = own[[regime.get(day) == "calm" for day in own.index]]
    assert result.loc[("ridge", "regime", "calm"), "score"] == pytest.approx(metric(calm))
    thirds = [result.loc[("ridge", "third", str(k)), "days"] for k in (1, 2, 3)]
    assert sum(thirds) == len(own)
    assert max(thirds) - min(thirds) <= 1
    of_lag = parts[(parts["family"] == "ridge") & (parts["by"] == "lag") & (parts["part"] == "2")]
    assert result.loc[("ridge", "lag", "2"), "score"] == pytest.approx(metric(of_lag["value"]))
    assert "forecast" not in result.index.get_level_values("by")


def test_comparison(daily: Daily) -> None:
    ic, _, alike = daily
    result = comparison_rows(ic, alike).set_index(["family", "other"])
    assert [*result.reset_index().columns] == [column.name for column in COMPARISON.columns]
    assert set(result.index) == {("ridge", "rank_prior"), ("lightgbm", "rank_prior")}
    wide = ic.pivot(index="trading_day", columns="family", values="ic")
    row = result.loc[("ridge", "rank_prior")]
    assert row["difference"] == pytest.approx(metric(wide["ridge"]) - metric(wide["rank_prior"]))
    ours, theirs = wide["ridge"].to_numpy(), wide["rank_prior"].to_numpy()
    assert (row["low"], row["high"]) == paired_bootstrap(ours, theirs)
    both = alike[alike[["family", "other"]].isin(["ridge", "rank_prior"]).all(axis=1)]
    assert row["correlation"] == pytest.approx(both["value"].mean())


@pytest.mark.parametrize("ic", [[0.1], [0.1, 0.1, 0.1], [0.25] * 60])
def test_days_too_few_or_too_equal_have_no_score(ic: list[float]) -> None:
    days = np.datetime64("2020-01-01") + np.arange(len(ic))
    none = pd.DataFrame({"family": [], "by": [], "part": [], "value": []})
    rows = pd.DataFrame({"family": "a", "trading_day": days, "ic": ic})
    board = scoreboard_rows(rows, none, {})
    assert board["days"].tolist() == [len(ic)]
    assert np.isnan(board[["score", "low", "high"]].to_numpy(dtype=float)).all()
