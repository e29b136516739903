"""The moves of the simulated market, and their expectations on each day.

This is the true market; ``simulated.planted_faults`` adds closures, gaps and wrong prices.

The log move of an asset on day t is

    move(t) = drift(t) + sum over delays d = 0..5 of
              reaction(d) * common(t - d) + own_reaction(d) * own(t - d)

- *common* shocks are factor shocks times exposures, *own* shocks are the asset's own. Both are
  unpredictable: Student-t draws, scaled by volatility regimes (Markov switching).
- a market reacts to a common shock over several days: New York at once, Tokyo mostly a day later.
- own shocks partly reverse from the second to the fifth day after.
- a drift is a constant of each factor and asset plus an autoregression with a half-life of 60 days.

Each random quantity is drawn row by row from a stream of its own, and sums are taken in the order
of days without matrix products. A longer simulation therefore begins with exactly the same rows.
"""

from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import FIELDS, MARKETS
from quant_assets.sources.simulated import universe

VERSION = "1"
"""Part of a market's fingerprint: raise it with every change that alters a price."""
LAGS = (1, 2, 3, 4)
"""Horizons of the targets in trading days, without a gap."""

# Standard deviation of the drifts, in daily volatilities of the factor or asset.
CONSTANT_DRIFT, WAVE_DRIFT = 0.04, 0.05
_WAVE_KEPT = 0.5 ** (1 / 60)

# Share of a common shock taken up on the day itself and on the five after.
_REACTION = {
    "LME": (0.68, 0.12, 0.08, 0.06, 0.04, 0.02),
    "JPX": (0.45, 0.30, 0.10, 0.07, 0.05, 0.03),
    "US": (1.00, 0.00, 0.00, 0.00, 0.00, 0.00),
    "FX": (0.92, 0.03, 0.02, 0.01, 0.01, 0.01),
}
_OWN_REACTION = (1.0, 0.0, -0.06, -0.06, -0.06, -0.06)
_DELAYS = len(_OWN_REACTION)

# Calm, normal and turbulent: volatility, and share of the days spent in it.
_REGIME_LEVEL, _REGIME_SHARE = (0.7, 1.0, 1.9), (0.6, 0.3, 0.1)
_REGIME_DAYS = 30


