"""A load from scratch of prices, labels and features, with which a revised lake has to agree."""

import shutil
from pathlib import Path

from quant_assets.commands.running import run_job_over
from quant_assets.core.settings import store_market
from quant_assets.lake.schemas.tables import (
    FEATURES,
    LABELS,
    RAW_PRICES,
    RAW_TARGET_PAIRS,
    VALIDATED_PRICES,
    VALIDATED_QUARANTINE,
)
from quant_assets.sources.registry import open_source
from quant_assets_tests.support.installation import Digests, Installation, digests

FROM_PRICES = (RAW_PRICES, VALIDATED_PRICES, VALIDATED_QUARANTINE, LABELS, *FEATURES)
"""Tables that hold what follows from the source's prices alone."""


def digest_scratch_load(installation: Installation, root: Path) -> Digests:
    """Load what an installation's source gives now into another root, and digest it.

    Args:
        installation: its market folder is copied.
        root: an empty directory.
    """
    shutil.copytree(installation.folder, root / "market")
    scratch = Installation(root)
    source = open_source(scratch.settings)
    store_market(scratch.settings)
    days = source.first_day, source.last_day
    only = [RAW_TARGET_PAIRS.name, *(table.name for table in FROM_PRICES)]
    run_job_over(scratch.settings, source, "load_history", *days, only=only)
    return digests(scratch.settings, FROM_PRICES)


def find_deviations(installation: Installation, root: Path) -> list[tuple[str, str]]:
    """List table and day of what is stored otherwise than by a load from scratch."""
    stored = digests(installation.settings, FROM_PRICES)
    scratch = digest_scratch_load(installation, root)
    keys = stored.keys() | scratch.keys()
    return sorted(key for key in keys if stored.get(key) != scratch.get(key))
