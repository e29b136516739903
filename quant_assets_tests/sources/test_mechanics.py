"""The mechanism of the simulated market: sizes of moves, and expected moves."""

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import MARKETS
from quant_assets.sources.simulated import mechanics
from quant_assets.sources.simulated.mechanics import simulate_true_market
from quant_assets.sources.simulated.universe import INSTRUMENTS, of_market

SEED, ROWS = 7, 776
LAGS = (1, 2, 3, 4)


def realised(log_close: FloatArray, lag: int) -> FloatArray:
    """Log moves from the close of t + 1 to the close of t + lag + 1, by t."""
    return log_close[lag + 1 :] - log_close[1:-lag]


def test_daily_moves_are_of_a_realistic_size() -> None:
    moves = simulate_true_market(SEED, ROWS).moves
    usual = {market: np.median(moves[:, of_market(market)].std(axis=0)) for market in MARKETS}
    assert 0.004 < usual["FX"] < 0.009
    assert 0.010 < usual["LME"] < 0.016
    assert 0.006 < usual["JPX"] < 0.016
    stocks = [INSTRUMENTS.index(f"US_Stock_{name}") for name in ("CVX", "RIO", "NEM", "CAT", "MS")]
    assert (moves[:, stocks].std(axis=0) > 0.010).all()
    assert (moves[:, stocks].std(axis=0) < 0.028).all()


def test_moves_have_fat_tails_and_volatility_that_lasts() -> None:
    moves = simulate_true_market(SEED, ROWS).moves
    standard = (moves - moves.mean(axis=0)) / moves.std(axis=0)
    assert np.median((standard**4).mean(axis=0)) > 4
    size = np.abs(standard).mean(axis=1)
    assert np.corrcoef(size[:-5], size[5:])[0, 1] > 0.2


def test_instruments_of_a_kind_move_together() -> None:
    moves = simulate_true_market(SEED, ROWS).moves
    names = ("US_Stock_GLD", "US_Stock_IAU", "US_Stock_AGG")
    correlation = np.asarray(np.corrcoef(moves[:, [INSTRUMENTS.index(name) for name in names]].T))
    assert correlation[0, 1] > 0.9
    assert abs(correlation[0, 2]) < 0.4


def test_the_expected_move_is_what_happens_when_no_shock_comes_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day, rows = 40, 60

    class Silenced:
        """Draws of which those of later days are zero: drifts fade and no shock comes."""

        def __init__(self, seed: int, name: str) -> None:
            self.stream = random_stream(seed, name)
            self.random = self.stream.random
            self.lognormal = self.stream.lognormal

        def standard_t(self, freedom: int, shape: tuple[int, int]) -> FloatArray:
            return self.until_day(self.stream.standard_t(freedom, shape))

        def standard_normal(self, shape: int | tuple[int, ...]) -> FloatArray:
            return self.until_day(self.stream.standard_normal(shape))

        def until_day(self, draws: FloatArray) -> FloatArray:
            if len(draws) == rows:
                draws[day + 1 :] = 0.0
            return draws

    random_stream = mechanics.random_stream
    expected = simulate_true_market(SEED, rows).expected[:, day]
    monkeypatch.setattr(mechanics, "random_stream", Silenced)
    quiet = simulate_true_market(SEED, rows).log_close
    for lag in LAGS:
        np.testing.assert_allclose(expected[lag - 1], realised(quiet, lag)[day], atol=1e-12)


@pytest.mark.parametrize("lag", LAGS)
def test_expected_moves_are_unbiased(lag: int) -> None:
    market = simulate_true_market(SEED, ROWS)
    actual = realised(market.log_close, lag)
    usual = market.moves.std(axis=0)
    expected = market.expected[lag - 1, : len(actual)] / usual
    slope = (actual / usual * expected).sum() / (expected**2).sum()
    assert slope == pytest.approx(1, abs=0.3)
