"""A run's progress in the terminal: one line a step, with seconds, and the notes of long steps."""

import logging
import sys
import time

import dagster as dg


class _Progress(logging.Handler):
    """Writes step starts, ends, failures, failed checks and notes; nothing else."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._begun: dict[str, float] = {}
        self._wide = sys.stderr.isatty()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record's line, if it has one."""
        event: dg.DagsterEvent | None = getattr(record, "dagster_event", None)
        text = self._of_event(event) if event else self._of_note(record)
        if text:
            sys.stderr.write(f"{text}\n")

    def _of_event(self, event: dg.DagsterEvent) -> str:
        step = str(event.step_key)
        if event.is_step_start:
            self._begun[step] = time.monotonic()
            return f"  {step} …" if self._wide else ""
        seconds = time.monotonic() - self._begun.get(step, time.monotonic())
        if event.is_step_success:
            return f"  {step:<24}{seconds:7.1f} s"
        if event.is_step_failure:
            return f"  {step:<24} FAILED"
        if event.is_step_skipped:
            return f"  {step:<24} skipped"
        return ""

    def _of_note(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        return f"    {meta.get('orig_message', record.getMessage())}"


@dg.logger(description="One line a step, for the command line.")
def progress(context: dg.InitLoggerContext) -> logging.Logger:
    """The command line's logger of a run."""
    logger = logging.Logger("progress", logging.INFO)
    logger.addHandler(_Progress())
    return logger
