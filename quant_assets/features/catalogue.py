"""The catalogue of features: an entry for each feature, in column order, and the windows.

The arithmetic belongs in the neighbouring modules, which take windows and column order from here.

Notation: ``r`` is the daily log return, winsorised at 8 times the root mean square of the 60 days
before. ``C H L O`` are logs of close, high, low and open. ``A`` and ``B`` are a target's legs; B is
0 for a single leg. ``y`` is a target's label on the day on which it becomes known. ``f`` is the
daily factor of all instruments.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from quant_assets.core.code_digest import PACKAGE, digest_code
from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import ALL, Group
from quant_assets.market.panel import PricePanel

Level = Literal["instrument", "group", "market", "target"]

RETURN_WINDOWS = (1, 2, 3, 5, 10, 20, 60, 120, 250)
VOLATILITY_WINDOWS = (5, 20, 60, 250)
FACTOR_WINDOWS = (1, 5, 20)
LEAD_WINDOWS = (1, 5)
Z_WINDOWS = (20, 60, 250)
MOVE_WINDOWS = (5, 20, 60, 250)
LABEL_WINDOWS = (20, 60, 250, 500)
BETA_WINDOW = 250
DIFFERENCES = (
    *("ret_1", "ret_5", "ret_20", "momentum_250_20", "vol_20", "vol_250"),
    *("rsi_14", "macd_histogram", "drawdown_250", "skew_60", "volume_z_20"),
)
SUMS = ("ret_1", "ret_5", "ret_20", "vol_20", "drawdown_250")
LEG_FEATURES = (*dict.fromkeys((*DIFFERENCES, *SUMS, *(f"ret_{w}" for w in MOVE_WINDOWS))),)
"""Features of instruments from which the features of targets are computed."""
RANKED = ("label_mean_20", "label_mean_250", "spread_z_20", "spread_move_20", "spread_move_250")

_ARITHMETIC = tuple(
    f"quant_assets.features.{module}" for module in ("instruments", "cross_market", "spreads")
)
# The version digests the order of columns by itself, and these use entries with words.
_OUTSIDE = tuple(
    f"quant_assets.features.catalogue.{name}" for name in ("order_features", "list_market_inputs")
)
_EXAMPLE = (Group("A", leader="B"), Group("B"))
EQUAL_VERSIONS = (
    "2681c85a6816",
    "a134b3d01060",
    "f1503863bea3",
    "2f627beb1cd0",
    "122784168411",
    "8d072045d7fb",
)
"""Earlier versions whose features equal those of ``_EQUAL_SINCE`` bit for bit; fits store them."""
_EQUAL_SINCE = "38241fc5d39b"
"""The present version, as long as its features equal those of the earlier ones. When the code is
reworded and all features stay equal bit for bit, move it to ``EQUAL_VERSIONS`` and write the new
version here; after any other change, empty both."""

PRICE_LOOKBACK = 380
"""Days of prices before a day with which features of instruments, groups and the market equal those
computed from the whole history: 250 + 60 + 60 for the volatility of a factor that is scaled by
volatility of clipped returns, and some more.
"""
SPREAD_LOOKBACK = 250
"""Number of days before a day whose prices the features of its targets need."""
LABEL_LOOKBACK = 500
"""Number of days before a day whose known labels the features of its targets need."""


@dataclass(frozen=True)
class Feature:
    """A feature.

    Attributes:
        name: column name, unique within the level.
        level: unit of a row besides its day: an instrument, a group of instruments, the market as a
            whole, or a target.
        group: group of features that reports show it in.
        formula: formula of the feature, in the notation of this module.
        window: rows of the longest window in the formula, including the day; 0 without a window.
        inputs: price fields without which the feature has no value.
    """

    name: str
    level: Level
    group: str
    formula: str
    window: int
    inputs: tuple[str, ...] = ("close",)


def _instrument_features() -> Iterator[Feature]:
    def feature(name: str, group: str, formula: str, window: int, *fields: str) -> Feature:
        return Feature(name, "instrument", group, formula, window, fields or ("close",))

    for w in RETURN_WINDOWS:
        yield feature(f"ret_{w}", "return", f"sum of r over {w} days", w)
    for w in VOLATILITY_WINDOWS:
        yield feature(f"vol_{w}", "volatility", f"root mean square of r over {w} days", w)
    ohlc = ("open", "high", "low", "close")
    yield feature("parkinson_20", "volatility", "sqrt(mean((H-L)^2) / (4 ln 2))", 20, *ohlc[1:3])
    garman_klass = "sqrt(max(0, mean((H-L)^2 / 2 - (2 ln 2 - 1) (C-O)^2)))"
    yield feature("garman_klass_20", "volatility", garman_klass, 20, *ohlc)
    yang_zhang = (
        "sqrt(max(0, var(O - C[t-1]) + k var(C-O) + (1-k) mean((H-C)(H-O) + (L-C)(L-O)))), "
        "var with ddof 1, k = 0.34 / (1.34 + 21/19)"
    )
    yield feature("yang_zhang_20", "volatility", yang_zhang, 20, *ohlc)
    yield feature("momentum_250_20", "momentum", "ret_250 - ret_20", 250)
    yield feature("reversal_5", "reversal", "-ret_5 / (vol_20 sqrt(5))", 20)
    yield feature("rsi_14", "reversal", "sum(max(r, 0)) / sum(|r|) - 1/2 over 14 days", 14)
    macd = "EMA12(C) - EMA26(C), each over 128 days"
    yield feature("macd", "momentum", macd, 128)
    yield feature("macd_histogram", "momentum", "macd - EMA9(macd), over 64 days", 128)
    yield feature("bollinger_20", "reversal", "(C - mean(C)) / std(C) over 20 days", 20)
    true_range = "mean over 14 days of max(H, C[t-1]) - min(L, C[t-1])"
    yield feature("atr_14", "volatility", true_range, 14, *ohlc[1:])
    volume = "(ln volume - mean) / std, over 20 days"
    yield feature("volume_z_20", "activity", volume, 20, "volume")
    interest = "ln(open interest / open interest 5 days before)"
    yield feature("open_interest_change_5", "activity", interest, 6, "open_interest")
    yield feature("skew_60", "shape", "mean(r^3) / vol_60^3 over 60 days", 60)
    yield feature("drawdown_250", "momentum", "C - max(C) over 250 days", 250)


_SCALED = "mean over {} of r / vol_60[t-1], summed over {} days"


def _group_features() -> Iterator[Feature]:
    for w in FACTOR_WINDOWS:
        formula = _SCALED.format("the group's instruments", w)
        yield Feature(f"factor_{w}", "group", "factor", formula, max(w, 60))
    for w in LEAD_WINDOWS:
        formula = f"factor_{w} of the group's leader less that of the group; NULL without a leader"
        yield Feature(f"lead_{w}", "group", "cross-market", formula, 60)


def _market_features() -> Iterator[Feature]:
    def feature(name: str, group: str, formula: str, window: int) -> Feature:
        return Feature(name, "market", group, formula, window)

    for w in FACTOR_WINDOWS:
        formula = _SCALED.format("all instruments", w) + "; f for one day"
        yield feature(f"factor_all_{w}", "factor", formula, max(w, 60))
    dispersion = "standard deviation over instruments of r / vol_60[t-1]"
    yield feature("dispersion_1", "regime", dispersion, 60)
    yield feature("dispersion_20", "regime", "mean of dispersion_1 over 20 days", 60)
    ratio = "root mean square of f over 20 days / over 250 days"
    yield feature("volatility_ratio_20_250", "regime", ratio, 250)


def _target_features() -> Iterator[Feature]:
    def feature(name: str, group: str, formula: str, window: int) -> Feature:
        return Feature(name, "target", group, formula, window)

    legs = {feature.name: feature for feature in _instrument_features()}
    for kind, sign, names in (("diff", "-", DIFFERENCES), ("sum", "+", SUMS)):
        for name in names:
            leg, formula = legs[name], f"{name}(A) {sign} {name}(B)"
            yield Feature(f"{kind}_{name}", "target", kind, formula, leg.window, leg.inputs)
    for w in Z_WINDOWS:
        formula = f"(S - mean(S)) / std(S) over {w} days, S = C(A) - C(B)"
        yield feature(f"spread_z_{w}", "spread", formula, w)
    volatility = "root mean square of r(A) - r(B) over 60 days, times sqrt(lag)"
    yield feature("spread_volatility", "spread", volatility, 60)
    change = "root mean square of r(A) - r(B) over 20 days / over 250 days"
    yield feature("spread_volatility_ratio_20_250", "spread", change, 250)
    for w in MOVE_WINDOWS:
        formula = f"diff_ret_{w} / root mean square of r(A) - r(B) over 60 days / sqrt({w})"
        yield feature(f"spread_move_{w}", "spread", formula, max(w, 60))
    yield feature("beta_difference", "beta", "b(A) - b(B), b = sum(r f) / sum(f^2)", BETA_WINDOW)
    explained = "beta_difference times factor_all_5"
    yield feature("beta_move_5", "beta", explained, BETA_WINDOW)
    for w in LABEL_WINDOWS:
        yield feature(f"label_mean_{w}", "label", f"mean(y) / std(y) over {w} days", w)
    yield feature("label_newest", "label", "y / std(y) over 250 days", 250)
    rank = "mean over 250 days of the rank of y among the day's targets, from -1/2 to 1/2"
    yield feature("label_rank_mean_250", "label", rank, 250)
    windows = {f"label_mean_{w}": w for w in LABEL_WINDOWS}
    for name in RANKED:
        window = windows.get(name, 250)
        yield feature(f"rank_{name}", "rank", f"rank of {name}, from -1/2 to 1/2", window)
    yield feature("lag", "lag", "holding period in trading days", 0)


CATALOGUE = (
    *_instrument_features(),
    *_group_features(),
    *_market_features(),
    *_target_features(),
)


def features_of(level: Level) -> tuple[str, ...]:
    """Return the names of a level's features, in column order."""
    return tuple(feature.name for feature in CATALOGUE if feature.level == level)


