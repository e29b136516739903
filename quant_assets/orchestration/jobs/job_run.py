"""A run of a job that a command starts. What the jobs have is in ``asset_jobs``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class JobRun:
    """A run of a job over a range of days.

    Attributes:
        job: the job's name.
        start: first day, included.
        end: last day, included.
        tags: further tags of the run.
        config: configuration of the job's steps, by the step's name.
        only: tables whose assets are run; all assets of the job if empty.
        run_id: id of the run, a UUID; empty for a new one.
    """

    job: str
    start: date
    end: date
    tags: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    only: Sequence[str] = ()
    run_id: str = ""
