"""What a rehearsal is to be, and how far it has come: two small files that its processes share."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path

from quant_assets.lake.store.artifacts import write_atomically
from quant_assets.simulation.growing_market import GrowingMarket
from quant_assets.simulation.scenario import PlannedFault

_PLAN, _PLACE = "plan.json", "place.json"


@dataclass(frozen=True)
class Plan:
    """A rehearsal.

    Attributes:
        root: folder of everything that belongs to it.
        days: trading days on which the desk is on.
        faults: what goes wrong.
        slim: whether the market has few columns.
        settings: of the desk, by the name of their variables.
        first_day: of the market's record.
        begin: first day on which the desk is on.
    """

    root: Path
    days: int
    faults: Sequence[PlannedFault]
    slim: bool
    settings: Mapping[str, str] = field(default_factory=dict)
    first_day: date = date(2021, 7, 1)
    begin: date = date(2022, 12, 19)

    @property
    def world(self) -> GrowingMarket:
        """The market around the desk."""
        return GrowingMarket(
            self.root / "market",
            self.first_day,
            self.begin,
            self.days,
            self.faults,
            slim=self.slim,
        )

    def store(self) -> None:
        """Write it below its root."""
        plain = asdict(self) | {
            "root": str(self.root),
            "first_day": self.first_day.isoformat(),
            "begin": self.begin.isoformat(),
        }
        write_atomically(self.root / _PLAN, json.dumps(plain, indent=1).encode())


def read_plan(root: Path) -> Plan:
    """The plan below a root."""
    found = json.loads((root / _PLAN).read_bytes())
    return Plan(
        root,
        found["days"],
        tuple(PlannedFault(**fault) for fault in found["faults"]),
        found["slim"],
        found["settings"],
        date.fromisoformat(found["first_day"]),
        date.fromisoformat(found["begin"]),
    )


@dataclass(frozen=True)
class SimulationPosition:
    """How far a rehearsal has come.

    Attributes:
        now: the moment that has been reached.
        moments: how many moments of the plan are over.
    """

    now: datetime
    moments: int = 0

    def store(self, root: Path) -> None:
        """Write it below the root; a process that ends here goes on from here."""
        plain = asdict(self) | {"now": self.now.isoformat()}
        write_atomically(root / _PLACE, json.dumps(plain).encode())


def read_position(root: Path) -> SimulationPosition:
    """The place below a root."""
    found = json.loads((root / _PLACE).read_bytes())
    return SimulationPosition(datetime.fromisoformat(found["now"]), found["moments"])
