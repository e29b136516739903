"""A gateway for testing: it sends a folder's days to an inference server, and keeps the answers.

It follows the official gateway in the order of days, the frames, the deadlines and the file that it
writes, and is stricter about the answers.
"""

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.core.errors import SubmissionError
from quant_assets.core.files import write_atomically
from quant_assets.core.typing import FloatArray
from quant_assets.kaggle.answers import check_answer
from quant_assets.kaggle.batches import Served
from quant_assets.kaggle.needs import explain_missing_extra
from quant_assets.kaggle.problems import DAY_COLUMN
from quant_assets.kaggle.transport import HOST, PORTS, Client

if TYPE_CHECKING:
    import polars as pl

ENDPOINT = "predict"
SECONDS = 300.0
"""Deadline of every call but the first, which has none."""
ADDRESSES = tuple(f"{HOST}:{port}" for port in PORTS)


@dataclass(frozen=True)
class Replay:
    """The result of a replay.

    Attributes:
        file: the submission that was written.
        days: number of its days.
        seconds: (n,) duration of each call.
        failures: number of days that the server answered without a forecast of the market; None
            if it does not say.
    """

    file: Path
    days: int
    seconds: FloatArray
    failures: int | None = None

    def describe(self) -> str:
        """Say how many days were served, and how long the calls took."""
        later = self.seconds[1:]
        more = f", later ones at most {later.max():.2f} s" if len(later) else ""
        failed = (
            f"; {self.failures} of them without a forecast, and the messages above say why"
            if self.failures
            else ""
        )
        return (
            f"{self.file}: {self.days} days; the first call took {self.seconds[0]:.1f} s"
            f"{more}{failed}"
        )


def replay_days(
    served: Served,
    client: Client,
    file: Path,
    *,
    days: int | None = None,
    seconds: float = SECONDS,
    follow: Callable[[int], None] = lambda _: None,
) -> Replay:
    """Send days in the order of the file, check the answers, and write the submission.

    A failure leaves no file.

    Args:
        served: the folder's days.
        client: a connection to the inference server.
        file: path of ``submission.parquet``.
        days: number of days to send; None for all.
        seconds: deadline of every call but the first.
        follow: called with the number of each day that was answered.

    Raises:
        SubmissionError: an answer is wrong, is late, or is of another kind than the first.
    """
    rows: list[pl.DataFrame] = []
    durations: list[float] = []
    ids: list[int] = []
    kind: type | None = None
    for batch in served.batches(days):
        began = time.monotonic()
        answer = client.send(ENDPOINT, *batch.frames, seconds=seconds if rows else None)
        durations.append(time.monotonic() - began)
        rows.append(check_answer(answer, served.targets, batch.date_id))
        kind = kind or type(answer)
        if type(answer) is not kind:
            raise SubmissionError(
                "the kind of the answers changes",
                where=f"{DAY_COLUMN} {batch.date_id}",
                expected=kind.__module__,
                found=type(answer).__module__,
            )
        ids.append(batch.date_id)
        follow(batch.date_id)
    if not ids:
        raise SubmissionError("there is no day to send", where=str(served.folder / "test.csv"))
    write_atomically(file, _write_submission(ids, rows))
    return Replay(file, len(ids), np.array(durations))


def _write_submission(ids: Sequence[int], rows: Sequence["pl.DataFrame"]) -> bytes:
    """Return the Parquet file of the answers: the days first, then the forecasts."""
    with explain_missing_extra():
        import polars as pl
    table = pl.concat(rows).select(pl.Series(DAY_COLUMN, ids, dtype=pl.Int64), pl.all())
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()
