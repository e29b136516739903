"""How prices of the simulated market move, and what could be known of that beforehand.

The true market only: closures, gaps and wrong figures are put on top in ``market_faults``.

The log move of an asset on day t is

    move(t) = drift(t) + sum over delays d = 0..5 of
              reaction(d) * common(t - d) + own_reaction(d) * own(t - d)

- *common* shocks are factor shocks times exposures, *own* shocks the asset's own. Both are
  unpredictable: Student-t, scaled by volatility regimes (Markov switching).
- a market takes up a common shock over several days: New York at once, Tokyo mostly a day later.
- own shocks partly reverse over the second to fifth day after.
- drift is a constant of each factor and asset plus a wave that halves in 60 days.

Everything is drawn row by row from streams of their own and summed in the order of days, without
matrix products, so a longer simulation begins with exactly the same rows.
"""

from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import FIELDS, MARKETS
from quant_assets.market.targets import MAX_LAG
from quant_assets.sources.simulated import universe

VERSION = "1"
"""Part of a market's fingerprint: raise it with every change that moves a price."""

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
    """The market without errors of measurement.

    Attributes:
        log_close: (n, k) log prices at the close of each day, the days it is closed included.
        expected: (lags, n, k) log move expected at the end of day t from the close of t + 1 to that
            of t + lag + 1; row 0 is lag 1.
        moves: (n, k) log move of each day.
    """

    log_close: FloatArray
    expected: FloatArray
    moves: FloatArray


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the purpose only."""
    return np.random.default_rng([seed, *name.encode()])


def simulate_true_market(seed: int, rows: int) -> TrueMarket:
    """The first ``rows`` days of the market of this seed."""
    level = _regimes(seed, rows)
    factors = level[:, :1] * _student(seed, "factors", (rows, len(universe.FACTORS)), freedom=6)
    own = level[:, 1 + universe.ASSET_MARKET] * _student(
        seed, "own", (rows, len(universe.VOLATILITY)), freedom=5
    )
    common, own = _exposed(factors), own * universe.OWN_SHARE * universe.VOLATILITY
    constant, wave = _drifts(seed, rows)

    moves = universe.quoted_moves(constant + wave + _decided(common, own, ahead=0))
    later = [
        constant + wave * _WAVE_KEPT**ahead + _decided(common, own, ahead)
        for ahead in range(2, MAX_LAG + 2)
    ]
    expected = universe.quoted_moves(np.cumsum(later, axis=0))
    stocks = int(np.isnan(universe.FIRST_PRICE).sum())
    first = universe.first_log_price(
        random_stream(seed, "stocks").lognormal(np.log(45), 0.6, stocks)
    )
    return TrueMarket(first + np.cumsum(moves, axis=0), expected, moves)


def make_bars(seed: int, market: TrueMarket) -> FloatArray:
    """(fields, n, k) what a faultless record of the market holds, fields as in ``FIELDS``.

    Every field is filled for every instrument, of which a market quotes only its own. Prices are
    rounded to 6 decimals, volumes and open interest to whole numbers. Low <= open, close <= high.
    """
    shape = market.moves.shape
    usual = np.abs(universe.quoted_moves(universe.VOLATILITY))

    def noise(name: str) -> FloatArray:
        return random_stream(seed, name).standard_normal(shape)

    close = market.log_close
    opening = close - market.moves + 0.3 * usual * noise("open")
    high = np.maximum(opening, close) + 0.4 * usual * np.abs(noise("high"))
    low = np.minimum(opening, close) - 0.4 * usual * np.abs(noise("low"))
    settlement = np.clip(close + 0.05 * usual * noise("settlement"), low, high)

    traded = np.log(2e6) + 1.2 * random_stream(seed, "traded").standard_normal(shape[1:])
    traded -= 5.0 * universe.of_market("JPX")
    surprise = np.minimum(np.abs(market.moves) / np.maximum(usual, 1e-4), 5.0)
    volume = traded + 0.3 * noise("volume") + 0.25 * surprise
    standing = traded + 2.5 + 0.3 * _wave(seed, "open interest", rows=shape[0], width=shape[1])

    by_field = {
        "open": np.round(np.exp(opening), 6),
        "high": np.round(np.exp(high), 6),
        "low": np.round(np.exp(low), 6),
        "close": np.round(np.exp(close), 6),
        "settlement": np.round(np.exp(settlement), 6),
        "volume": np.rint(np.exp(volume)),
        "open_interest": np.rint(np.exp(standing)),
    }
    return np.stack([by_field[field] for field in FIELDS])


def _student(seed: int, name: str, shape: tuple[int, int], freedom: int) -> FloatArray:
    """Fat-tailed draws of unit variance."""
    draws = random_stream(seed, name).standard_t(freedom, shape)
    return np.asarray(draws / np.sqrt(freedom / (freedom - 2)))


def _regimes(seed: int, rows: int) -> FloatArray:
    """(n, 1 + markets) volatility level of the world and of each market.

    A Markov chain that leaves its state on one day in 30 for one drawn by the shares of the states.
    """
    width = 1 + len(MARKETS)
    random = random_stream(seed, "regimes").random((rows, 2, width))
    day = np.arange(rows)[:, None]
    since = np.maximum.accumulate(np.where(random[:, 0] < 1 / _REGIME_DAYS, day, 0), axis=0)
    drawn = np.take_along_axis(random[:, 1], since, axis=0)
    return np.array(_REGIME_LEVEL)[np.searchsorted(np.cumsum(_REGIME_SHARE)[:-1], drawn)]


def _wave(seed: int, name: str, rows: int, width: int) -> FloatArray:
    """(rows, width) stationary first-order autoregressions of unit variance."""
    noise = random_stream(seed, name).standard_normal((rows, width))
    noise[1:] *= np.sqrt(1 - _WAVE_KEPT**2)
    kept = _WAVE_KEPT ** np.arange(rows)[:, None]
    return np.asarray(kept * np.cumsum(noise / kept, axis=0))


def _drifts(seed: int, rows: int) -> tuple[FloatArray, FloatArray]:
    """(assets,) constant and (n, assets) changing part of the assets' daily drift."""
    of_own = universe.OWN_SHARE * universe.VOLATILITY
    factors, assets = universe.EXPOSURE.shape
    constant = _exposed(random_stream(seed, "factor constant").standard_normal((1, factors)))[0]
    constant += of_own * random_stream(seed, "own constant").standard_normal(assets)
    wave = _exposed(_wave(seed, "factor wave", rows, factors))
    wave += of_own * _wave(seed, "own wave", rows, assets)
    return CONSTANT_DRIFT * constant, WAVE_DRIFT * wave


def _exposed(factors: FloatArray) -> FloatArray:
    """(n, assets) moves that (n, factors) bring about, without BLAS: its last bits vary with n."""
    total = np.zeros((len(factors), len(universe.VOLATILITY)))
    for factor, exposure in zip(factors.T, universe.EXPOSURE * universe.VOLATILITY, strict=True):
        total += factor[:, None] * exposure
    return total


def _decided(common: FloatArray, own: FloatArray, ahead: int) -> FloatArray:
    """(n, assets) part of the move ``ahead`` days later that shocks up to each day have decided.

    With ``ahead`` 0 it is the whole move of the day less its drift.
    """
    reaction = np.array([_REACTION[market] for market in MARKETS])[universe.ASSET_MARKET].T
    total = np.zeros_like(own)
    for delay in range(ahead, _DELAYS):
        age = delay - ahead
        total[age:] += reaction[delay] * common[: len(own) - age]
        total[age:] += _OWN_REACTION[delay] * own[: len(own) - age]
    return total
