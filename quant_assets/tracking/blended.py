"""Loads models of releases that version 0.1.0 or an earlier version stored in MLflow.

A model in MLflow's registry names the module that loads it. New models name ``release_model``;
nothing else belongs here.
"""

from quant_assets.tracking.release_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
