"""Loads models of fits that version 0.1.0 or an earlier version stored in MLflow.

A model in MLflow's registry names the module that loads it. New models name ``fit_model``; nothing
else belongs here.
"""

from quant_assets.tracking.fit_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
