"""Observations of the small market."""

import pytest

from quant_assets.models.protocol import Observations
from quant_assets_tests.support import synthetic


@pytest.fixture(scope="session")
def observations() -> Observations:
    """Observations of all days of the small market."""
    return synthetic.observe(synthetic.prices())
