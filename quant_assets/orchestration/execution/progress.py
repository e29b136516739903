"""Writes a run's progress to the terminal: a line for each step and for each message of a step."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from typing import TextIO

import dagster as dg


@contextmanager
def keep_terminal() -> Iterator[TextIO]:
    """Open what standard error is now, for a run's progress.

    While a step runs, Dagster lets standard error go to a file, and a program beside it copies the
    file to the terminal. That program is ended with the step, at times before it has copied all.
    """
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except UnsupportedOperation:
        # A program that keeps what is written, as tests do.
        yield sys.stderr
        return
    encoding, errors = sys.stderr.encoding, sys.stderr.errors
    with os.fdopen(descriptor, "w", encoding=encoding, errors=errors) as terminal:
        yield terminal


class Progress:
    """Listens to a run's events and writes the few that a person waits for.

    Args:
        steps: the number of the run's steps, which each line shows beside the step's own number.
        terminal: where the lines go, see :func:`keep_terminal`.
    """

    def __init__(self, steps: int, terminal: TextIO) -> None:
        self._steps = steps
        self._terminal = terminal
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
        self._terminal.write(f"{text}\n")
        self._terminal.flush()


def _name(entry: dg.EventLogEntry) -> str:
    return str(entry.step_key).replace("__", ".")
