"""The catalogue of features from bars: an entry for each feature, in column order.

The arithmetic belongs in ``bars``. Features of daily prices are in ``catalogue``, whose version
does not depend on this one.

Notation: ``r`` is the log return of a bar from the close of the bar before; of a day's first bar,
from its own open. ``O H L C`` are logs of open, high, low and close of a bar, ``V`` is its volume,
``P`` the mean of its high, low and close, and ``W = V P`` the millions of currency traded. Sums run
over the bars of a day that are present; m is their number.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from quant_assets.core.code_digest import digest_code

Transform = Literal["none", "log", "rank"]
BAR_WINDOW = 20
"""Days of the trailing windows."""
BAR_LOOKBACK = BAR_WINDOW
"""Number of days before a day whose bars the features of the day need."""
MINIMUM_SHARE = 0.5
"""Share of the bars of a session that a value needs; below it a day has no value."""


@dataclass(frozen=True)
class BarFeature:
    """A feature of an instrument, from its bars up to the close of the day.

    Attributes:
        name: column name.
        group: group of features.
        formula: formula, in the notation of this module.
        source: paper that the formula comes from; empty for a plain count or return.
        unit: unit of the values.
        window: days of the formula, the day included.
        transform: what models see of it: the value, its log, or its rank among the instruments.
        needs_volume: whether bars without volumes give no value.
    """

    name: str
    group: str
    formula: str
    source: str
    unit: str
    window: int = 1
    transform: Transform = "none"
    needs_volume: bool = False


BAR_CATALOGUE = (
    BarFeature(
        "realised_variance",
        "volatility",
        "sum of r^2",
        "Andersen, Bollerslev, Diebold and Labys (2003)",
        "squared log return a day",
        transform="log",
    ),
    BarFeature(
        "realised_range",
        "volatility",
        "sum of (H - L)^2 / (4 ln 2)",
        "Christensen and Podolskij (2007), Martens and van Dijk (2007)",
        "squared log return a day",
        transform="log",
    ),
    BarFeature(
        "bipower_variation",
        "volatility",
        "(pi / 2) m / (m - 1) sum of |r| |r of the bar before|",
        "Barndorff-Nielsen and Shephard (2004)",
        "squared log return a day",
        transform="log",
    ),
    BarFeature(
        "jump_share",
        "volatility",
        "max(0, 1 - bipower_variation / realised_variance)",
        "Barndorff-Nielsen and Shephard (2004), Huang and Tauchen (2005)",
        "share, 0 to 1",
    ),
    BarFeature(
        "overnight_return",
        "return",
        "O of the day's first bar - C of the last bar of the day before + ln(split of the day)",
        "",
        "log return",
        window=2,
    ),
    BarFeature(
        "intraday_return",
        "return",
        "C of the day's last bar - O of its first",
        "",
        "log return",
    ),
    BarFeature(
        "close_to_vwap",
        "return",
        "C of the day's last bar - ln(sum of W / sum of V)",
        "Berkowitz, Logue and Noser (1988)",
        "log return",
        needs_volume=True,
    ),
    BarFeature(
        "volume_share_first",
        "activity",
        "share of V in the first eighth of the session's slots, rounded up",
        "Admati and Pfleiderer (1988)",
        "share, 0 to 1",
        needs_volume=True,
    ),
    BarFeature(
        "volume_share_last",
        "activity",
        "share of V in the last eighth of the session's slots, rounded up",
        "Admati and Pfleiderer (1988)",
        "share, 0 to 1",
        needs_volume=True,
    ),
    BarFeature(
        "amihud",
        "liquidity",
        "mean of |r| / W over the bars with W > 0",
        "Amihud (2002)",
        "log return for a million of currency",
        transform="rank",
        needs_volume=True,
    ),
    BarFeature(
        f"kyle_lambda_{BAR_WINDOW}",
        "liquidity",
        f"sum of r q / sum of q^2 over {BAR_WINDOW} days, q = sign(r) W",
        "Kyle (1985)",
        "log return for a million of currency",
        window=BAR_WINDOW,
        transform="rank",
        needs_volume=True,
    ),
    BarFeature(
        f"roll_spread_{BAR_WINDOW}",
        "liquidity",
        f"2 sqrt(max(0, -mean of r (r of the bar before))) over {BAR_WINDOW} days",
        "Roll (1984)",
        "share of the price",
        window=BAR_WINDOW,
        transform="rank",
    ),
    BarFeature(
        "corwin_schultz_spread",
        "liquidity",
        "mean over neighbouring bars of max(0, 2 (e^a - 1) / (e^a + 1)), a = (sqrt(2 b) - sqrt(b)) "
        "/ c - sqrt(g / c), c = 3 - 2 sqrt(2): b is the sum of both (H - L)^2, g the squared range "
        "of both bars once the gap between them is closed",
        "Corwin and Schultz (2012), with bars in place of days",
        "share of the price",
        transform="rank",
    ),
    BarFeature(
        "order_imbalance",
        "flow",
        f"sum of V (2 Phi(r / s) - 1) / sum of V, s = root mean square of r over {BAR_WINDOW} days",
        "Easley, Lopez de Prado and O'Hara (2012, 2016): bulk volume classification",
        "share, -1 to 1",
        window=BAR_WINDOW,
        needs_volume=True,
    ),
    BarFeature(
        "bars_present",
        "quality",
        "bars that are present / slots of the session",
        "",
        "share, 0 to 1",
    ),
)


_OUTSIDE = ("quant_assets.features.bar_catalogue.BAR_CATALOGUE",)


def _digest_catalogue() -> str:
    code = digest_code("quant_assets.features.bars", outside=_OUTSIDE)
    columns = [feature.name for feature in BAR_CATALOGUE]
    return hashlib.sha256("\n".join([*columns, code]).encode()).hexdigest()[:12]


BAR_CATALOGUE_VERSION = _digest_catalogue()
"""Version of the present features from bars: their names, order and code."""
