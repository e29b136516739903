"""A filled lake that tests may change, and the scope of a page."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.report_tables import fill


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a lake; tests change copies of it, since filling a lake takes seconds."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder).close()
    return folder


@pytest.fixture
def lake(filled: Path, tmp_path: Path) -> Iterator[Lake]:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    with Lake(tmp_path) as opened:
        yield opened