@dataclass(frozen=True)
class TrueMarket:
    """The market without faults of the record.

    Attributes:
        log_close: (n, k) log prices at the close of each day, also on days of closures.
        expected: (lags, n, k) log moves from the close of t + 1 to the close of t + lag + 1, as
            expected at the close of day t; index lag - 1 on the first axis.
        moves: (n, k) log move of each day.
    """

    log_close: FloatArray
    expected: FloatArray
    moves: FloatArray


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Create a random generator that depends on the seed and on the name of its purpose only."""
    return np.random.default_rng([seed, *name.encode()])


def simulate_true_market(seed: int, rows: int) -> TrueMarket:
    """Simulate the first ``rows`` days of the market of this seed."""
    level = _draw_regimes(seed, rows)
    shape = (rows, len(universe.FACTORS))
    factors = level[:, :1] * _draw_student(seed, "factors", shape, freedom=6)
    own = level[:, 1 + universe.ASSET_MARKET] * _draw_student(
        seed, "own", (rows, len(universe.VOLATILITY)), freedom=5
    )
    common, own = _expose(factors), own * universe.OWN_SHARE * universe.VOLATILITY
    constant, wave = _draw_drifts(seed, rows)

    moves = universe.quoted_moves(constant + wave + _sum_reactions(common, own, ahead=0))
    later = [
        constant + wave * _WAVE_KEPT**ahead + _sum_reactions(common, own, ahead)
        for ahead in (lag + 1 for lag in LAGS)
    ]
    expected = universe.quoted_moves(np.cumsum(later, axis=0))
    stocks = int(np.isnan(universe.FIRST_PRICE).sum())
    first = universe.first_log_price(
        random_stream(seed, "stocks").lognormal(np.log(45), 0.6, stocks)
    )
    return TrueMarket(first + np.cumsum(moves, axis=0), expected, moves)


def make_bars(seed: int, market: TrueMarket) -> FloatArray:
    """Draw all fields of all instruments for a record without faults.

    Returns an array of shape (fields, n, k), fields as in ``FIELDS``. All fields have values, also
    those that an instrument's market does not quote. Prices are rounded to 6 decimals, volumes and
    open interest to whole numbers. Low <= open, close <= high.

    Args:
        seed: seed of the market.
        market: the true market.
    """
    shape = market.moves.shape
    typical_move = np.abs(universe.quoted_moves(universe.VOLATILITY))

    def draw_noise(name: str) -> FloatArray:
        return random_stream(seed, name).standard_normal(shape)

    close = market.log_close
    opening = close - market.moves + 0.3 * typical_move * draw_noise("open")
    high = np.maximum(opening, close) + 0.4 * typical_move * np.abs(draw_noise("high"))
    low = np.minimum(opening, close) - 0.4 * typical_move * np.abs(draw_noise("low"))
    settlement = np.clip(close + 0.05 * typical_move * draw_noise("settlement"), low, high)

    traded = np.log(2e6) + 1.2 * random_stream(seed, "traded").standard_normal(shape[1:])
    traded -= 5.0 * universe.of_market("JPX")
    surprise = np.minimum(np.abs(market.moves) / np.maximum(typical_move, 1e-4), 5.0)
    volume = traded + 0.3 * draw_noise("volume") + 0.25 * surprise
    wave = _draw_wave(seed, "open interest", rows=shape[0], width=shape[1])
    open_interest = traded + 2.5 + 0.3 * wave

    by_field = {
        "open": np.round(np.exp(opening), 6),
        "high": np.round(np.exp(high), 6),
        "low": np.round(np.exp(low), 6),
        "close": np.round(np.exp(close), 6),
        "settlement": np.round(np.exp(settlement), 6),
        "volume": np.rint(np.exp(volume)),
        "open_interest": np.rint(np.exp(open_interest)),
    }
    return np.stack([by_field[field] for field in FIELDS])


def _draw_student(seed: int, name: str, shape: tuple[int, int], freedom: int) -> FloatArray:
    """Draw from a Student-t distribution, scaled to unit variance."""
    draws = random_stream(seed, name).standard_t(freedom, shape)
    return np.asarray(draws / np.sqrt(freedom / (freedom - 2)))


def _draw_regimes(seed: int, rows: int) -> FloatArray:
    """Draw the (n, 1 + markets) volatility levels of the factors and of each market.

    Each is a Markov chain: on one day in 30 a new state is drawn by the shares of the states.
    """
    width = 1 + len(MARKETS)
    random = random_stream(seed, "regimes").random((rows, 2, width))
    day = np.arange(rows)[:, None]
    since = np.maximum.accumulate(np.where(random[:, 0] < 1 / _REGIME_DAYS, day, 0), axis=0)
    drawn = np.take_along_axis(random[:, 1], since, axis=0)
    return np.array(_REGIME_LEVEL)[np.searchsorted(np.cumsum(_REGIME_SHARE)[:-1], drawn)]


def _draw_wave(seed: int, name: str, rows: int, width: int) -> FloatArray:
    """Draw (rows, width) stationary first-order autoregressions of unit variance."""
    noise = random_stream(seed, name).standard_normal((rows, width))
    noise[1:] *= np.sqrt(1 - _WAVE_KEPT**2)
    decay = _WAVE_KEPT ** np.arange(rows)[:, None]
    return np.asarray(decay * np.cumsum(noise / decay, axis=0))


def _draw_drifts(seed: int, rows: int) -> tuple[FloatArray, FloatArray]:
    """Draw the (assets,) constant and the (n, assets) changing part of the daily drifts."""
    own_volatility = universe.OWN_SHARE * universe.VOLATILITY
    factors, assets = universe.EXPOSURE.shape
    constant = _expose(random_stream(seed, "factor constant").standard_normal((1, factors)))[0]
    constant += own_volatility * random_stream(seed, "own constant").standard_normal(assets)
    wave = _expose(_draw_wave(seed, "factor wave", rows, factors))
    wave += own_volatility * _draw_wave(seed, "own wave", rows, assets)
    return CONSTANT_DRIFT * constant, WAVE_DRIFT * wave


def _expose(factors: FloatArray) -> FloatArray:
    """Multiply (n, factors) moves by the exposures of the assets; returns (n, assets) moves.

    BLAS is not used, because the last bits of its products vary with n.
    """
    total = np.zeros((len(factors), len(universe.VOLATILITY)))
    for factor, exposure in zip(factors.T, universe.EXPOSURE * universe.VOLATILITY, strict=True):
        total += factor[:, None] * exposure
    return total


def _sum_reactions(common: FloatArray, own: FloatArray, ahead: int) -> FloatArray:
    """Sum the reactions, ``ahead`` days after each day, to the shocks up to that day.

    Returns an array of shape (n, assets). With ``ahead`` 0 it is the day's move less its drift.

    Args:
        common: (n, assets) common shocks.
        own: (n, assets) own shocks.
        ahead: number of days.
    """
    reaction = np.array([_REACTION[market] for market in MARKETS])[universe.ASSET_MARKET].T
    total = np.zeros_like(own)
    for delay in range(ahead, _DELAYS):
        age = delay - ahead
        total[age:] += reaction[delay] * common[: len(own) - age]
        total[age:] += _OWN_REACTION[delay] * own[: len(own) - age]
    return total
