"""Loads models of fits that were stored by 0.1.0 and before, which name this module.

A model in MLflow's registry names the module that loads it. New models name ``fit_model``; nothing
else belongs here.
"""

from quant_assets.tracking.fit_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
