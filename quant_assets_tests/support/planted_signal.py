"""A signal that networks must find, and the options of their training."""

import numpy as np

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import AnyArray, FloatArray
from quant_assets.models.neural.training import TrainingOptions

OPTIONS = TrainingOptions(8, 3, 200, 16, 1e-2, 0.1, 1.0)
DAYS, TARGETS = 300, 25


def planted_signal(noise: float = 0.5) -> tuple[AnyArray, FloatArray]:
    """Draw (n, m, 3) inputs, of which the middle input orders the labels, and the labels."""
    random = np.random.default_rng(0)
    x = random.normal(size=(DAYS, TARGETS, 3)).astype(np.float32)
    labels = standardised_ranks(x[..., 1] + noise * random.normal(size=x.shape[:2]))
    labels[random.random(labels.shape) < 0.1] = np.nan
    return x, labels
