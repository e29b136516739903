"""Folds of a study: the rows that parameters are fitted on and the rows they are judged on.

The training window expands, as in ``training.walk_forward``. A fit as of row r gets
``Observations.rows(0, r + 1)``, whose ``labels()`` hold the labels known on row r. A label of lag k
is therefore trained on up to row r - k - 1; its last price is the close of row r, which comes
before the first price of any judged label. This purges the folds without a further gap.
"""

from dataclasses import dataclass

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.market.targets import MAX_LAG

_DELAY = MAX_LAG + 1
"""Days from a forecast day to the day on which its last label is known."""


@dataclass(frozen=True)
class Fold:
    """A fit as of row ``fit``, judged on the forecasts of the rows from ``fit`` to ``stop - 1``."""

    fit: int
    stop: int

    @property
    def known_on(self) -> int:
        """Row on which the last judged label is known."""
        return self.stop - 1 + _DELAY


@dataclass(frozen=True)
class Folds:
    """The spacing of folds in a history.

    Attributes:
        first_fit_after: number of days before the as-of day of the first fit.
        validation_days: number of days that each fit is judged on.
        step_days: days from one as-of day to the next; folds overlap if fewer than
            ``validation_days``.
    """

    first_fit_after: int = 504
    validation_days: int = 90
    step_days: int = 30

    def of(self, rows: int) -> tuple[Fold, ...]:
        """Return the folds whose labels are all known within ``rows`` days, oldest first.

        A longer history has the same folds and further ones after them.

        Args:
            rows: number of days of the history.

        Raises:
            NotEnoughHistoryError: the history is too short for any fold.

        Examples:
            Of 20 days, the labels of the forecasts up to row 14 are known by the last row, 19. The
            first fit, as of row 8, trains on labels of lag 4 up to row 3 only:

            >>> folds = Folds(first_fit_after=8, validation_days=3, step_days=2)
            >>> folds.of(20)
            (Fold(fit=8, stop=11), Fold(fit=10, stop=13), Fold(fit=12, stop=15))
            >>> [fold.known_on for fold in folds.of(20)]
            [15, 17, 19]
        """
        needed = self.first_fit_after + self.validation_days + _DELAY
        if rows < needed:
            raise NotEnoughHistoryError(
                "too few days to tune on",
                expected=f"at least {needed}",
                found=rows,
                hint="tune as of a later day, validate on fewer days, or load more history",
            )
        fits = range(self.first_fit_after, rows - self.validation_days - _DELAY + 1, self.step_days)
        return tuple(Fold(fit, fit + self.validation_days) for fit in fits)
