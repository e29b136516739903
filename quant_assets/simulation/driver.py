"""Drives a rehearsal: starts the platform's processes, and causes the incidents of the scenario.

Incidents of the data belong in ``simulation.growing_market``; whether the platform passed is
judged in ``simulation.assessment``.
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
from quant_assets.simulation.history_checks import load_final
from quant_assets.simulation.plan import Plan, SimulationPosition
from quant_assets.simulation.process_control import RunningProcess, start_process
from quant_assets.simulation.scenario import (
    CHANNEL_DOWN,
    FAMILIES,
    FULL,
    KILLED,
    RESTARTED,
    PlannedIncident,
)
from quant_assets.simulation.simulated_process import day_of

FIRST_FAMILY = "rank_prior"
"""The family of the first release."""
_BEGIN = time(6, 0)
_BYTES_LEFT = 4096
_MOST_PROCESSES = 20


class Rehearsal:
    """Runs a rehearsal, from an empty folder to the assessment.

    Args:
        plan: the rehearsal.
        note: called with each line about its progress.

    Attributes:
        caused_at: when each incident that happens to the platform itself was caused, by kind.
    """

    def __init__(self, plan: Plan, note: Callable[[str], None]) -> None:
        self._plan = plan
        self._note = note
        self._channel = AlertReceiver()
        self._day_numbers = {plan.market.day(i): i for i in range(plan.days)}
        self._day = date.min
        self._moment = datetime.combine(plan.begin, _BEGIN, UTC)
        self.caused_at: dict[str, datetime] = {}

    def run(self) -> Assessment:
        """Run the platform through all days, and assess how it dealt with them.

        Raises:
            RehearsalError: the platform failed or ended too often, or a command failed.
        """
        plan = self._plan
        shutil.rmtree(plan.root, ignore_errors=True)
        plan.root.mkdir(parents=True)
        plan.store()
        SimulationPosition(self._moment).store(plan.root)
        plan.market.create()
        with self._channel:
            self._run_command("load")
            self._run_command("backfill", "--job", "retrain_models", *self._previous_day())
            for _ in range(_MOST_PROCESSES):
                if self._run_daemon():
                    return self._assess()
        raise RehearsalError(
            "the platform ended too often", where=str(self._log), found=self._end_of_log()
        )

    def _assess(self) -> Assessment:
        final_settings = load_final(self._plan)
        settings = load_settings(data_dir=self._plan.root / "data")
        with (
            Lake(settings.lake_dir, read_only=True) as lake,
            Lake(final_settings.lake_dir, read_only=True) as final,
            open_instance(settings) as instance,
        ):
            messages = self._channel.received, self._channel.refused
            return assess(self._plan, lake, final, instance, self.caused_at, *messages)

    def _run_daemon(self) -> bool:
        """Run a daemon until it ends. Returns whether it reached the plan's end."""
        with self._start() as process:
            for message in process.receive_messages():
                if "end" in message:
                    return True
                if "moment" in message:
                    self._handle_moment(message["moment"], process)
                if "step" in message:
                    self._handle_step(message["step"], process)
        # Only a full disk and the incidents of the scenario may end the process.
        if not process.killed and self._current_incident(FULL) is None:
            raise RehearsalError(
                "the platform failed", where=str(self._log), found=self._end_of_log()
            )
        return False

    def _handle_moment(self, moment: datetime, process: RunningProcess) -> None:
        """Cause the incidents of a moment, before the daemon runs its iterations."""
        self._moment = moment
        if day_of(moment) != self._day:
            self._day = day_of(moment)
            self._note(str(self._day))
        self._channel.down = self._current_incident(CHANNEL_DOWN) is not None
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, _unlimited())
        challenger = next((kind for kind in FAMILIES if self._due_incident(kind)), None)
        if self._due_incident(RESTARTED):
            self._record_cause(RESTARTED)
            process.kill()
        elif challenger:
            process.kill()
            self._record_cause(challenger)
            self._run_command("walk-forward", "--families", FAMILIES[challenger])
            self._run_command("backfill", "--job", "retrain_models", *self._previous_day())
        else:
            process.resume()

    def _handle_step(self, step: str, process: RunningProcess) -> None:
        """Cause the incidents that happen when a step of a run starts."""
        for kind in (KILLED, FULL):
            incident = self._due_incident(kind)
            if incident is None or incident.step != step:
                continue
            self._record_cause(kind)
            if kind == KILLED:
                process.kill()
            else:
                limit = (_BYTES_LEFT, _unlimited()[1])
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limit)

    def _current_incident(self, kind: str) -> PlannedIncident | None:
        """The incident of a kind, if it lasts on the present day."""
        number = self._day_numbers.get(self._day, -1)
        for incident in self._plan.incidents:
            if incident.kind == kind and incident.first <= number <= incident.last:
                return incident
        return None

    def _due_incident(self, kind: str) -> PlannedIncident | None:
        """The incident of a kind, if it lasts on the present day and has not been caused."""
        return None if kind in self.caused_at else self._current_incident(kind)

    def _record_cause(self, kind: str) -> None:
        self._note(f"{self._day}  {kind}")
        self.caused_at[kind] = self._moment

    def _previous_day(self) -> list[str]:
        """The options that limit a command to the trading day before the present one."""
        day = str(self._plan.market.day(self._day_numbers.get(self._day, 0) - 1))
        return ["--from", day, "--to", day]

    def _run_command(self, *arguments: str) -> None:
        """Run a command of ``quant-assets`` at the present simulated time."""
        self._note(f"quant-assets {' '.join(arguments)}")
        with self._start(*arguments) as process:
            status = process.wait_for_exit()
        if status:
            raise RehearsalError(
                f"quant-assets {arguments[0]} failed",
                where=str(self._log),
                found=self._end_of_log(),
            )

    def _start(self, *command: str) -> AbstractContextManager[RunningProcess]:
        root = self._plan.root
        values = {
            "DATA_DIR": root / "data",
            "SOURCE": self._plan.market.source,
            "FIRST_DAY": self._plan.first_day,
            "FIRST_FIT_AFTER": 130,
            "REFIT_EVERY": 60,
            # The lake's own clock is not moved: it would expire no snapshot as too old.
            "RETENTION_DAYS": 0,
            # The assessment reads the runs of the whole year.
            "RUNS_KEPT_DAYS": 36500,
            # The fits take less time than starting processes that share them.
            "THREADS": 1,
            # Nobody looks at these runs in the UI.
            "PICTURES": False,
            **self._plan.settings,
            **{f"ALERTS_{level}": self._channel.url for level in ("CRITICAL", "WARNING", "INFO")},
        }
        if not any(kind in self.caused_at for kind in FAMILIES):
            values["FAMILIES"] = FIRST_FAMILY
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("QUANT_", "DAGSTER_"))
        }
        environment = inherited | {f"QUANT_{name}": str(value) for name, value in values.items()}
        return start_process(root, command, environment, self._log)

    @property
    def _log(self) -> Path:
        return self._plan.root / "platform.log"

    def _end_of_log(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-15:])


def _unlimited() -> tuple[int, int]:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    return hard, hard
