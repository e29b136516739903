"""A process of a rehearsed desk: the daemon, or a command, at the moment the rehearsal has reached.

It may be killed at any moment, and another goes on from where the file of the place says. How it is
started is in ``processes``.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import entry_points
from multiprocessing.connection import Connection
from pathlib import Path

import dagster as dg
import numpy as np
import time_machine

from quant_assets.market.calendar import is_trading_day
from quant_assets.simulation.plan import Plan, SimulationPosition, read_plan, read_position

ROUND = timedelta(seconds=31)
"""More than any urgent sensor's interval."""
_ROUNDS = 20
_MORNING, _EVENING, _NIGHT = time(6, 40), time(22, 0, 5), time(23, 0, 5)


def moments(plan: Plan) -> Iterator[datetime]:
    """When the daemon looks after the desk: each morning, and twice in the evening of a session.

    A daemon looks every half minute. What would come up between these moments waits for the next.
    """
    day, last = plan.begin, plan.world.day(plan.days - 1)
    while day <= last:
        if is_trading_day(np.array([day], "datetime64[D]"))[0]:
            yield datetime.combine(day, _EVENING, UTC)
            yield datetime.combine(day, _NIGHT, UTC)
        day += timedelta(days=1)
        yield datetime.combine(day, _MORNING, UTC)


def run_process(root: Path, command: Sequence[str], line: Connection) -> None:
    """Be that process.

    Args:
        root: of the rehearsal.
        command: of ``quant-assets``; the daemon if empty.
        line: to whoever started it. The daemon tells of each moment, and waits for an answer; of
            each step of a run; and of the end.
    """
    place = read_position(root)
    with time_machine.travel(place.now, tick=True) as clock:
        if command:
            (program,) = entry_points(group="console_scripts", name="quant-assets")
            sys.argv = [program.name, *command]
            program.load()()
        else:
            run_days_to_end(read_plan(root), place, clock, line)


def run_days_to_end(
    plan: Plan, place: SimulationPosition, clock: time_machine.Traveller, line: Connection
) -> None:
    """Look after the desk from the place on, until the plan's end.

    Raises:
        EOFError: who started it has ended.
    """
    from quant_assets.core.settings import load_settings
    from quant_assets.lake.store.lake import Lake
    from quant_assets.orchestration.execution.runs import open_instance
    from quant_assets.simulation import launcher
    from quant_assets.simulation.daemon import Daemon
    from quant_assets.simulation.submission_log import SubmissionLog

    settings, world = load_settings(), plan.world
    with (
        Lake(settings.lake_dir, read_only=True) as lake,
        open_instance(settings, launcher.CONFIGURED) as opened,
        closing(Daemon(opened)) as daemon,
    ):
        launcher.LISTENERS += [StepListener(line), SubmissionLog(plan.root, lake, plan.begin)]
        daemon.switch_on()
        for number, moment in enumerate(moments(plan)):
            if number < place.moments:
                continue
            if moment > datetime.now(UTC):
                clock.move_to(moment)
            line.send({"moment": moment})
            line.recv()
            world.deliver(datetime.now(UTC))
            for _ in range(_ROUNDS):
                daemon.schedules()
                daemon.sensors()
                if not daemon.queue():
                    break
                clock.shift(ROUND)
            place = replace(place, now=datetime.now(UTC), moments=number + 1)
            place.store(plan.root)
    line.send({"end": place.now})


@dataclass(frozen=True)
class StepListener:
    """Listens to runs, and tells of each step that begins."""

    line: Connection

    def __call__(self, entry: dg.EventLogEntry) -> None:
        """Tell of it."""
        event = entry.dagster_event
        if event and event.is_step_start:
            self.line.send({"step": entry.step_key})


def day_of(moment: datetime) -> date:
    """The day that a moment belongs to; a morning to the day before."""
    return (moment - timedelta(hours=12)).date()
