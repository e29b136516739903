"""The market of a rehearsal: what its files hold at which moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.simulation.scenario import (
    BREAK,
    CLOSED,
    CORRUPT,
    DRIFTING,
    LATE,
    WORSE,
    PlannedIncident,
    build_scenario,
)
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets_tests.support.rehearsed_market import (
    DAYS,
    FIRST,
    create_market,
    plan_market,
    read_lines,
)


def test_a_day_is_delivered_in_its_evening_and_not_before(tmp_path: Path) -> None:
    market = create_market(tmp_path)
    evening = market.due_at(4)
    before, after = read_lines(market, evening - timedelta(minutes=1)), read_lines(market, evening)
    assert len(after) == len(before) + 1 == 1 + market.history + 5
    assert after[: len(before)] == before
    source = CompetitionFolder(tmp_path, FIRST)
    assert source.last_day == market.day(4)
    assert source.prices(market.day(4), market.day(4)).days.tolist() == [market.day(4)]


def test_later_days_do_not_change_earlier_days(tmp_path: Path) -> None:
    market = create_market(tmp_path, *build_scenario(40))
    earlier = read_lines(market, market.due_at(20))
    assert read_lines(market, market.due_at(DAYS - 1))[: len(earlier)] == earlier


def test_a_late_day_is_delivered_with_the_next_day(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(LATE, 3, 3))
    assert len(read_lines(market, market.due_at(3))) == 1 + market.history + 3
    assert len(read_lines(market, market.due_at(4))) == 1 + market.history + 5


def test_a_corrupt_file_is_refused_until_it_is_repaired(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(CORRUPT, 3, 3))
    source = CompetitionFolder(tmp_path, FIRST)
    market.deliver(market.due_at(3) + timedelta(hours=1))
    with pytest.raises(SourceError):
        source.prices(market.day(3), market.day(3))
    market.deliver(datetime.combine(market.day(3) + timedelta(days=1), datetime.min.time(), UTC))
    with pytest.raises(SourceError):
        source.prices(market.day(3), market.day(3))
    market.deliver(market.due_at(3) + timedelta(hours=10))
    assert source.prices(market.day(3), market.day(3)).days.tolist() == [market.day(3)]


@pytest.mark.parametrize("kind", [BREAK, CLOSED, DRIFTING])
def test_an_incident_begins_on_its_day(tmp_path: Path, kind: str) -> None:
    end = datetime(2024, 1, 1, tzinfo=UTC)
    without = read_lines(create_market(tmp_path / "without"), end)
    with_incident = read_lines(create_market(tmp_path / "with", PlannedIncident(kind, 5, 9)), end)
    differ = [a != b for a, b in zip(without, with_incident, strict=True)]
    first = 1 + plan_market(tmp_path).history + 5
    assert not any(differ[:first])
    # On one of the five days the market may be closed without the incident.
    assert sum(differ[first : first + 5]) >= 4


def test_a_closed_market_has_no_prices_and_the_others_do(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(CLOSED, 5, 6))
    market.deliver(market.due_at(8))
    table = CompetitionFolder(tmp_path, FIRST).prices(market.day(4), market.day(7))
    of_tokyo = np.array([name.startswith("JPX_") for name in table.columns])
    assert np.isnan(table.values[1:3, of_tokyo]).all()
    assert not np.isnan(table.values[[0, 3]][:, of_tokyo]).all()
    assert not np.isnan(table.values[1:3, ~of_tokyo]).all(axis=1).any()


@pytest.mark.parametrize("days", [40, 249, 250])
def test_a_scenario_has_every_incident_once_and_within_its_days(days: int) -> None:
    kinds = [incident.kind for incident in build_scenario(days)]
    assert len(kinds) == len(set(kinds)) == 11
    assert all(0 <= incident.first <= incident.last < days for incident in build_scenario(days))


def test_a_short_scenario_has_the_incidents_that_can_be_over_by_its_end() -> None:
    assert build_scenario(5) == ()
    assert [incident.kind for incident in build_scenario(7)] == ["late source"]
    assert len(build_scenario(27)) == 9
    assert set(build_scenario(38)) - set(build_scenario(36)) == {PlannedIncident(WORSE, 33, 33)}
    assert set(build_scenario(40)) - set(build_scenario(38)) == {PlannedIncident(BREAK, 24, 30)}


@pytest.mark.parametrize("days", [40, 250])
def test_a_revised_scenario_adds_to_the_other_one(days: int) -> None:
    revised = build_scenario(days, revised=True)
    assert set(build_scenario(days)) < set(revised)
    kinds = [incident.kind for incident in revised]
    assert len(kinds) == len(set(kinds)) == 21
    assert all(incident.last < days for incident in revised)
