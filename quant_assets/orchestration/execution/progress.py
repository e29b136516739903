"""Writes a run's progress to the terminal: a line for each step and for each message of a step."""

import sys
import time

import dagster as dg


class Progress:
    """Listens to a run's events and writes the few that a person waits for.

    Args:
        steps: the number of the run's steps, which each line shows beside the step's own number.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._done = 0
        self._begun = time.monotonic()

    def __call__(self, entry: dg.EventLogEntry) -> None:
        """Write the line of an event; most events have none."""
        event = entry.dagster_event
        if event is None:
            self._write(f"          {entry.user_message}")
        elif event.is_step_start:
            self._begun = time.monotonic()
            self._write(f"  {self._count()} {_name(entry)} ...")
        elif event.is_step_success or event.is_step_failure or event.is_step_skipped:
            self._done += 1
            end = "done" if event.is_step_success else event.event_type_value.split("_")[1]
            seconds = time.monotonic() - self._begun
            self._write(f"          {_name(entry)}: {end.lower()} in {seconds:.1f} s")

    def _count(self) -> str:
        return f"[{self._done + 1:>2}/{self._steps}]"

    def _write(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _name(entry: dg.EventLogEntry) -> str:
    return str(entry.step_key).replace("__", ".")
