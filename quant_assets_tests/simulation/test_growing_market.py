"""The market around a rehearsed installation: what is in the folder at which moment."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.simulation.growing_market import GrowingMarket
from quant_assets.simulation.scenario import (
    BREAK,
    CLOSED,
    CORRUPT,
    DRIFTING,
    LATE,
    WORSE,
    PlannedFault,
    build_scenario,
)
from quant_assets.sources.competition.folder import CompetitionFolder

FIRST, BEGIN, DAYS = date(2022, 9, 1), date(2022, 12, 19), 30


def world(folder: Path, *faults: PlannedFault) -> GrowingMarket:
    return GrowingMarket(folder, FIRST, BEGIN, DAYS, faults, slim=True)


def begun(folder: Path, *faults: PlannedFault) -> GrowingMarket:
    made = world(folder, *faults)
    made.found()
    return made


def lines(made: GrowingMarket, now: datetime) -> Sequence[str]:
    made.deliver(now)
    return (made.folder / "train.csv").read_text().splitlines()


def test_a_day_is_there_in_its_evening_and_not_before(tmp_path: Path) -> None:
    made = begun(tmp_path)
    evening = made.due_at(4)
    before, after = lines(made, evening - timedelta(minutes=1)), lines(made, evening)
    assert len(after) == len(before) + 1 == 1 + made.history + 5
    assert after[: len(before)] == before
    source = CompetitionFolder(tmp_path, FIRST)
    assert source.last_day == made.day(4)
    assert source.prices(made.day(4), made.day(4)).days.tolist() == [made.day(4)]


def test_what_comes_later_says_nothing_of_what_was_there(tmp_path: Path) -> None:
    made = begun(tmp_path, *build_scenario(40))
    earlier = lines(made, made.due_at(20))
    assert lines(made, made.due_at(DAYS - 1))[: len(earlier)] == earlier


def test_a_late_day_comes_with_the_next(tmp_path: Path) -> None:
    made = begun(tmp_path, PlannedFault(LATE, 3, 3))
    assert len(lines(made, made.due_at(3))) == 1 + made.history + 3
    assert len(lines(made, made.due_at(4))) == 1 + made.history + 5


def test_a_corrupt_file_is_refused_until_it_is_put_right(tmp_path: Path) -> None:
    made = begun(tmp_path, PlannedFault(CORRUPT, 3, 3))
    source = CompetitionFolder(tmp_path, FIRST)
    made.deliver(made.due_at(3) + timedelta(hours=1))
    with pytest.raises(SourceError):
        source.prices(made.day(3), made.day(3))
    made.deliver(datetime.combine(made.day(3) + timedelta(days=1), datetime.min.time(), UTC))
    with pytest.raises(SourceError):
        source.prices(made.day(3), made.day(3))
    made.deliver(made.due_at(3) + timedelta(hours=10))
    assert source.prices(made.day(3), made.day(3)).days.tolist() == [made.day(3)]


@pytest.mark.parametrize("kind", [BREAK, CLOSED, DRIFTING])
def test_a_fault_begins_on_its_day(tmp_path: Path, kind: str) -> None:
    found = {
        name: lines(begun(tmp_path / name, *faults), datetime(2024, 1, 1, tzinfo=UTC))
        for name, faults in (("without", ()), ("with", (PlannedFault(kind, 5, 9),)))
    }
    differ = [a != b for a, b in zip(found["without"], found["with"], strict=True)]
    first = 1 + world(tmp_path).history + 5
    assert not any(differ[:first])
    # On one of them the market may rest anyway.
    assert sum(differ[first : first + 5]) >= 4


def test_a_closed_market_has_no_prices_and_the_others_do(tmp_path: Path) -> None:
    made = begun(tmp_path, PlannedFault(CLOSED, 5, 6))
    made.deliver(made.due_at(8))
    table = CompetitionFolder(tmp_path, FIRST).prices(made.day(4), made.day(7))
    of_tokyo = np.array([name.startswith("JPX_") for name in table.columns])
    assert np.isnan(table.values[1:3, of_tokyo]).all()
    assert not np.isnan(table.values[[0, 3]][:, of_tokyo]).all()
    assert not np.isnan(table.values[1:3, ~of_tokyo]).all(axis=1).any()


@pytest.mark.parametrize("days", [40, 249, 250])
def test_every_fault_has_its_place_in_a_script(days: int) -> None:
    kinds = [fault.kind for fault in build_scenario(days)]
    assert len(kinds) == len(set(kinds)) == 11
    assert all(0 <= fault.first <= fault.last < days for fault in build_scenario(days))


def test_a_short_script_has_what_can_be_over_by_its_end() -> None:
    assert build_scenario(5) == ()
    assert [fault.kind for fault in build_scenario(7)] == ["late source"]
    assert len(build_scenario(27)) == 9
    assert set(build_scenario(38)) - set(build_scenario(36)) == {PlannedFault(WORSE, 33, 33)}
    assert set(build_scenario(40)) - set(build_scenario(38)) == {PlannedFault(BREAK, 24, 30)}
