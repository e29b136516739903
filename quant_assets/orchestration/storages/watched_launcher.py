"""Tells the run monitor whether a run's process is alive, which Dagster's own launcher does not.

Dagster closes a run whose process was killed as long as the code server that began it is alive. If
the code server is gone as well, the run would count as in progress for ever, and no further day
would be refreshed. Chosen in ``dagster.yaml``, where ``run_monitoring`` asks.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import dagster as dg
import grpc

# What a launcher answers with and what it catches: the public interface names none of it.
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

# Only the code server knows its processes; Dagster's interface to it is private.
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData

from quant_assets.orchestration.execution.run_locks import holds_lock

SILENCE = timedelta(days=1)
"""After so long without an event, a run whose process nobody can ask is taken for gone."""


class WatchedRunLauncher(dg.DefaultRunLauncher):
    """Dagster's launcher, which also knows whether a run goes on."""

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData,
        config_value: Mapping[str, Any],  # noqa: ARG003 - nothing can be configured
    ) -> Self:
        """Build the launcher that ``dagster.yaml`` names."""
        return cls(inst_data)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether the run monitor may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether the run's process is alive.

        A run is alive while its process holds the run's lock. For a run without a lock the code
        server that launched it is asked. If nothing says whom to ask, the run is gone when nothing
        was heard of it for a day.
        """
        held = holds_lock(self._instance, run)
        if held is not None:
            return _health(held, "the process that ran it")
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            if _is_heard_of(self._instance, run):
                return CheckRunHealthResult(WorkerStatus.RUNNING)
            return CheckRunHealthResult(
                WorkerStatus.FAILED, f"nothing was heard of the run for {SILENCE.days * 24} hours"
            )
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError as error:
            return _health(not _is_gone(error), "the code server that began it")
        if run.status is dg.DagsterRunStatus.STARTING:
            # The server may be about to start the process, and sees itself if that fails.
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        alive = dg.deserialize_value(answer, CanCancelExecutionResult).can_cancel
        return _health(alive, "its process")


def _is_heard_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether the run is new, or has stored an event lately."""
    newest = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    record = instance.get_run_record_by_id(run.run_id)
    moments = [each.timestamp for each in newest]
    moments += [record.create_timestamp.timestamp()] if record else []
    return max(moments, default=0.0) > (datetime.now(UTC) - SILENCE).timestamp()


def _is_gone(error: DagsterUserCodeUnreachableError) -> bool:
    """Return whether no server listens; a busy server is not gone, it answers too late."""
    answer = error.__cause__
    return isinstance(answer, grpc.RpcError) and answer.code() is grpc.StatusCode.UNAVAILABLE


def _health(alive: bool, process: str) -> CheckRunHealthResult:
    if alive:
        return CheckRunHealthResult(WorkerStatus.RUNNING)
    return CheckRunHealthResult(WorkerStatus.FAILED, f"{process} is gone")
