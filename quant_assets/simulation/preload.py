"""Imports the packages of a rehearsal once, in the process that all its processes fork from."""

import gc
import os
from importlib import import_module

from quant_assets.quality.expectations import prepare

# MLflow reads these variables when it is imported, and would send telemetry without them.
os.environ.update(MLFLOW_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
for name in (
    *("apprise", "jinja2", "lightgbm", "matplotlib.backends.backend_agg", "mlflow.tracking"),
    *("mlflow.store.tracking.sqlalchemy_store", "prometheus_client", "scipy.stats"),
    *("sklearn.ensemble", "statsmodels.api", "tabulate"),
    *("torch", "torch._inductor"),
    *("quant_assets.cli", "quant_assets.definitions", "quant_assets.simulation.daemon"),
):
    import_module(name)
prepare()
# Garbage collection over all these modules would take a tenth of each process's time.
gc.freeze()
gc.set_threshold(200_000)
