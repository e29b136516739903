"""Layer features: what is known at each close, and the labels released on it."""

from collections.abc import Iterator

import dagster as dg
import numpy as np

from quant_assets.assets.partitions import SINGLE_RUN, day_range
from quant_assets.assets.results import (
    check_spec,
    described,
    frame,
    key_of,
    result,
    suite_outcome,
    suite_spec,
)
from quant_assets.features.catalogue import CATALOGUE_VERSION, LOOKBACK, left_out
from quant_assets.features.cross_market import market_features
from quant_assets.features.instruments import instrument_features
from quant_assets.features.rows import instrument_rows, label_rows, market_rows, target_rows
from quant_assets.features.spreads import target_features
from quant_assets.lake.lake import Lake
from quant_assets.lake.point_in_time import released
from quant_assets.lake.prices import history_start, read_pairs, read_panel
from quant_assets.lake.tables import (
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    RAW_TARGET_PAIRS,
    TARGET_FEATURES,
    VALIDATED_PRICES,
)
from quant_assets.market.targets import MAX_LAG, released_labels
from quant_assets.quality.suites import TARGET_FEATURES_SUITE
from quant_assets.sources.base import Source
