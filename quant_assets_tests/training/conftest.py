"""The small market with all fits and forecasts, as it is and with later prices changed."""

from quant_assets_tests.support.fitted_lake import altered, fitted

__all__ = ["altered", "fitted"]
