"""The name under which models stored by 0.1.0 and before look for their loader.

A model in MLflow's registry names the module that loads it, and stays as it was stored. New models
name ``fit_model``; nothing else belongs here.
"""

from quant_assets.tracking.fit_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
