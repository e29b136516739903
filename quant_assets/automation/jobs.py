"""Jobs: the four things one runs."""

import dagster as dg

from quant_assets.assets.submissions import EXPORT
from quant_assets.lake.schema import Table
from quant_assets.lake.tables import SUBMISSIONS
from quant_assets.models.registry import FAMILIES


def build(partitions: dg.PartitionsDefinition) -> dict[str, dg.UnresolvedAssetJobDefinition]:
    """All jobs, by name."""
    fits = dg.AssetSelection.groups("fits")
    everything = dg.AssetSelection.all()

    def job(name: str, selection: dg.AssetSelection, description: str):  # type: ignore[no-untyped-def]
        return dg.define_asset_job(
            name, selection, description=description, partitions_def=partitions
        )

    jobs = [
        job(
            "load_history",
            everything,
            "Everything, for a range of days in one run: prices, features, walk-forward fits, "
            "forecasts, submissions, scoreboard.",
        ),
        job(
            "refresh_daily",
            everything - fits - dg.AssetSelection.assets(["raw", "target_pairs"]),
            "One trading day, from prices to submission, with the newest fits.",
        ),
        job("retrain_models", fits, "Fit every family as of a day."),
        job(
            "submit_competition",
            dg.AssetSelection.groups("submissions"),
            "The submission of a day and the exported files, from stored forecasts.",
        ),
    ]
    return {made.name: made for made in jobs}
