"""What Dagster adds: the daily layers of a whole history as one run, and the same bodies called plainly."""

import inspect
import time
from pathlib import Path

import dagster as dg

from quant_assets.assets import fits
from quant_assets.assets.partitions import trading_partitions
from quant_assets.automation.runs import instance, run
from quant_assets.definitions import LAYERS, build_definitions
from quant_assets.lake.lake import Lake
from quant_assets.settings import load_settings
from quant_assets.sources.registry import source_of


def measure(data: Path) -> dict[str, float]:
    """Both ways over the whole history of a data directory that ``demo`` has filled."""
    settings = load_settings(data_dir=data)
    source = source_of(settings)
    start, end = source.first_day, source.last_day

    begun = time.perf_counter()
    partitions = trading_partitions(start, end)
    days = dg.PartitionKeyRange(start.isoformat(), end.isoformat())
    with Lake(settings.lake_dir) as lake:
        resources = {"lake": lake, "source": source, "settings": settings}
        for layer in LAYERS:
            for asset in layer.build(partitions) if layer is not fits else ():
                wanted = inspect.signature(asset.op.compute_fn.decorated_fn).parameters
                given = {name: value for name, value in resources.items() if name in wanted}
                context = dg.build_asset_context(partition_key_range=days)
                made = asset(context, **given) if "context" in wanted else asset(**given)
                list(made) if inspect.isgenerator(made) else made
    plain = time.perf_counter() - begun

    begun = time.perf_counter()
    with instance(settings) as opened:
        run(build_definitions(settings), opened, "refresh_daily", start, end)
    through_dagster = time.perf_counter() - begun
    return {
        "daily layers without Dagster, s": plain,
        "daily layers as a Dagster run, s": through_dagster,
        "ratio (goal: at most 4)": through_dagster / plain,
    }
