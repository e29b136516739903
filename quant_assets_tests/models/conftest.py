"""What the small market's history shows, and fits on it."""

import pytest

from quant_assets.models.protocol import Observations
from quant_assets_tests.support import synthetic


@pytest.fixture(scope="session")
def observations() -> Observations:
    """All days of the small market."""
    return synthetic.observe(synthetic.prices())
