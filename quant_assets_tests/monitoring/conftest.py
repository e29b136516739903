"""Lakes with features and forecasts of the small market: one as it is, one changed after a day."""

from collections.abc import Iterator

import pytest

from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.monitored_lake import ALTERED_AFTER, ENERGY, fill, fill_renamed


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with fill(tmp_path_factory.mktemp("watched"), synthetic.prices()) as lake:
        yield lake


@pytest.fixture(scope="session")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake in which every price after a day differs."""
    prices = synthetic.altered_after(synthetic.prices(), ALTERED_AFTER)
    with fill(tmp_path_factory.mktemp("altered"), prices, ALTERED_AFTER) as lake:
        yield lake


@pytest.fixture(scope="session")
def energy(watched: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """The watched lake with groups and instruments that are named otherwise."""

    def group_of(instrument: str) -> str:
        return ENERGY[instrument.partition("_")[0]]

    with fill_renamed(tmp_path_factory.mktemp("energy"), watched, group_of) as lake:
        yield lake


@pytest.fixture(scope="session")
def ungrouped(watched: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """The watched lake as a market without groups."""
    with fill_renamed(tmp_path_factory.mktemp("ungrouped"), watched, lambda _: "all") as lake:
        yield lake
