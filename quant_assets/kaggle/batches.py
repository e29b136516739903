"""The days of a competition folder, as the gateway sends them: one batch of frames a day.

Sending them and judging the answers belong in ``gateway`` and ``answers``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_assets.core.errors import SourceError, SubmissionError
from quant_assets.kaggle.needs import explain_missing_extra
from quant_assets.kaggle.problems import DAY_COLUMN
from quant_assets.sources.competition.csv_header import read_header
from quant_assets.sources.competition.folder_files import COMPETITION_LAGS, FolderFiles

if TYPE_CHECKING:
    import polars as pl

LABEL_DAY = "label_date_id"


@dataclass(frozen=True)
class Batch:
    """What is known of a day when its forecast is asked for.

    Attributes:
        date_id: the source's number of the day.
        frames: the row of ``test.csv``, then the labels that became known, a frame for each lag;
            a frame has no row while none is known.
    """

    date_id: int
    frames: tuple["pl.DataFrame", ...]


@dataclass(frozen=True)
class Served:
    """The days of a folder.

    Attributes:
        folder: the folder.
        test: the rows of ``test.csv``, in the order of the file.
        lagged: the labels that became known, a frame for each lag.
    """

    folder: Path
    test: "pl.DataFrame"
    lagged: tuple["pl.DataFrame", ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the forecasts that are expected, in order."""
        ids = (DAY_COLUMN, LABEL_DAY)
        return tuple(name for frame in self.lagged for name in frame.columns if name not in ids)

    @property
    def date_ids(self) -> list[int]:
        """The days in order of their appearance."""
        days: list[int] = self.test[DAY_COLUMN].unique(maintain_order=True).to_list()
        return days

    def batches(self, days: int | None = None) -> Iterator[Batch]:
        """Yield the batch of each day in order; with ``days``, of the first ones only."""
        for date_id in self.date_ids[:days]:
            frames = (self.test, *self.lagged)
            yield Batch(
                date_id, tuple(frame.filter(frame[DAY_COLUMN] == date_id) for frame in frames)
            )


def read_served_days(folder: Path) -> Served:
    """Read ``test.csv`` and the lagged labels with plain inference of types.

    A column that is empty in the whole file holds texts, as in the competition.

    Raises:
        SourceError: a file is missing, or cannot be read.
        SubmissionError: the lagged labels name a target twice.
        SettingsError: a library is missing.
    """
    files = FolderFiles(folder)
    lagged = files.lagged_labels()
    absent = [lag for lag in COMPETITION_LAGS if lag not in lagged]
    if absent:
        raise SourceError(
            "the labels that become known are missing",
            where=str(folder / "lagged_test_labels"),
            expected=f"test_labels_lag_{absent[0]}.csv",
            found=f"files of the lags {sorted(lagged)}" if lagged else "none",
        )
    frames = [_read(path) for path in (files.test, *(lagged[lag] for lag in COMPETITION_LAGS))]
    served = Served(folder, frames[0], tuple(frames[1:]))
    if len(set(served.targets)) < len(served.targets):
        raise SubmissionError("a target has labels of two lags", where=str(folder))
    return served


def _read(path: Path) -> "pl.DataFrame":
    with explain_missing_extra():
        import polars as pl
    header = read_header(path)
    error: Any
    try:
        frame = pl.read_csv(path)
    except (pl.exceptions.PolarsError, OSError) as reason:
        error = str(reason).splitlines()[0]
    else:
        if DAY_COLUMN in header and not frame.height:
            # A file of few days may know no label yet; the official gateway would fail.
            return pl.DataFrame(
                schema={name: pl.Int64 if name == DAY_COLUMN else pl.Float64 for name in header}
            )
        if DAY_COLUMN in header and frame[DAY_COLUMN].dtype == pl.Int64:
            return frame
        error = f"{frame[DAY_COLUMN].dtype}" if DAY_COLUMN in header else "no such column"
    raise SourceError(
        "the days to be served cannot be read",
        where=str(path),
        expected=f"rows with a whole number {DAY_COLUMN}",
        found=error,
    )
