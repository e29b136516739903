"""The plan and the position of a rehearsal: two small files that its processes share."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path

from quant_assets.core.files import write_atomically
from quant_assets.simulation.growing_market import GrowingMarket
from quant_assets.simulation.scenario import PlannedIncident

_PLAN_FILE, _POSITION_FILE = "plan.json", "position.json"


@dataclass(frozen=True)
class Plan:
    """What a rehearsal simulates.

    Attributes:
        root: folder with all files of the rehearsal.
        days: number of trading days that are simulated.
        incidents: what goes wrong, and when.
        slim: whether the market has closes and New York's volumes only.
        settings: the platform's settings, by their variables' names without ``QUANT_``.
        first_day: first day of the market's history.
        begin: first simulated day.
    """

    root: Path
    days: int
    incidents: Sequence[PlannedIncident]
    slim: bool
    settings: Mapping[str, str] = field(default_factory=dict)
    first_day: date = date(2021, 7, 1)
    begin: date = date(2022, 12, 19)

    @property
    def market(self) -> GrowingMarket:
        """The market whose prices the platform reads."""
        return GrowingMarket(
            self.root / "market",
            self.first_day,
            self.begin,
            self.days,
            self.incidents,
            slim=self.slim,
        )

    def store(self) -> None:
        """Write the plan to a file in its root folder."""
        plain = asdict(self) | {
            "root": str(self.root),
            "first_day": self.first_day.isoformat(),
            "begin": self.begin.isoformat(),
        }
        write_atomically(self.root / _PLAN_FILE, json.dumps(plain, indent=1).encode())


def read_plan(root: Path) -> Plan:
    """Read the plan of the rehearsal in a root folder."""
    stored = json.loads((root / _PLAN_FILE).read_bytes())
    return Plan(
        root,
        stored["days"],
        tuple(PlannedIncident(**incident) for incident in stored["incidents"]),
        stored["slim"],
        stored["settings"],
        date.fromisoformat(stored["first_day"]),
        date.fromisoformat(stored["begin"]),
    )


@dataclass(frozen=True)
class SimulationPosition:
    """How far a rehearsal has come.

    Attributes:
        now: the simulated time, UTC.
        moments: how many moments of the plan have been completed.
    """

    now: datetime
    moments: int = 0

    def store(self, root: Path) -> None:
        """Write the position, from which the next process continues, to the root folder."""
        plain = asdict(self) | {"now": self.now.isoformat()}
        write_atomically(root / _POSITION_FILE, json.dumps(plain).encode())


def read_position(root: Path) -> SimulationPosition:
    """Read the position of the rehearsal in a root folder."""
    stored = json.loads((root / _POSITION_FILE).read_bytes())
    return SimulationPosition(datetime.fromisoformat(stored["now"]), stored["moments"])