def list_market_inputs(groups: Sequence[Group]) -> tuple[tuple[str, str, Feature], ...]:
    """List what models see of the market on a day: the features of each group and of the whole.

    Returns an entry for each input, in order: its name, such as ``factor_solar_5`` or, for a lead,
    ``oil_minus_solar_5``; the group, empty for the market as a whole; and the feature.

    Args:
        groups: the groups, in the market's order.
    """
    features = {(feature.level, feature.name): feature for feature in CATALOGUE}
    factors = [
        (f"factor_{group.name}_{w}", group.name, features["group", f"factor_{w}"])
        for group in groups
        # The factor of all instruments is that of the market as a whole.
        if group.name != ALL
        for w in FACTOR_WINDOWS
    ]
    whole = [(name, "", features["market", name]) for name in features_of("market")]
    led = sorted((group.leader, group.name) for group in groups if group.leader)
    leads = [
        (f"{leader}_minus_{name}_{w}", name, features["group", f"lead_{w}"])
        for leader, name in led
        for w in LEAD_WINDOWS
    ]
    return (*factors, *whole, *leads)


def version_of(features: tuple[Feature, ...], package: Path = PACKAGE) -> str:
    """Digest the names and levels of features, their order, and the code that computes them.

    Groups, formulas in words and comments in the code do not change the version.

    Args:
        features: the features, in column order.
        package: folder of the package whose modules compute the features.
    """
    columns = [f"{feature.level} {feature.name}" for feature in features]
    columns += [name for name, *_ in list_market_inputs(_EXAMPLE)]
    code = digest_code(*_ARITHMETIC, outside=_OUTSIDE, package=package)
    return hashlib.sha256("\n".join([*columns, code]).encode()).hexdigest()[:12]


