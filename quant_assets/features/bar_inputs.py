"""What models should see of features from bars: a usable scale of each column.

The features belong in ``bars``. Nothing here looks at another day.
"""

from collections.abc import Mapping

import numpy as np

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import FloatArray
from quant_assets.features.bar_catalogue import BAR_CATALOGUE
from quant_assets.features.kernels import positive_log


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
            inputs[f"log_{feature.name}"] = positive_log(values)
        elif feature.transform == "rank":
            inputs[f"rank_{feature.name}"] = standardised_ranks(values)
        else:
            inputs[feature.name] = values
    return inputs
