"""Releases of a small market, made by real runs and promoted by hand."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.commands.loading import run_range
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.store.changes import execute
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.promotion.manual_decisions import ManualDecision, decide_manually
from quant_assets.promotion.release_store import read_releases
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.installation import Installation, copy_changed
from quant_assets_tests.support.prepared import copy_prepared
from quant_assets_tests.support.small_market import FIRST_DAY, LAST_DAY

DAYS: list[date] = trading_days(FIRST_DAY, LAST_DAY).tolist()
TARGETS = [f"target_{i}" for i in range(424)]
FIRST_RELEASE = len(DAYS) - 15
"""Row of the day on which the first release is made."""
SECOND = FIRST_RELEASE + 2
SHARED = FIRST_RELEASE + 4
LAST = FIRST_RELEASE + 9


def refresh(installation: Installation, first: int, last: int) -> None:
    run_range(installation.settings, "refresh_daily", DAYS[first], DAYS[last])


def retrain(installation: Installation, row: int) -> None:
    run_range(installation.settings, "retrain_models", DAYS[row], DAYS[row])


def evening_of(installation: Installation, row: int) -> None:
    """Delete the submitted forecasts after a day, also the live one."""
    delete = f"DELETE FROM {SUBMITTED_FORECASTS.quoted} WHERE trading_day > ?"
    with Lake(installation.settings.lake_dir) as lake:
        lake.change(execute(SUBMITTED_FORECASTS, delete, [DAYS[row]]))


def rows(installation: Installation, sql: str, values: Sequence[object] = ()) -> pd.DataFrame:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return lake.query(sql, values)


def names(installation: Installation) -> list[str]:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return [release.name for release in read_releases(lake)]


def decide(installation: Installation, **wish: object) -> None:
    with Lake(installation.settings.lake_dir) as lake:
        request = ManualDecision(made_by="tester", **wish)  # type: ignore[arg-type]
        decide_manually(lake, installation.settings, LONDON_AND_TOKYO, request)


def scores(installation: Installation, table: str, day: date, release: str = "") -> np.ndarray:
    of_release = "AND release = ?" if release else ""
    values = rows(
        installation,
        f"SELECT target, value FROM {table} WHERE trading_day = ? {of_release}",
        [day, *([release] if release else [])],
    )
    return values.set_index("target")["value"].reindex(TARGETS).to_numpy()


def register_two_releases(installation: Installation) -> None:
    """A champion by default, and a release that the gates refused."""
    evening_of(installation, FIRST_RELEASE)
    retrain(installation, FIRST_RELEASE)
    refresh(installation, FIRST_RELEASE + 1, SECOND)
    retrain(installation, SECOND)
    refresh(installation, SECOND + 1, SECOND + 1)


def copy_two_releases(root: Path) -> Installation:
    """Copy a loaded market with a champion by default, and a release that the gates refused."""
    return copy_changed("two-releases", register_two_releases, root)


def copy_promoted(root: Path) -> Installation:
    """Copy two releases some days after the second, which gates refused, was promoted by hand."""

    def make(folder: Path) -> None:
        installation = copy_two_releases(folder)
        second = names(installation)[1]
        decide(installation, action="promote", release=second, share=0.1, reason="a trial")
        refresh(installation, SHARED, LAST)

    copy_prepared("promoted", make, root)
    return Installation(root).here()
