"""Dagster's code location of the simulated platform, built once in each process."""

from functools import cache

import dagster as dg

from quant_assets.core.settings import load_settings
from quant_assets.definitions import build_definitions


@cache
def definitions() -> dg.Definitions:
    """Build the platform for the settings of the environment."""
    return build_definitions(load_settings())


defs = definitions()
