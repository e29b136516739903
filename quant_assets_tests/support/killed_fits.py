"""Fits in worker processes of their own process, for tests that kill it."""

import sys
from pathlib import Path

from quant_assets.training.fits import make_fits
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import open_lake


def fit_for_long(folder: Path) -> None:
    """Fit a family as of many days on two cores, and say when the first fit is made."""
    fitted = open_lake(folder, synthetic.prices())
    settings = fitted.settings.model_copy(update={"threads": 2, "refit_every": 1})
    days = fitted.days[0].item(), fitted.days[-1].item()
    for _ in make_fits(fitted.lake, settings, "lightgbm", *days, lambda note: None):
        sys.stdout.write("made\n")
        sys.stdout.flush()


if __name__ == "__main__":
    fit_for_long(Path(sys.argv[1]))
