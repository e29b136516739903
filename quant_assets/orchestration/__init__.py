"""The Dagster shell: what depends on what, when it runs and where it is stored."""

import gc

# Each process of Dagster begins by importing this package and what it uses. With Python's own
# threshold, a tenth of that time would go into looking for garbage that is not there.
gc.set_threshold(200_000)
