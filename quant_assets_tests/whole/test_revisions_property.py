"""Whatever a vendor changes, and whatever is run in whatever order, the lake ends with the truth.

Two statements hold after every sequence of deliveries, revisions and runs: prices, labels and
features are those of a load from scratch, and what was submitted live stays as it was, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quant_assets.commands.loading import load_everything, run_range
from quant_assets.commands.revising import run_revision
from quant_assets.core.errors import QuantAssetsError
from quant_assets.lake.schemas.forecast_tables import INTERVALS, SUBMISSIONS
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.schemas.table import LIVE, Table
from quant_assets.lake.store.lake import Lake
from quant_assets.revisions.comparison import compare_with_source
from quant_assets.simulation.history_checks import compare_histories, load_history_tables
from quant_assets.sources.registry import open_source
from quant_assets_tests.support.revised_vendor import (
    DAYS,
    INSTRUMENTS,
    RevisedInstallation,
    RevisedVendor,
    copy_loaded_vendor,
)

KEPT: Sequence[Table] = (SUBMISSIONS, SUBMITTED_FORECASTS, INTERVALS)
Step = tuple[str, Any]

_instruments = st.integers(0, len(INSTRUMENTS) - 1)
_back = st.integers(0, 30)
_factors = st.sampled_from([0.5, 0.996, 3.0])
VENDOR_STEPS = st.one_of(
    st.tuples(st.just("deliver"), st.integers(1, 2)),
    st.tuples(st.just("leave_out"), st.just(1)),
    st.tuples(st.just("fill_hole"), st.integers(0, 2)),
    st.tuples(st.just("withdraw"), st.integers(0, 3)),
    st.tuples(st.just("restate"), st.tuples(_instruments, _factors, _back)),
    st.tuples(st.just("correct"), st.tuples(_instruments, st.sampled_from([1.01, np.nan]), _back)),
    st.tuples(st.just("renumber"), _back),
    st.tuples(st.just("spoil"), st.integers(0, 3)),
    st.tuples(st.just("empty"), st.integers(0, 2)),
    st.tuples(st.just("half_write"), st.just(0)),
    st.tuples(st.just("repair"), st.just(0)),
)
RUNS = st.one_of(
    st.tuples(st.just("refresh"), st.integers(0, 3)),
    st.tuples(st.just("backfill"), st.tuples(st.integers(0, 6), st.integers(0, 3))),
    st.tuples(st.just("load"), st.booleans()),
    st.tuples(st.just("revise"), st.just(0)),
)
ENDS = st.sampled_from(["load", "revise"])


@dataclass
class World:
    """A vendor, a data directory, and the live rows that it has had so far."""

    installation: RevisedInstallation
    vendor: RevisedVendor
    live: dict[tuple[str, date], pa.Table] = field(default_factory=dict)

    def deliver(self, days: int) -> None:
        following = np.arange(len(DAYS)) > self._newest()
        self.vendor.visible[np.flatnonzero(following)[:days]] = True

    def leave_out(self, days: int) -> None:
        following = np.arange(len(DAYS)) > self._newest() + days
        self.vendor.visible[np.flatnonzero(following)[:1]] = True

    def fill_hole(self, number: int) -> None:
        holes = np.flatnonzero(~self.vendor.visible[: self._newest()])
        self.vendor.visible[holes[number : number + 1]] = True

    def withdraw(self, back: int) -> None:
        self.vendor.visible[self._row(back)] = False

    def restate(self, change: tuple[int, float, int]) -> None:
        instrument, factor, back = change
        self.vendor.adjust(instrument, factor, self._row(back))

    def correct(self, change: tuple[int, float, int]) -> None:
        instrument, factor, back = change
        self.vendor.correct(self._row(back), instrument, factor)

    def renumber(self, back: int) -> None:
        self.vendor.renumbered_from = self._row(back)

    def spoil(self, back: int) -> None:
        self.vendor.spoiled.add(self._row(back))

    def empty(self, back: int) -> None:
        self.vendor.emptied.add(self._row(back))

    def half_write(self, _: int) -> None:
        self.vendor.half_written = True

    def repair(self, _: int) -> None:
        self.vendor.repair()

    def refresh(self, back: int) -> None:
        self._run_job("refresh_daily", back, back)

    def backfill(self, days: tuple[int, int]) -> None:
        back, length = days
        self._run_job("load_history", back, max(0, back - length))

    def load(self, force: bool) -> None:
        load_everything(self.installation.settings, force=force)

    def revise(self, _: int) -> None:
        run_revision(self.installation.settings)

    def catch_up(self) -> None:
        """Refresh the days after the newest submission, as the sensor requests them."""
        with Lake(self.installation.settings.lake_dir, read_only=True) as lake:
            newest = lake.columns(f"SELECT max(trading_day) AS day FROM {SUBMISSIONS.quoted}")
        for day in DAYS[self.vendor.visible]:
            if day > newest["day"][0]:
                run_range(self.installation.settings, "refresh_daily", day.item(), day.item())

    def take(self, step: Step) -> None:
        """Take a step; a run may be refused, but leaves what was submitted as it was."""
        name, argument = step
        try:
            getattr(self, name)(argument)
        except QuantAssetsError:
            assert name in ("refresh", "backfill", "load", "revise"), step
        self.vendor.write()
        self.check_live()

    def check_live(self) -> None:
        """Assert that the live rows are still what they were, and remember new ones."""
        with Lake(self.installation.settings.lake_dir, read_only=True) as lake:
            stored = dict(_read_live(lake))
        for key, rows in self.live.items():
            assert rows.equals(stored.get(key)), f"the live rows of {key} have changed"
        self.live |= stored

    def _run_job(self, job: str, first_back: int, last_back: int) -> None:
        days = [DAYS[self._row(back)].item() for back in (first_back, last_back)]
        run_range(self.installation.settings, job, *days)

    def _newest(self) -> int:
        return int(np.flatnonzero(self.vendor.visible)[-1])

    def _row(self, back: int) -> int:
        """The row of the vendor's day that lies some shown days back."""
        return int(np.flatnonzero(self.vendor.visible)[-1 - back])


