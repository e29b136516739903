"""Daily figures over parts of the targets, against scipy on the targets of each part."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from quant_assets.lake.schemas.scoring_tables import AGREEMENT, SLICES
from quant_assets.market.instruments import market_of
from quant_assets.models.registry import FAST
from quant_assets.scoring.judged_days import ScoredForecasts, read_scored_forecasts
from quant_assets.scoring.slices import agreement_rows, slice_rows, split_targets
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import FIT_ROWS, FittedLake


def judged(fitted: FittedLake, first: int, last: int) -> ScoredForecasts:
    scored = read_scored_forecasts(
        fitted.lake, FAST, fitted.days[first].item(), fitted.days[last].item()
    )
    assert scored is not None
    return scored


def test_every_target_has_one_lag_and_one_pair_of_markets() -> None:
    pairs = synthetic.pairs()
    parts = split_targets(pairs, synthetic.prices().series.group_of)
    for by in ("lag", "markets"):
        of_by = np.stack([mask for (kind, _), mask in parts.items() if kind == by])
        np.testing.assert_array_equal(of_by.sum(axis=0), 1)
    for (by, part), mask in parts.items():
        for j in np.flatnonzero(mask):
            legs = [leg for leg in (pairs.leg_a[j], pairs.leg_b[j]) if leg]
            expected = "-".join(sorted(map(market_of, legs))) if len(legs) > 1 else None
            if by == "lag":
                assert part == str(pairs.lags[j])
            else:
                assert set(part.split("-")) == set(map(market_of, legs)), expected


def test_slices_by_hand(fitted: FittedLake) -> None:
    scored = judged(fitted, 205, 260)
    rows = slice_rows(scored)
    assert [*rows.columns] == [column.name for column in SLICES.columns]
    index = rows.set_index(["trading_day", "family", "by", "part"])["value"]
    values, truth = scored.forecasts["ridge"], scored.labels
    for row in (0, 20, 50):
        for (by, part), mask in split_targets(scored.pairs, scored.group_of).items():
            known = mask & ~np.isnan(truth[row])
            expected = spearmanr(values[row, known], truth[row, known]).statistic
            key = pd.Timestamp(scored.days[row]), "ridge", by, part
            if np.isnan(expected):
                assert key not in index.index
            else:
                assert index[key] == pytest.approx(expected, abs=1e-12)
        if row:
            kept = spearmanr(values[row], values[row - 1]).statistic
            key = pd.Timestamp(scored.days[row]), "ridge", "forecast", "turnover"
            assert index[key] == pytest.approx(1 - kept, abs=1e-12)


def test_turnover_begins_with_the_second_forecast_and_needs_no_more_than_the_day_before(
    fitted: FittedLake,
) -> None:
    def turnover(first: int, last: int) -> pd.Series:
        rows = slice_rows(judged(fitted, first, last))
        own = rows[(rows["part"] == "turnover") & (rows["family"] == "ridge")]
        return own.set_index("date_id")["value"]

    bulk = turnover(5, 300)
    assert bulk.index.min() == FIT_ROWS[0] + 1
    for row in (240, 299):
        alone = turnover(row, row)
        assert alone.index.tolist() == [row - 5]
        assert alone.iloc[0] == bulk[row - 5]


def test_agreement_by_hand(fitted: FittedLake) -> None:
    scored = judged(fitted, 205, 230)
    rows = agreement_rows(scored)
    assert [*rows.columns] == [column.name for column in AGREEMENT.columns]
    assert len(rows) == 3 * len(scored.days)
    pair = rows[(rows["family"] == "rank_prior") & (rows["other"] == "ridge")]
    for row, value in enumerate(pair["value"]):
        ours, theirs = scored.forecasts["rank_prior"][row], scored.forecasts["ridge"][row]
        assert value == pytest.approx(spearmanr(ours, theirs).statistic, abs=1e-12)


def test_nothing_known_later_is_read(fitted: FittedLake, altered: FittedLake) -> None:
    for figures in (slice_rows, agreement_rows):
        ours, theirs = (figures(judged(x, 205, 330)) for x in (fitted, altered))
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_before_any_forecast_there_is_nothing(fitted: FittedLake) -> None:
    assert (
        read_scored_forecasts(fitted.lake, FAST, fitted.days[0].item(), fitted.days[4].item())
        is None
    )
    for figures in (slice_rows, agreement_rows):
        assert figures(None).empty
        assert figures(judged(fitted, 20, 60)).empty
