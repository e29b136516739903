"""Loads models of releases that were stored by 0.1.0 and before, which name this module.

New models name ``release_model``; nothing else belongs here.
"""

from quant_assets.tracking.release_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
