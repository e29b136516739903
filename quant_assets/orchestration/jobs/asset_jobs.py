"""Jobs: the things one runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.lake.schemas.monitoring_tables import DRIFT_REPORT
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION
from quant_assets.lake.schemas.table import Writer
from quant_assets.lake.schemas.tables import fits_table
from quant_assets.models.parameters import tunable_families
from quant_assets.models.registry import DAILY
from quant_assets.orchestration.assets.table_assets import WRITER
from quant_assets.reports.periods import PERIODS

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

QUEUE = "quant/queue"
"""Tag of runs that wait for one another: one of each value is in progress at a time."""
# Those that write days, and those that fit: of the two places there are, each has one.
_QUEUES = {
    "refresh_daily": "days",
    "load_history": "days",
    "retrain_models": "fits",
    "tune_models": "fits",
    "walk_forward": "fits",
}
_FROM_FITS_ON = ("fits", "forecasts", "promotion", "submissions", "monitoring", "tracking")
# Whatever waits as well, the submission goes first.
_PRIORITIES = {"refresh_daily": "10"}


def build(families: Sequence[str]) -> "dict[str, UnresolvedAssetJobDefinition]":
    """Return all jobs, by name.

    An asset is in the jobs of what its table is ``written_by``. Studies take long and no submission
    waits for what is watched, so these have jobs of their own.
    """
    studies, watched = _written_by("study"), _written_by("watch")
    releases = _written_by("retrain")
    pages = {
        "drift": dg.AssetSelection.assets(DRIFT_REPORT),
        **{name: dg.AssetSelection.assets(period.key) for name, period in PERIODS.items()},
    }
    explained = dg.AssetSelection.assets(ATTRIBUTION.key)
    everything = dg.AssetSelection.all() - studies - watched - releases
    for page in pages.values():
        everything = everything - page
    fits = dg.AssetSelection.groups("fits") - studies
    tracking = dg.AssetSelection.groups("tracking")
    jobs = {
        "load_history": (
            everything,
            "Everything, for a range of days in one run: prices, features, walk-forward fits, "
            "forecasts, submissions, scoreboard.",
        ),
        "refresh_daily": (
            everything - fits - explained,
            "One trading day, from prices to submission, with the newest fits.",
        ),
        "retrain_models": (
            fits | tracking | releases,
            "Fit every family as of a day, make a release of the fits, and record them in MLflow.",
        ),
        "tune_models": (
            studies,
            "Search the parameters of every family as of a day; fits of that day or later use "
            "the best.",
        ),
        "walk_forward": (
            everything & dg.AssetSelection.groups(*_FROM_FITS_ON),
            "All families over a range, from fits to scoreboard; finished fits are kept.",
        ),
        "watch_daily": (
            watched | explained,
            "Whether the day's prices, features and forecasts are as they used to be and score as "
            "they did, what they rest on, and what state the markets are in.",
        ),
        "update_daily": (
            dg.AssetSelection.assets(*(fits_table(name).key for name in DAILY)),
            f"Fit what is cheap to fit as of a day, for the next one: {', '.join(DAILY)}. Labels "
            "and weights are brought up to date by refresh_daily.",
        ),
        "submit_competition": (
            dg.AssetSelection.groups("submissions"),
            "The submission of a day and the exported files, from stored forecasts.",
        ),
        **{
            f"report_{name}": (page, f"The page {name}, as of the last day of the range.")
            for name, page in pages.items()
        },
    }
    return {
        name: dg.define_asset_job(name, selection, description=description, tags=_tags(name))
        for name, (selection, description) in jobs.items()
        if name != "tune_models" or tunable_families(families)
    }


def _written_by(writer: Writer) -> dg.AssetSelection:
    return dg.AssetSelection.tag(WRITER, writer)


def _tags(name: str) -> dict[str, str]:
    tags = {QUEUE: _QUEUES.get(name), "dagster/priority": _PRIORITIES.get(name)}
    return {tag: value for tag, value in tags.items() if value}
