"""Operations: asking for a retraining, and what a run is doing.

How a run is begun belongs in ``orchestration.execution.retrain_requests``.
"""

import math
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from http import HTTPStatus
from threading import Lock
from typing import Annotated, Any, cast

import dagster as dg
from fastapi import APIRouter, FastAPI, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from quant_assets.api.context import Context, Shared
from quant_assets.api.problems import Refusal
from quant_assets.api.security import Operator, Reader
from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.orchestration.execution.daemon_lock import has_daemon
from quant_assets.orchestration.execution.retrain_requests import (
    RetrainRequest,
    read_request,
    request_retraining,
)
from quant_assets.orchestration.execution.run_states import QUEUED, read_run_state
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.orchestration.run_requests.retry_policy import Budget
from quant_assets.orchestration.sensors.retrain_sensor import JOB

_RUN_ID = "5f3d1c2e-8a0b-4c6d-9e1f-2a3b4c5d6e7f"
_WAITS = "no daemon of Dagster works now: the run waits until `quant-assets ui` is open"


class Runs:
    """Dagster's records, which are opened when they are asked for first.

    Args:
        settings: say where they are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = Lock()
        self._open_now = ExitStack()
        self._instance: dg.DagsterInstance | None = None

    @property
    def instance(self) -> dg.DagsterInstance:
        """Dagster's instance of the data directory.

        Raises:
            LakeError: the records cannot be read.
            SettingsError: Dagster refuses its settings.
        """
        with self._opening:
            if self._instance is None:
                opened = open_instance(self._settings)
                self._instance = self._open_now.enter_context(opened)
            return self._instance

    def close(self) -> None:
        """Close the records."""
        self._open_now.close()


@asynccontextmanager
async def _runs(app: FastAPI) -> AsyncIterator[None]:
    app.state.runs = runs = Runs(app.state.context.settings)
    try:
        yield
    finally:
        await run_in_threadpool(runs.close)


router = APIRouter(tags=["Operations"], lifespan=_runs)


class RetrainWish(BaseModel):
    """What a caller says about the retraining that it asks for."""

    model_config = {"extra": "forbid"}
    reason: str = Field(
        "", max_length=200, description="Why, for people.", examples=["a new instrument trades"]
    )


class AskedRetraining(BaseModel):
    """The retraining that there is now."""

    run_id: str = Field(description="Id of its run.", examples=[_RUN_ID])
    new: bool = Field(description="Whether it was asked for now; else it was going on already.")
    as_of: date | None = Field(None, description="Day as of which models are fitted.")
    begins: str = Field(
        "", description="What begins the run.", examples=["a process of its own", "Dagster's queue"]
    )


class RunAnswer(BaseModel):
    """What a run is doing. Moments are UTC."""

    run_id: str = Field(examples=[_RUN_ID])
    job: str = Field(examples=[JOB])
    state: str = Field(
        description="queued, starting, running, succeeded, failed, cancelling or cancelled.",
        examples=["running"],
    )
    days: tuple[str, str] | None = Field(None, description="First and last day that it is for.")
    reason: str = Field("", description="Why it was asked for.")
    asked_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    steps: list["StepAnswer"] = Field(default_factory=list, description="Steps that have begun.")
    error: str = Field("", description="Why it failed.")
    note: str = Field("", description="What it waits for, if it does.")


class StepAnswer(BaseModel):
    """A step of a run."""

    name: str = Field(examples=["fits__ridge"])
    state: str = Field(examples=["succeeded"])
    seconds: float | None = Field(None, description="How long it took; null while it runs.")


@router.post(
    "/retrain",
    status_code=HTTPStatus.ACCEPTED,
    summary="Ask for a retraining",
    responses={
        202: {"headers": {"Location": {"schema": {"type": "string"}, "description": "The run."}}},
        429: {"description": "The minutes of 24 hours are spent; Retry-After says for how long."},
    },
)
async def retrain(
    request: Request,
    response: Response,
    caller: Operator,
    context: Shared,
    wish: RetrainWish | None = None,
) -> AskedRetraining:
    """Fit all families as of the newest day, and make a release of the fits.

    Where Dagster's daemon works, the run waits in its queue; otherwise a process of its own begins
    it at once. A retraining that is queued or going on is returned instead of a second one.
    """
    reason = (wish.reason if wish else "") or "asked for over the API"
    by = f", by the key {caller.key_id}" if caller.key_id else ""
    runs = cast(Runs, request.app.state.runs)
    asked = await run_in_threadpool(_ask, context, runs, reason + by)
    if isinstance(asked, Budget):
        raise _over(asked)
    answer = (
        AskedRetraining(run_id=asked, new=False)
        if isinstance(asked, str)
        else AskedRetraining(
            run_id=asked.run_id,
            new=True,
            as_of=asked.as_of,
            begins="Dagster's queue" if asked.queued else "a process of its own",
        )
    )
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/runs/{answer.run_id}"
    return answer


@router.get("/runs/{run_id}", summary="What a run is doing")
async def describe_run(
    request: Request,
    caller: Reader,
    context: Shared,
    run_id: Annotated[str, Path(max_length=64, description="Id of the run.", examples=[_RUN_ID])],
) -> RunAnswer:
    """Return the state of a run of Dagster, its steps so far, and the error if it failed."""
    runs = cast(Runs, request.app.state.runs)
    answer = await run_in_threadpool(_describe, context.settings, runs, run_id)
    if answer is None:
        raise Refusal(
            HTTPStatus.NOT_FOUND,
            "no run has this id",
            where="run_id",
            expected="the id of a run that Dagster still knows",
            found=run_id,
            hint="POST /retrain answers with an id, and `quant-assets ui` lists all runs",
        )
    return answer


def _ask(context: Context, runs: Runs, reason: str) -> str | RetrainRequest | Budget:
    day = read_newest_day(context.lake, MARKET_FEATURES)
    if day is None:
        raise NotEnoughHistoryError(
            "there is nothing to fit models on", hint="run `quant-assets load` first"
        )
    return request_retraining(context.settings, runs.instance, day, reason)


def _describe(settings: Settings, runs: Runs, run_id: str) -> RunAnswer | None:
    asked = read_request(settings.dagster_home)
    if asked and asked.run_id != run_id:
        asked = None
    state = read_run_state(runs.instance, run_id)
    if state is None:
        return _describe_request(asked) if asked else None
    waits = state.state == QUEUED and not has_daemon(settings.dagster_home)
    steps = [StepAnswer(**vars(step)) for step in state.steps]
    parts: dict[str, Any] = {**vars(state), "steps": steps, "note": _WAITS if waits else ""}
    if asked:
        parts |= {"reason": asked.reason, "asked_at": asked.asked_at}
    return RunAnswer(**parts)


def _describe_request(asked: RetrainRequest) -> RunAnswer:
    """Describe a run that was asked for, and that Dagster does not know yet."""
    day = asked.as_of.isoformat()
    failed = "" if asked.may_begin else asked.failure or "the run did not begin within minutes"
    return RunAnswer(
        run_id=asked.run_id,
        job=JOB,
        state="failed" if failed else QUEUED if asked.queued else "starting",
        days=(day, day),
        reason=asked.reason,
        asked_at=asked.asked_at,
        error=failed,
    )


def _over(budget: Budget) -> Refusal:
    """Build the refusal of a retraining that would go over the budget."""
    free_at = budget.free_at or datetime.now(UTC)
    seconds = max(1, math.ceil((free_at - datetime.now(UTC)).total_seconds()))
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        "the minutes of retraining in 24 hours are spent",
        expected=f"at most {budget.allowed:.0f} minutes in 24 hours (QUANT_RETRAIN_MINUTES)",
        found=f"{budget.spent:.1f} minutes, and the next may take {budget.expected:.1f}",
        hint=f"ask again at {free_at:%Y-%m-%d %H:%M:%S} UTC or later",
        headers={"Retry-After": str(seconds)},
    )