def is_same_arithmetic(version: str | None) -> bool:
    """Return whether features of a version equal the present features bit for bit."""
    if CATALOGUE_VERSION == _EQUAL_SINCE and version in EQUAL_VERSIONS:
        return True
    return version == CATALOGUE_VERSION


CATALOGUE_VERSION = version_of(CATALOGUE)
"""Version of the present features. Every fit stores it, because it takes inputs by position."""


def order_features(level: Level, arrays: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Sort the arrays of a level's features by column order.

    Raises:
        KeyError: a feature of the level is missing.
    """
    return {name: arrays[name] for name in features_of(level)}


def list_inputs(groups: Sequence[Group]) -> dict[tuple[str, str], Feature]:
    """List everything that models see, by level and name; inputs of groups are of the market.

    Args:
        groups: the groups, in the market's order.
    """
    inputs = {(str(f.level), f.name): f for f in CATALOGUE if f.level in ("instrument", "target")}
    market = {("market", name): feature for name, _, feature in list_market_inputs(groups)}
    return inputs | market


def find_left_out(panel: PricePanel) -> dict[str, str]:
    """Find the features that have no value with a panel, so that their arrays are all NaN.

    These are the features that need a field which is missing for all instruments, or a leader where
    no group has one. Returns the reasons by feature.
    """
    fields = {name for name, values in panel.fields.items() if not np.isnan(values).all()}
    led = {group.leader for group in panel.all_groups if group.name in panel.groups}
    reasons = {}
    for feature in CATALOGUE:
        missing = [f"no {field}" for field in feature.inputs if field not in fields]
        if feature.name.startswith("lead_") and not led & set(panel.groups):
            missing.append("no group has a leader")
        if missing:
            reasons[feature.name] = ", ".join(missing)
    return reasons
