"""The name under which releases stored by 0.1.0 and before look for their loader.

As in ``served``, for releases: new ones name ``release_model``.
"""

from quant_assets.tracking.release_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
