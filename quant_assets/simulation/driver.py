"""Driving a rehearsal: the processes of the desk, and what a script does to them.

What the data say is in ``world``; how well the desk did is judged in ``verdict``.
"""

import os
import resource
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time
from pathlib import Path

from quant_assets.core.errors import RehearsalError
from quant_assets.core.settings import load_settings
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.simulation.alert_receiver import AlertReceiver
from quant_assets.simulation.assessment import Assessment, assess
from quant_assets.simulation.plan import Plan, SimulationPosition
from quant_assets.simulation.process_control import RunningProcess, start_process
from quant_assets.simulation.scenario import (
    CHANNEL_DOWN,
    FAMILIES,
    FULL,
    KILLED,
    RESTARTED,
    PlannedFault,
)
from quant_assets.simulation.simulated_process import day_of

WEAK = "rank_prior"
"""The family of the first release."""
_BEGIN = time(6, 0)
_BYTES_LEFT = 4096
_MOST_PROCESSES = 20


class Rehearsal:
    """One rehearsal, from an empty folder to its last day.

    Args:
        plan: what is to be.
        note: told of its progress, a line each.
    """

    def __init__(self, plan: Plan, note: Callable[[str], None]) -> None:
        self._plan = plan
        self._note = note
        self._channel = AlertReceiver()
        self._numbers = {plan.world.day(i): i for i in range(plan.days)}
        self._day = date.min
        self._moment = datetime.combine(plan.begin, _BEGIN, UTC)
        self.deeds: dict[str, datetime] = {}

    def run(self) -> Assessment:
        """Live through all days, and judge.

        Raises:
            RehearsalError: the desk does not come up any more, or a command of it failed.
        """
        plan = self._plan
        shutil.rmtree(plan.root, ignore_errors=True)
        plan.root.mkdir(parents=True)
        plan.store()
        SimulationPosition(self._moment).store(plan.root)
        plan.world.found()
        with self._channel:
            self._command("load")
            self._command("backfill", "--job", "retrain_models", *self._last_day())
            for _ in range(_MOST_PROCESSES):
                if self._live():
                    return self._judge()
        raise RehearsalError("the desk ended too often", where=str(self._log), found=self._tail())

    def _judge(self) -> Assessment:
        settings = load_settings(data_dir=self._plan.root / "data")
        with open_instance(settings) as opened, Lake(settings.lake_dir, read_only=True) as lake:
            heard = self._channel.taken, self._channel.refused
            return assess(self._plan, lake, opened, self.deeds, *heard)

    def _live(self) -> bool:
        """Have one process look after the desk until it ends; whether that was the end of all."""
        with self._start() as process:
            for told in process.heard():
                if "end" in told:
                    return True
                if "moment" in told:
                    self._at(told["moment"], process)
                if "step" in told:
                    self._at_step(told["step"], process)
        # A disk that is full may end it; nothing else but the script may.
        if not process.killed and self._now(FULL) is None:
            raise RehearsalError("the desk failed", where=str(self._log), found=self._tail())
        return False

    def _at(self, moment: datetime, process: RunningProcess) -> None:
        """What is done to the desk at a moment, before it looks around."""
        self._moment = moment
        if day_of(moment) != self._day:
            self._day = day_of(moment)
            self._note(str(self._day))
        self._channel.down = self._now(CHANNEL_DOWN) is not None
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, _unlimited())
        asked = next((kind for kind in FAMILIES if self._new(kind)), None)
        if self._new(RESTARTED):
            self._did(RESTARTED)
            process.kill()
        elif asked:
            process.kill()
            self._did(asked)
            self._command("walk-forward", "--families", FAMILIES[asked])
            self._command("backfill", "--job", "retrain_models", *self._last_day())
        else:
            process.let_go_on()

    def _at_step(self, step: str, process: RunningProcess) -> None:
        """What is done to the desk within a run."""
        for kind in (KILLED, FULL):
            fault = self._new(kind)
            if fault is None or fault.step != step:
                continue
            self._did(kind)
            if kind == KILLED:
                process.kill()
            else:
                limit = (_BYTES_LEFT, _unlimited()[1])
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limit)

    def _now(self, kind: str) -> PlannedFault | None:
        """The fault of a kind, on its days."""
        number = self._numbers.get(self._day, -1)
        of_kind = (fault for fault in self._plan.faults if fault.kind == kind)
        return next((fault for fault in of_kind if fault.first <= number <= fault.last), None)

    def _new(self, kind: str) -> PlannedFault | None:
        return None if self._has_been(kind) else self._now(kind)

    def _has_been(self, kind: str) -> bool:
        return kind in self.deeds

    def _did(self, kind: str) -> None:
        self._note(f"{self._day}  {kind}")
        self.deeds[kind] = self._moment

    def _last_day(self) -> list[str]:
        day = str(self._plan.world.day(self._numbers.get(self._day, 0) - 1))
        return ["--from", day, "--to", day]

    def _command(self, *arguments: str) -> None:
        """A command of ``quant-assets``, at the moment that has been reached."""
        self._note(f"quant-assets {' '.join(arguments)}")
        with self._start(*arguments) as process:
            status = process.status()
        if status:
            raise RehearsalError(
                f"quant-assets {arguments[0]} failed", where=str(self._log), found=self._tail()
            )

    def _start(self, *command: str) -> AbstractContextManager[RunningProcess]:
        root = self._plan.root
        given = {
            "DATA_DIR": root / "data",
            "SOURCE": root / "market",
            "FIRST_DAY": self._plan.first_day,
            "FIRST_FIT_AFTER": 130,
            "REFIT_EVERY": 60,
            # By the lake's own clock all snapshots are of today: none would ever be forgotten.
            "RETENTION_DAYS": 0,
            # Its fits take less time than processes to share them would need to start.
            "THREADS": 1,
            # Nobody looks at its runs in the UI.
            "PICTURES": False,
            **self._plan.settings,
            **{f"ALERTS_{level}": self._channel.url for level in ("CRITICAL", "WARNING", "INFO")},
        }
        if not any(map(self._has_been, FAMILIES)):
            given["FAMILIES"] = WEAK
        own = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
        environment = own | {f"QUANT_{name}": str(value) for name, value in given.items()}
        return start_process(root, command, environment, self._log)

    @property
    def _log(self) -> Path:
        return self._plan.root / "desk.log"

    def _tail(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-15:])


def _unlimited() -> tuple[int, int]:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    return hard, hard
