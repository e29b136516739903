"""A run launcher that executes runs in the simulated daemon's own process.

Starting a process for each run costs more than most runs of a simulated day. Dagster does
everything else: it creates, queues, dequeues and records the run in the instance.
"""

from collections.abc import Callable

import dagster as dg

from quant_assets.orchestration.storages.locked_launcher import LockedRunLauncher
from quant_assets.simulation.code_location import definitions

LISTENERS: list[Callable[[dg.EventLogEntry], None]] = []
"""Functions that are called with every event of every run."""
CONFIGURED = {"run_launcher": {"module": __name__, "class": "InProcessRunLauncher"}}
"""The part of ``dagster.yaml`` that names the launcher."""


class InProcessRunLauncher(LockedRunLauncher):
    """Executes the simulated platform's runs and passes their events to the listeners."""

    def prepare(self, run: dg.DagsterRun, instance: dg.DagsterInstance) -> dg.JobDefinition:
        """Add the listeners to a run, and return its job."""
        for listener in LISTENERS:
            instance.add_event_listener(run.run_id, listener)
        return definitions().resolve_job_def(run.job_name)
