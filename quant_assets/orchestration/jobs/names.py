"""Names of the jobs that assets and sensors ask for by name. What the jobs have is beside it."""

REFRESH, REVISE, LOAD, WATCH, UPDATE = (
    *("refresh_daily", "revise_history", "load_history", "watch_daily", "update_daily"),
)
REDOING_JOBS = frozenset({REVISE, LOAD})
"""Jobs that do everything again that depends on prices, from the first changed day on."""
PRICE_JOBS = REDOING_JOBS | {REFRESH}
"""Jobs that store prices and what depends on them; no other may meet a changed past."""
RESUBMISSION_TAG = "quant/resubmission"
"""Tag of a run that replaces live submissions; its value is the reason."""
