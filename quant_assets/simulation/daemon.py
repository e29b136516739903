"""Dagster's daemon on a simulated clock: its iterations, without the waits between them.

The iterations are Dagster's own: the instance holds ticks, cursors, run keys, the queue and its
limits. The order of the iterations, and which schedules and sensors are on, belong here.
"""

import logging

import dagster as dg

from quant_assets.orchestration.storages.daemon_iterations import DaemonIterations

_MODULE = "quant_assets.simulation.code_location"
_DRIFT_PAGE_JOB = "report_drift"
_CATCH_UP = 5


class Daemon:
    """Runs the daemon's iterations for an instance, over one code location in this process."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        log = logging.getLogger("quant_assets.simulation")
        self._iterations = DaemonIterations(instance, _MODULE, "quant_assets", log)

    def close(self) -> None:
        """Release the workspace."""
        self._iterations.close()

    def switch_on(self) -> None:
        """Switch on the schedules and sensors, as a person does in the UI.

        The schedule of the drift page stays off: rendering the page takes as long as the rest of
        a day's monitoring, and no other asset depends on it.
        """
        for repository in self._iterations.repositories():
            for schedule in repository.get_schedules():
                if schedule.job_name != _DRIFT_PAGE_JOB:
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
        """Launch the runs that the queue's limits allow. Returns how many runs were queued."""
        queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
        queued_runs = self._instance.get_runs_count(queued)
        self._iterations.monitor_runs()
        self._iterations.launch_queued_runs()
        return queued_runs
