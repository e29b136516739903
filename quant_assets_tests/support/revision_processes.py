"""Processes that revise a lake's history, and processes that look at it meanwhile.

The source alternates between two states, so that each stored day is known to be of one of them.
"""

import multiprocessing
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from typing import Any

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.revision_tables import OUTDATED
from quant_assets.lake.schemas.table import LIVE
from quant_assets.lake.store.lake import Lake
from quant_assets.simulation.history_checks import HISTORY
from quant_assets_tests.support.installation import Digests, select_digests

History = Mapping[tuple[str, str], str]
_PAUSE = 1.0


def process_context() -> ForkServerContext:
    """Return a context whose processes share a single import of the platform."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["quant_assets.simulation.preload", __name__])
    return context


def digest_history(lake: Lake) -> Digests:
    """Digest every day of every table that follows from the source alone."""
    rows = lake.query(select_digests(tuple(HISTORY)))
    keys = zip(rows["name"], rows["day"], strict=True)
    return dict(zip(keys, rows["digest"].astype(str), strict=True))


def digest_live(lake: Lake) -> str:
    """Digest all live submissions."""
    rows = lake.query(
        f"SELECT sum(hash(s)::HUGEINT)::VARCHAR AS digest FROM {SUBMISSIONS.quoted} s"
        f" WHERE origin = '{LIVE}'"
    )
    return str(rows["digest"][0])


def check_whole(lake: Lake, states: Sequence[History], live: str) -> int:
    """Assert that a snapshot holds nothing half; return which state its prices are in.

    Prices are wholly of one state. So is everything computed from them, unless the lake says that
    a revision has not come to its end; then each day of each table is.
    """
    with lake.at_once():
        stored = digest_history(lake)
        unfinished = lake.has(OUTDATED) and len(lake.query(f"FROM {OUTDATED.quoted}"))
        assert digest_live(lake) == live
    assert stored.keys() == states[0].keys()
    of_prices = [key for key in stored if key[0] == RAW_PRICES.name]
    state = next(
        (i for i, state in enumerate(states) if all(stored[k] == state[k] for k in of_prices)), -1
    )
    assert state >= 0, "prices are partly of one state and partly of the other"
    for key, digest in stored.items():
        allowed = {of_state[key] for of_state in states} if unfinished else {states[state][key]}
        assert digest in allowed, key
    return state


def revise(settings: Settings) -> None:
    """Revise the history of a data directory."""
    from quant_assets.commands.revising import run_revision

    run_revision(settings)


def watch_until(settings: Settings, states: Sequence[History], live: str, done: Any) -> None:
    """Look at snapshot after snapshot until the other processes are done."""
    with Lake(settings.lake_dir, read_only=True) as lake:
        while not done.wait(_PAUSE):
            check_whole(lake, states, live)
