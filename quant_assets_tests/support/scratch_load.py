"""A load from scratch of prices, labels and features, with which a revised lake has to agree."""

import shutil
from dataclasses import replace
from pathlib import Path

from quant_assets.core.settings import store_market
from quant_assets.lake.store.lake import Lake
from quant_assets.simulation.history_checks import (
    Difference,
    compare_histories,
    load_history_tables,
)
from quant_assets_tests.support.installation import Installation


def find_deviations(installation: Installation, root: Path) -> list[Difference]:
    """List what is stored otherwise than by a load from scratch of what the source gives now.

    Args:
        installation: its market folder is copied.
        root: an empty directory.
    """
    shutil.copytree(installation.folder, root / "market")
    scratch = replace(installation, root=root, market=None)
    store_market(scratch.settings)
    load_history_tables(scratch.settings)
    with (
        Lake(installation.settings.lake_dir, read_only=True) as stored,
        Lake(scratch.settings.lake_dir, read_only=True) as loaded,
    ):
        return list(compare_histories(stored, loaded))
