"""Folds: the days that parameters are fitted on, and those that they are judged on.

Row numbers only. The window expands, as in ``training.walk_forward``: a fit as of row r gets
``Observations.rows(0, r + 1)``, whose ``labels()`` hold the labels known by r. A label of lag k
therefore trains up to row r - k - 1 only. Its last price is known on row r, before the first price
of any label judged, so that the folds are purged already.
"""

from dataclasses import dataclass

from quant_assets.core.errors import NotEnoughHistoryError


@dataclass(frozen=True)
class Fold:
    """A fit, and the rows that it is judged on.

    Attributes:
        fit_row: as-of row of the fit, and first row that it forecasts.
        stop_row: row after the last one that it forecasts.
        known_row: row by which all labels that the fold is judged by are known.
    """

    fit_row: int
    stop_row: int
    known_row: int


@dataclass(frozen=True)
class Folds:
    """How a history is divided into folds.

    Attributes:
        first_fit_after: days before the as-of day of the first fit.
        validation_days: days that each fit is judged on.
        step_days: days from one fit to the next; with fewer than ``validation_days``, folds
            overlap.
    """

    first_fit_after: int = 504
    validation_days: int = 90
    step_days: int = 30

    def split(self, rows: int, delay: int) -> tuple[Fold, ...]:
        """Return the folds whose labels are all known within the first ``rows`` days, oldest first.

        More days add folds and move none.

        Args:
            rows: number of days.
            delay: days from a forecast day to the day on which its last label is known: the longest
                lag and one more.

        Raises:
            NotEnoughHistoryError: the days are too few for one fold.

        Examples:
            Of 20 days, the labels of lag 4 of the forecasts up to row 14 are known by the last
            row, 19. The first fit, as of row 8, trains on labels of that lag up to row 3 only:

            >>> folds = Folds(first_fit_after=8, validation_days=3, step_days=2)
            >>> [(fold.fit_row, fold.stop_row, fold.known_row) for fold in folds.split(20, delay=5)]
            [(8, 11, 15), (10, 13, 17), (12, 15, 19)]
        """
        needed = self.first_fit_after + self.validation_days + delay
        if rows < needed:
            raise NotEnoughHistoryError(
                "too few days to tune on",
                expected=f"at least {needed}",
                found=rows,
                hint="tune as of a later day, validate on fewer days, or load more history",
            )
        fits = range(self.first_fit_after, rows - self.validation_days - delay + 1, self.step_days)
        known_after = self.validation_days - 1 + delay
        return tuple(Fold(fit, fit + self.validation_days, fit + known_after) for fit in fits)
