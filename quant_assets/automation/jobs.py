"""Jobs: the things one runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.lake.judgement_tables import ATTRIBUTION
from quant_assets.lake.monitoring_tables import DRIFT_REPORT, WATCHED
from quant_assets.lake.schema import Table
from quant_assets.lake.tables import study_table
from quant_assets.models.parameters import tunable

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


def key_of(table: Table) -> dg.AssetKey:
    """The asset key of a table: its name, by parts."""
    return dg.AssetKey(table.name.split("."))


def build(families: Sequence[str]) -> "dict[str, UnresolvedAssetJobDefinition]":
    """All jobs, by name.

    Studies, which take long, are in the one that is for them; so is what is watched, which no
    submission waits for.
    """
    studies = dg.AssetSelection.assets(*(key_of(study_table(name)) for name in tunable(families)))
    watched = dg.AssetSelection.assets(*map(key_of, WATCHED), dg.AssetKey(DRIFT_REPORT))
    explained = dg.AssetSelection.assets(key_of(ATTRIBUTION))
    everything = dg.AssetSelection.all() - studies - watched
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
            fits | tracking,
            "Fit every family as of a day, and record the fits in MLflow.",
        ),
        "tune_models": (
            studies,
            "Search the parameters of every family as of a day; fits of that day or later use "
            "the best.",
        ),
        "walk_forward": (
            everything
            & dg.AssetSelection.groups(
                "fits", "forecasts", "submissions", "monitoring", "tracking"
            ),
            "All families over a range, from fits to scoreboard; finished fits are kept.",
        ),
        "watch_daily": (
            watched | explained,
            "Whether the day's prices, features and forecasts are as they used to be and score as "
            "they did, what they rest on, and what state the markets are in.",
        ),
        "submit_competition": (
            dg.AssetSelection.groups("submissions"),
            "The submission of a day and the exported files, from stored forecasts.",
        ),
    }
    return {
        name: dg.define_asset_job(name, selection, description=description)
        for name, (selection, description) in jobs.items()
        if name != "tune_models" or tunable(families)
    }
