"""What models see of features from bars: a usable scale of each column, and differences of legs.

The features belong in ``bars``. Nothing here looks at another day.
"""

import hashlib
from collections.abc import Mapping
from functools import cache

import numpy as np

from quant_assets.core.code_digest import digest_code
from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import FloatArray
from quant_assets.features.bar_catalogue import (
    BAR_CATALOGUE,
    BAR_CATALOGUE_VERSION,
    BarFeature,
)
from quant_assets.features.catalogue import Feature
from quant_assets.features.kernels import positive_log

_GROUP = "bars"
_OUTSIDE = ("quant_assets.features.bar_catalogue.BAR_CATALOGUE",)
_SHOWN = {"log": "log of ", "rank": "rank among the day's instruments, from -1 to 1, of "}


def list_bar_inputs() -> tuple[Feature, ...]:
    """List what models see of bars: inputs of targets, such as ``diff_log_realised_variance``."""
    return tuple(_describe_input(feature) for feature in BAR_CATALOGUE)


def _describe_input(feature: BarFeature) -> Feature:
    name = _name_input(feature)
    shown = f"the {_SHOWN[feature.transform]}{feature.name}" if name != feature.name else name
    formula = f"x(A) - x(B), x is {shown}"
    return Feature(f"diff_{name}", "target", _GROUP, formula, feature.window, ())


def _name_input(feature: BarFeature) -> str:
    return feature.name if feature.transform == "none" else f"{feature.transform}_{feature.name}"


def bar_inputs(features: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Transform features from bars as the catalogue says, so that days and instruments compare.

    Variances become logs. Spreads and price impacts become ranks among the instruments of the day,
    between -1 and 1. Returns and shares stay. Row t depends on row t only, so it is known at the
    close of day t, as the features are. Returns arrays of shape (n, k) by name, such as
    ``log_realised_variance`` and ``rank_amihud``, in the catalogue's order; NaN where a feature has
    no value, or a variance is zero.

    Args:
        features: (n, k) values of ``features.bars`` by name: n days of all k instruments.

    Raises:
        KeyError: a feature of the catalogue is missing.

    Examples:
        >>> values = {feature.name: np.array([[1.0, 2.0]]) for feature in BAR_CATALOGUE}
        >>> inputs = bar_inputs(values)
        >>> inputs["log_realised_variance"], inputs["rank_amihud"], inputs["jump_share"]
        (array([[0.        , 0.69314718]]), array([[-0.5,  0.5]]), array([[1., 2.]]))
    """
    inputs = {}
    for feature in BAR_CATALOGUE:
        values = np.asarray(features[feature.name])
        if feature.transform == "log":
            values = positive_log(values)
        elif feature.transform == "rank":
            values = standardised_ranks(values)
        inputs[_name_input(feature)] = values
    return inputs


@cache
def digest_bar_inputs() -> str:
    """Return what bars add to the version of inputs: ``+`` and a digest of names and code."""
    names = [feature.name for feature in list_bar_inputs()]
    parts = [*names, BAR_CATALOGUE_VERSION, digest_code(bar_inputs, outside=_OUTSIDE)]
    return f"+{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:8]}"