def _read_live(lake: Lake) -> "Sequence[tuple[tuple[str, date], pa.Table]]":
    found = []
    for table in KEPT:
        rows = lake.arrow(f"FROM {table.quoted} WHERE origin = '{LIVE}' ORDER BY ALL", needs=table)
        for day in rows["trading_day"].unique().to_pylist():
            own = rows.filter(pa.compute.equal(rows["trading_day"], day))
            found.append(((table.name, day), own.combine_chunks()))
    return found


def take_steps(root: Path, steps: Sequence[Step], end: str) -> None:
    """Take the steps, let the platform catch up, and check both statements."""
    world = World(*copy_loaded_vendor(root))
    world.check_live()
    for step in steps:
        world.take(step)
    world.repair(0)
    world.vendor.write()
    if end == "load":
        world.load(force=False)
    else:
        world.revise(0)
        world.catch_up()
    world.check_live()
    scratch = world.installation.settings_of(root / "scratch")
    load_history_tables(scratch)
    with (
        Lake(world.installation.settings.lake_dir, read_only=True) as lake,
        Lake(scratch.lake_dir, read_only=True) as final,
    ):
        assert [str(one) for one in compare_histories(lake, final)] == []
        # The stored digests say so as well, so that the next run finds nothing to do.
        comparison = compare_with_source(lake, open_source(world.installation.settings))
        assert (comparison.revisions, comparison.outdated) == ((), None)


STEPS = st.lists(st.one_of(VENDOR_STEPS, RUNS), min_size=1, max_size=6)
GENERATE = settings(
    deadline=None,
    # A sequence takes seconds: shrinking a failure would take an hour.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        ([("leave_out", 1), ("refresh", 0), ("fill_hole", 0), ("correct", (4, 1.01, 9))], "revise"),
        ([("withdraw", 0), ("restate", (6, 0.5, 0)), ("revise", 0), ("deliver", 1)], "load"),
    ],
    ids=["inserted and corrected", "withdrawn and restated"],
)
def test_a_sequence_ends_with_the_truth(tmp_path: Path, steps: Sequence[Step], end: str) -> None:
    take_steps(tmp_path, steps, end)


@pytest.mark.slow("twelve sequences of runs, each compared with a load from scratch", seconds=300)
@settings(GENERATE, max_examples=8)
@given(steps=STEPS, end=ENDS)
def test_any_sequence_ends_with_the_truth(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[Step], end: str
) -> None:
    take_steps(tmp_path_factory.mktemp("world"), steps, end)
