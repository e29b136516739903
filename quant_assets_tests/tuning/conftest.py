"""What the small market's history shows."""

import pytest

from quant_assets.models.base import Observations
from quant_assets_tests.market import world


@pytest.fixture(scope="session")
def seen() -> Observations:
    """All days of the small market."""
    return world.observe(world.prices())
