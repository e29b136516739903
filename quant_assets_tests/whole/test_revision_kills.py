"""Processes killed while they revise history, and others that look at it: nothing half, nothing
lost."""

import time
from pathlib import Path
from random import Random

import pytest

from quant_assets.lake.schemas.revision_tables import REVISIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.simulation.history_checks import load_history_tables
from quant_assets_tests.support.lake_processes import running
from quant_assets_tests.support.revised_vendor import (
    RevisedInstallation,
    RevisedVendor,
    copy_loaded_vendor,
)
from quant_assets_tests.support.revision_processes import (
    History,
    check_whole,
    digest_history,
    digest_live,
    process_context,
    revise,
    watch_until,
)

KILLS, READERS = 30, 10
PATIENCE = 300
_INSTRUMENT, _FIRST_ROW = 6, 20


def write_state(vendor: RevisedVendor, state: int) -> None:
    """Write the files with a price corrected, or as it was before."""
    values = vendor.values.copy()
    if state:
        vendor.correct(_FIRST_ROW, _INSTRUMENT, 1.01)
        vendor.adjust(_INSTRUMENT + 1, 0.996, _FIRST_ROW + 30)
    vendor.write()
    vendor.values = values


def load_state(installation: RevisedInstallation, vendor: RevisedVendor, state: int) -> History:
    """Load the files of a state from scratch, and digest what follows from them."""
    write_state(vendor, state)
    settings = installation.settings_of(installation.root / f"state-{state}")
    load_history_tables(settings)
    with Lake(settings.lake_dir, read_only=True) as lake:
        return digest_history(lake)


@pytest.mark.slow("thirty processes killed while they revise, watched by ten", seconds=400)
def test_kills_at_any_moment_of_a_revision_leave_nothing_half_and_lose_nothing(
    tmp_path: Path,
) -> None:
    moments, context = Random(4), process_context()
    installation, vendor = copy_loaded_vendor(tmp_path)
    settings = installation.settings
    states = [load_state(installation, vendor, state) for state in (0, 1)]
    write_state(vendor, 0)
    with Lake(settings.lake_dir, read_only=True) as lake:
        live, done = digest_live(lake), context.Event()
        assert check_whole(lake, states, live) == 0
        readers = [
            context.Process(target=watch_until, args=(settings, states, live, done))
            for _ in range(READERS)
        ]
        with running(*readers):
            longest = revise_to_the_end(installation, vendor, 1)
            state, changes = 1, 1
            for _ in range(KILLS):
                write_state(vendor, 1 - state)
                child = context.Process(target=revise, args=(settings,))
                with running(child):
                    child.join(moments.uniform(0, longest))
                before, state = state, check_whole(lake, states, live)
                changes += before != state
            revise_to_the_end(installation, vendor, 1 - state)
            done.set()
            for reader in readers:
                reader.join(PATIENCE)
            assert [reader.exitcode for reader in readers] == [0] * READERS
        assert check_whole(lake, states, live) == 1 - state
        assert digest_history(lake) == states[1 - state]
        known = lake.query(f"SELECT count(DISTINCT known_at) AS n FROM {REVISIONS.quoted}")
        assert known["n"][0] == changes + 1
    assert changes > KILLS / 5


def revise_to_the_end(
    installation: RevisedInstallation, vendor: RevisedVendor, state: int
) -> float:
    """Let a process revise the history to a state; return the seconds that it took."""
    write_state(vendor, state)
    child = process_context().Process(target=revise, args=(installation.settings,))
    begun = time.perf_counter()
    with running(child):
        child.join(PATIENCE)
        assert child.exitcode == 0
    return time.perf_counter() - begun
