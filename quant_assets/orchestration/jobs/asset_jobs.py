"""The jobs that materialise assets: which assets each has, its description and its queue."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.schemas.monitoring_tables import DRIFT_REPORT
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION, SCORES
from quant_assets.lake.schemas.table import Writer
from quant_assets.models.parameters import tunable_families
from quant_assets.models.registry import DAILY
from quant_assets.orchestration.assets.table_assets import WRITER
from quant_assets.reports.periods import PERIODS

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

QUEUE = "quant/queue"
"""Tag of runs that wait for each other: of each value one run is in progress at a time."""
# Of the two runs that may be in progress, one writes days and one fits models.
_QUEUES = {
    "refresh_daily": "days",
    "load_history": "days",
    "revise_history": "days",
    "retrain_models": "fits",
    "tune_models": "fits",
    "walk_forward": "fits",
}
_WALK_FORWARD_GROUPS = ("fits", "forecasts", "promotion", "submissions", "monitoring", "tracking")
# A refresh leaves the queue first, because the submission depends on it; a revision before it.
_PRIORITIES = {"revise_history": "20", "refresh_daily": "10"}


def build(families: Sequence[str]) -> "dict[str, UnresolvedAssetJobDefinition]":
    """Build all asset jobs, by name.

    The jobs of an asset follow from ``Table.written_by``. Studies take long, and no submission
    depends on watched tables, so both have jobs of their own.
    """
    studies, watched = _select_written_by("study"), _select_written_by("watch")
    releases = _select_written_by("retrain")
    pages = {
        "drift": dg.AssetSelection.assets(DRIFT_REPORT),
        **{name: dg.AssetSelection.assets(period.key) for name, period in PERIODS.items()},
    }
    attribution = dg.AssetSelection.assets(ATTRIBUTION.key)
    revised = _select_written_by("revise")
    pairs = dg.AssetSelection.assets(RAW_TARGET_PAIRS.key)
    prices = dg.AssetSelection.groups("raw", "validated", "features") - pairs
    everything = dg.AssetSelection.all() - studies - watched - releases
    for page in pages.values():
        everything = everything - page
    fits = dg.AssetSelection.groups("fits") - studies
    tracking = dg.AssetSelection.groups("tracking")
    jobs = {
        "load_history": (
            everything,
            "Computes a range of days in one run: prices, features, walk-forward fits, forecasts, "
            "submissions and the scoreboard.",
        ),
        "refresh_daily": (
            everything - fits - attribution,
            "Computes one trading day with the newest fits, from prices to submission.",
        ),
        "revise_history": (
            prices | revised | dg.AssetSelection.assets(*(table.key for table in SCORES)),
            "Does prices, labels, features and scores again from the first day on that the source "
            "has changed. Forecasts and submissions stay as they were made.",
        ),
        "retrain_models": (
            fits | tracking | releases,
            "Fits every family as of a day, makes a release of the fits, and records both in "
            "MLflow.",
        ),
        "tune_models": (
            studies,
            "Searches the parameters of every family as of a day. Fits as of that day or later use "
            "the best parameters.",
        ),
        "walk_forward": (
            (everything & dg.AssetSelection.groups(*_WALK_FORWARD_GROUPS)) - revised,
            "Computes all families over a range of days, from fits to the scoreboard. Finished "
            "fits are kept.",
        ),
        "watch_daily": (
            watched | attribution,
            "Watches a day: data quality, anomalies, drift of features and forecasts, performance, "
            "attribution and regime.",
        ),
        "update_daily": (
            dg.AssetSelection.assets(*(fits_table(name).key for name in DAILY)),
            f"Fits the families that are updated daily, {', '.join(DAILY)}, as of a day for the "
            "next day's forecasts. Labels and weights are updated by refresh_daily.",
        ),
        "submit_competition": (
            dg.AssetSelection.groups("submissions"),
            "Makes the submission of a day and the exported files from stored forecasts.",
        ),
        **{
            f"report_{name}": (page, f"Makes the {name} page as of the last day of the range.")
            for name, page in pages.items()
        },
    }
    return {
        name: dg.define_asset_job(name, selection, description=description, tags=_tags_of(name))
        for name, (selection, description) in jobs.items()
        if name != "tune_models" or tunable_families(families)
    }


def _select_written_by(writer: Writer) -> dg.AssetSelection:
    return dg.AssetSelection.tag(WRITER, writer)


def _tags_of(name: str) -> dict[str, str]:
    tags = {QUEUE: _QUEUES.get(name), "dagster/priority": _PRIORITIES.get(name)}
    return {tag: value for tag, value in tags.items() if value}
