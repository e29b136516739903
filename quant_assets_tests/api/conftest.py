"""Fixtures of the tests of the prediction API."""

import pytest

from quant_assets_tests.support.installation import Installation


@pytest.fixture(scope="session")
def loaded(loaded: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A copy of the loaded small market, since a server writes its audit into the lake."""
    return loaded.copy(tmp_path_factory.mktemp("api"))
