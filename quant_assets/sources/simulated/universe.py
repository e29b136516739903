"""Assets and instruments of the simulated market: names, volatilities, first prices, exposures.

This module holds tables; ``simulated.mechanics`` moves the prices.

An *asset* has a risk of its own: 4 metals, 6 Tokyo contracts, 95 US stocks and 9 currencies against
the dollar. An *instrument* is quoted: the 38 FX crosses are differences of two currencies, and the
Tokyo contracts are quoted in yen.
"""

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.market.instruments import MARKETS, InstrumentSeries, column_name

TOKYO, NEW_YORK = "JPX", "US"
SPLIT_STOCK, DIVIDEND_STOCK, CORRECTED_METAL = "US_Stock_COP", "US_Stock_RSP", "LME_AH"
"""Instruments whose past a rehearsal revises: by a split, a dividend and a correction."""
FACTORS = ("world", "us", "london", "tokyo", "dollar", "rates", "oil", "gold", "emerging")

# Share of an asset's daily volatility that comes from each factor; the rest is its own.
_EXPOSURES = {
    "broad": {"world": 0.85, "us": 0.35},
    "emerging": {"world": 0.60, "emerging": 0.60, "dollar": 0.20},
    "financial": {"world": 0.60, "us": 0.45},
    "energy": {"world": 0.40, "us": 0.20, "oil": 0.65},
    "mining": {"world": 0.45, "us": 0.20, "london": 0.40, "emerging": 0.20},
    "precious": {"world": 0.15, "gold": 0.75, "dollar": 0.15},
    "bullion": {"gold": 0.95, "dollar": 0.20, "rates": 0.15},
    "bond": {"rates": 0.92, "world": -0.10},
    "credit": {"rates": 0.40, "world": 0.60, "emerging": 0.15},
    "metal": {"london": 0.60, "world": 0.25, "dollar": 0.20, "emerging": 0.15},
    "tokyo_gold": {"gold": 0.92, "tokyo": 0.30, "dollar": 0.15},
    "tokyo_platinum": {"gold": 0.60, "tokyo": 0.40, "london": 0.25},
    "tokyo_rubber": {"tokyo": 0.30, "oil": 0.25, "emerging": 0.20},
    "europe": {"dollar": 0.80, "world": 0.10},
    "haven": {"dollar": 0.60, "world": -0.30, "rates": 0.25},
    "antipodes": {"dollar": 0.70, "world": 0.35, "london": 0.15},
    "petro": {"dollar": 0.65, "world": 0.25, "oil": 0.25},
    "rand": {"dollar": 0.45, "world": 0.30, "emerging": 0.40},
}

# Name and daily volatility in basis points, by kind.
_US = {
    "broad": "ACWI 104 EFA 120 EWJ 111 RSP 102 SPYV 94 VEA 120 VGK 140 VT 105 VTV 94 VXUS 111"
    " VYM 83 XLB 125",
    "emerging": "EEM 137 EWT 124 EWY 145 EWZ 197 FXI 152 IEMG 109 VWO 134 YINN 435",
    "financial": "AMP 185 BCS 263 CAT 168 DE 154 MS 220 RY 125 TD 118",
    "energy": "BKR 184 BP 168 COP 168 CVE 223 CVX 133 DVN 227 ENB 141 EOG 204 HAL 216 HES 216"
    " KMI 181 MPC 225 OIH 185 OKE 200 OXY 165 SHEL 142 SLB 172 TRGP 265 WMB 250 XLE 138 XOM 115",
    "mining": "ALB 193 CCJ 229 CLF 340 FCX 313 LYB 211 NUE 168 RIO 232 SCCO 209 STLD 221 TECK 300"
    " URA 207 VALE 294 X 330",
    "precious": "AEM 240 AG 350 FNV 210 GDX 230 GDXJ 280 GOLD 232 HL 320 KGC 290 NEM 215"
    " NUGT 560 PAAS 290 SLV 186 WPM 250",
    "bullion": "GLD 104 IAU 104",
    "bond": "AGG 26 BND 26 BNDX 22 BSV 12 IEF 42 IGSB 14 LQD 42 MBB 24 SHY 8 SPIB 22 SPTL 82"
    " TIP 36 VCIT 32 VCSH 15 VGIT 28 VGLT 82 VGSH 8",
    "credit": "EMB 52 JNK 55",
}
_FX = (
    "AUDJPY AUDUSD CADJPY CHFJPY EURAUD EURGBP EURJPY EURUSD GBPAUD GBPJPY GBPUSD NZDJPY NZDUSD"
    " USDCHF USDJPY ZARJPY ZARUSD NOKUSD NOKEUR CADUSD AUDNZD EURCHF EURCAD AUDCAD GBPCHF EURNZD"
    " AUDCHF GBPNZD GBPCAD CADCHF NZDCAD NZDCHF ZAREUR NOKGBP NOKCHF ZARCHF NOKJPY ZARGBP"
)
_FX_CROSSES = _FX.split()
# Name, kind, volatility in basis points, first price (dollars; yen for Tokyo). The yen's own
# volatility comes on top of a Tokyo contract's.
_OTHERS = [
    ("LME_AH", "metal", 130, 2000.0),
    ("LME_CA", "metal", 130, 7900.0),
    ("LME_PB", "metal", 135, 2000.0),
    ("LME_ZS", "metal", 145, 2780.0),
    ("JPX_Gold_Mini_Futures", "tokyo_gold", 95, 6330.0),
    ("JPX_Gold_Rolling-Spot_Futures", "tokyo_gold", 92, 6350.0),
    ("JPX_Gold_Standard_Futures", "tokyo_gold", 95, 6328.0),
    ("JPX_Platinum_Mini_Futures", "tokyo_platinum", 145, 3575.0),
    ("JPX_Platinum_Standard_Futures", "tokyo_platinum", 145, 3570.0),
    ("JPX_RSS3_Rubber_Futures", "tokyo_rubber", 165, 240.0),
]
_CURRENCIES = [
    ("AUD", "antipodes", 64, 0.770),
    ("CAD", "petro", 47, 0.786),
    ("CHF", "haven", 52, 1.130),
    ("EUR", "europe", 48, 1.225),
    ("GBP", "europe", 54, 1.365),
    ("JPY", "haven", 55, 0.0097),
    ("NOK", "petro", 66, 0.1175),
    ("NZD", "antipodes", 65, 0.720),
    ("ZAR", "rand", 92, 0.0680),
]
_WITHOUT_SETTLEMENT = ("JPX_Gold_Standard_Futures", "JPX_Platinum_Standard_Futures")
_LAYOUT = (
    ("LME", ("close",)),
    ("JPX", ("open", "high", "low", "close", "volume", "settlement", "open_interest")),
    ("US", ("open", "high", "low", "close", "volume")),
    ("FX", ("close",)),
)


