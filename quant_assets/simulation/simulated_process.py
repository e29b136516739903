"""A process of a rehearsal: the daemon or a command, whose clock shows the simulated time.

It may be killed at any moment; the next process continues from the stored position. How a process
is started belongs in ``simulation.process_control``.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import entry_points
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import dagster as dg
import numpy as np
import time_machine

from quant_assets.market.calendar import is_trading_day
from quant_assets.simulation.plan import Plan, SimulationPosition, read_plan, read_position

ROUND = timedelta(seconds=31)
"""More than any urgent sensor's interval."""
_LEAST_ROUNDS, _MOST_ROUNDS = 2, 20
"""A source counts as at rest when two rounds find it the same."""
_MORNING, _EVENING, _NIGHT = time(6, 40), time(22, 0, 5), time(23, 0, 5)


def moments(plan: Plan) -> Iterator[datetime]:
    """Yield the moments of a plan at which the daemon runs its iterations.

    They are each morning and twice each trading day's evening. A real daemon iterates every half
    minute; what becomes due between two moments waits for the next one.
    """
    day, last = plan.begin, plan.market.day(plan.days - 1)
    while day <= last:
        if is_trading_day(np.array([day], "datetime64[D]"))[0]:
            yield datetime.combine(day, _EVENING, UTC)
            yield datetime.combine(day, _NIGHT, UTC)
        day += timedelta(days=1)
        yield datetime.combine(day, _MORNING, UTC)


def run_process(root: Path, command: Sequence[str], connection: Connection) -> None:
    """Run a command, or the daemon until the plan's end, on a clock that begins at the position.

    Args:
        root: folder of the rehearsal.
        command: arguments of ``quant-assets``; empty for the daemon.
        connection: to the process that started this one. The daemon sends each moment and waits
            for an answer; it also sends the start of each step of a run, and the end.
    """
    position = read_position(root)
    with time_machine.travel(position.now, tick=True) as clock:
        if command:
            (program,) = entry_points(group="console_scripts", name="quant-assets")
            sys.argv = [program.name, *command]
            program.load()()
        else:
            run_days_to_end(read_plan(root), position, clock, connection)


def run_days_to_end(
    plan: Plan,
    position: SimulationPosition,
    clock: time_machine.Traveller,
    connection: Connection,
) -> None:
    """Run the daemon's iterations at each moment from a position to the plan's end.

    Args:
        plan: the rehearsal.
        position: where it continues.
        clock: is moved to each moment.
        connection: to the process that started this one.

    Raises:
        EOFError: the process that started this one has ended.
    """
    from quant_assets.core.settings import load_settings
    from quant_assets.lake.store.lake import Lake
    from quant_assets.orchestration.execution.runs import open_instance
    from quant_assets.simulation import launcher
    from quant_assets.simulation.daemon import Daemon
    from quant_assets.simulation.submission_log import SubmissionLog

    settings, market = load_settings(), plan.market
    if position.moments:
        # A process was killed at the next moment. What this one finds of it happened by then.
        now = datetime.now(UTC)
        clock.move_to(max(now, next(islice(moments(plan), position.moments, None), now)))
    with (
        Lake(settings.lake_dir, read_only=True) as lake,
        open_instance(settings, launcher.CONFIGURED) as instance,
        closing(Daemon(instance)) as daemon,
    ):
        submission_log = SubmissionLog(plan.root, lake, plan.begin)
        launcher.LISTENERS += [StepListener(connection), submission_log]
        daemon.switch_on()
        for number, moment in enumerate(moments(plan)):
            if number < position.moments:
                continue
            if moment > datetime.now(UTC):
                clock.move_to(moment)
            connection.send({"moment": moment})
            connection.recv()
            market.deliver(datetime.now(UTC))
            for round_number in range(1, _MOST_ROUNDS + 1):
                daemon.schedules()
                daemon.sensors()
                if not daemon.queue() and round_number >= _LEAST_ROUNDS:
                    break
                clock.shift(ROUND)
            position = replace(position, now=datetime.now(UTC), moments=number + 1)
            position.store(plan.root)
    connection.send({"end": position.now})


@dataclass(frozen=True)
class StepListener:
    """Listens to runs, and sends a message when a step begins.

    Attributes:
        connection: to the process that is informed.
    """

    connection: Connection

    def __call__(self, entry: dg.EventLogEntry) -> None:
        """Send the step's key, if the event is the start of a step."""
        event = entry.dagster_event
        if event and event.is_step_start:
            self.connection.send({"step": entry.step_key})


def day_of(moment: datetime) -> date:
    """The day that a moment belongs to; a morning belongs to the day before."""
    return (moment - timedelta(hours=12)).date()
