"""Jobs: the things one runs."""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


def build() -> "dict[str, UnresolvedAssetJobDefinition]":
    """All jobs, by name."""
    everything = dg.AssetSelection.all()
    fits = dg.AssetSelection.groups("fits")
    jobs = {
        "load_history": (
            everything,
            "Everything, for a range of days in one run: prices, features, walk-forward fits, "
            "forecasts, submissions, scoreboard.",
        ),
        "refresh_daily": (
            everything - fits,
            "One trading day, from prices to submission, with the newest fits.",
        ),
        "retrain_models": (
            fits | dg.AssetSelection.groups("tracking"),
            "Fit every family as of a day, and record the fits in MLflow.",
        ),
        "walk_forward": (
            dg.AssetSelection.groups("fits", "forecasts", "submissions", "monitoring", "tracking"),
            "All families over a range, from fits to scoreboard; finished fits are kept.",
        ),
        "submit_competition": (
            dg.AssetSelection.groups("submissions"),
            "The submission of a day and the exported files, from stored forecasts.",
        ),
    }
    return {
        name: dg.define_asset_job(name, selection, description=description)
        for name, (selection, description) in jobs.items()
    }