def _us_stocks() -> list[tuple[str, str, int, float]]:
    stocks = []
    for kind, text in _US.items():
        words = text.split()
        stocks += [
            (f"US_Stock_{ticker}", kind, int(volatility), np.nan)
            for ticker, volatility in zip(words[::2], words[1::2], strict=True)
        ]
    return sorted(stocks)


_ASSETS = [*_OTHERS, *_us_stocks(), *_CURRENCIES]
_CURRENCY_COLUMN = {row[0]: i for i, row in enumerate(_ASSETS)}
_QUOTED = len(_ASSETS) - len(_CURRENCIES)

INSTRUMENTS = (*(row[0] for row in _ASSETS[:_QUOTED]), *(f"FX_{cross}" for cross in _FX_CROSSES))
MARKET_OF: IntArray = np.array([MARKETS.index(name.split("_")[0]) for name in INSTRUMENTS])
ASSET_MARKET: IntArray = np.append(
    MARKET_OF[:_QUOTED], np.full(len(_CURRENCIES), MARKETS.index("FX"))
)
VOLATILITY: FloatArray = np.array([row[2] for row in _ASSETS]) / 1e4
FIRST_PRICE: FloatArray = np.array([row[3] for row in _ASSETS])
"""Dollars (yen for Tokyo); NaN for US stocks, whose first price is drawn."""

EXPOSURE: FloatArray = np.array(
    [[_EXPOSURES[row[1]].get(factor, 0.0) for row in _ASSETS] for factor in FACTORS]
)
"""(factors, assets) share of the asset's volatility that comes from each factor."""

OWN_SHARE: FloatArray = np.sqrt(1.0 - (EXPOSURE**2).sum(axis=0))


def of_market(market: str) -> BoolArray:
    """(instruments,) mask of the instruments of a market."""
    return np.equal(MARKET_OF, MARKETS.index(market))


def series_columns() -> tuple[str, ...]:
    """Return the columns of the 557 series in the competition's order."""
    return tuple(
        column_name(InstrumentSeries(instrument, field))
        for market, fields in _LAYOUT
        for field in fields
        for instrument in np.array(INSTRUMENTS)[of_market(market)].tolist()
        if not (field == "settlement" and instrument in _WITHOUT_SETTLEMENT)
    )


def quoted_moves(of_assets: FloatArray) -> FloatArray:
    """Compute (..., instruments) log moves of the quoted prices from (..., assets) log moves.

    The map is linear, so it applies to expected moves as well as to realised moves.
    """
    crosses = [
        [_CURRENCY_COLUMN.get(cross[part], -1) for cross in _FX_CROSSES]
        for part in (slice(0, 3), slice(3, 6))
    ]
    # The dollar is the last column, of zeros, hence the -1 above.
    against_dollar = np.concatenate([of_assets, np.zeros_like(of_assets[..., :1])], axis=-1)
    quoted = of_assets[..., :_QUOTED].copy()
    tokyo = of_market("JPX")[:_QUOTED]
    quoted[..., tokyo] -= of_assets[..., _CURRENCY_COLUMN["JPY"], None]
    fx = against_dollar[..., crosses[0]] - against_dollar[..., crosses[1]]
    return np.concatenate([quoted, fx], axis=-1)


def first_log_price(stock_prices: FloatArray) -> FloatArray:
    """Compute the (instruments,) logs of the first prices.

    Args:
        stock_prices: first prices of the US stocks in dollars.
    """
    prices = FIRST_PRICE.copy()
    prices[np.isnan(prices)] = stock_prices
    quoted = quoted_moves(np.log(prices))
    quoted[:_QUOTED] = np.log(prices[:_QUOTED])
    return quoted
