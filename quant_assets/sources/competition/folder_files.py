"""The files of a folder in the competition's format: their paths, and how they look from outside.

Nothing is read here.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quant_assets.sources.competition.file_state import is_there, state_of

COMPETITION_LAGS = (1, 2, 3, 4)
"""Horizons of the competition's targets in trading days, each with a file of later labels."""


@dataclass(frozen=True)
class FolderFiles:
    """The paths of the files, which need not exist.

    Attributes:
        folder: folder with the files; it may be a link.
    """

    folder: Path

    @property
    def train(self) -> Path:
        """Prices."""
        return self.folder / "train.csv"

    @property
    def test(self) -> Path:
        """Later prices, and prices once more."""
        return self.folder / "test.csv"

    @property
    def pairs(self) -> Path:
        """Targets."""
        return self.folder / "target_pairs.csv"

    @property
    def calendar(self) -> Path:
        """Dates of the rows."""
        return self.folder / "calendar.csv"

    @property
    def labels(self) -> Path:
        """Labels of the rows of ``train``."""
        return self.folder / "train_labels.csv"

    def lagged_labels(self) -> dict[int, Path]:
        """Return the files of later labels that exist, by lag."""
        return {lag: path for lag, path in self._possible_lagged().items() if is_there(path)}

    def existing(self) -> Iterator[Path]:
        """Return the files that exist, in a fixed order."""
        return (path for path in self._possible() if is_there(path))

    def look(self) -> str:
        """Return a digest of each file's place on disk, size and times, links followed."""
        states = [(path.name, state_of(path)) for path in self._possible()]
        return hashlib.sha256(repr(states).encode()).hexdigest()

    def _possible_lagged(self) -> dict[int, Path]:
        folder = self.folder / "lagged_test_labels"
        return {lag: folder / f"test_labels_lag_{lag}.csv" for lag in COMPETITION_LAGS}

    def _possible(self) -> Iterator[Path]:
        yield from (self.calendar, self.pairs, self.test, self.train, self.labels)
        yield from self._possible_lagged().values()
