"""Dagster's daemon on a moved clock: what it would have done by now, without waiting in between.

The iterations are Dagster's own: ticks, cursors, run keys, the queue and its limits, and the
monitor of runs lie in the instance. Only their order, and what is switched on, belong here.
"""

import logging

import dagster as dg

from quant_assets.orchestration.storages.daemon_iterations import DaemonIterations

_MODULE = "quant_assets.simulation.code_location"
_PAGE = "report_drift"
_CATCH_UP = 5


class Daemon:
    """The daemon of an instance, over one code location in this process."""

    def __init__(self, opened: dg.DagsterInstance) -> None:
        self._instance = opened
        log = logging.getLogger("quant_assets.simulation")
        self._iterations = DaemonIterations(opened, _MODULE, "quant_assets", log)

    def close(self) -> None:
        """Release the workspace."""
        self._iterations.close()

    def switch_on(self) -> None:
        """Switch schedules and sensors on, as a person does in the UI.

        The page about drift stays off: making it takes as long as the rest of a day's monitoring,
        and nothing depends on it.
        """
        for repository in self._iterations.repositories():
            for schedule in repository.get_schedules():
                if schedule.job_name != _PAGE:
                    self._instance.start_schedule(schedule)
            for sensor in repository.get_sensors():
                self._instance.start_sensor(sensor)

    def schedules(self) -> None:
        """Evaluate the schedules that are due."""
        self._iterations.evaluate_schedules(_CATCH_UP)

    def sensors(self) -> None:
        """Evaluate the sensors whose interval is over."""
        self._iterations.evaluate_sensors()

    def queue(self) -> int:
        """Launch the runs that the queue allows. Returns how many runs were queued before."""
        queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
        count = self._instance.get_runs_count(queued)
        self._iterations.monitor_runs()
        self._iterations.launch_queued_runs()
        return count
