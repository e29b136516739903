"""Dagster's own configuration, which travels with the package.

``dagster.yaml`` configures the instance that ``prepare_home`` writes below the data directory;
``workspace.yaml`` names the code location that ``quant-assets ui`` serves. Settings of the
platform are in ``core.settings``.
"""
