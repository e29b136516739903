"""``quant-assets kaggle serve`` and ``replay``: the inference server, and the days sent to it."""

import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from quant_assets.core.errors import SettingsError, SubmissionError
from quant_assets.core.files import write_atomically
from quant_assets.core.settings import load_settings
from quant_assets.kaggle.batches import read_served_days
from quant_assets.kaggle.gateway import ADDRESSES, Replay, replay_days
from quant_assets.kaggle.market import open_loaded_market
from quant_assets.kaggle.official import (
    has_package,
    run_official_gateway,
    start_official_server,
)
from quant_assets.kaggle.prediction import begin_predictor, build_predict
from quant_assets.kaggle.problems import DAY_COLUMN
from quant_assets.kaggle.transport import PORTS, Client, InferenceServer, find_answering

_READY = "inference server: "
_FAILURES = "days without a forecast: "
_PROGRAM = "from quant_assets.cli import main; main()"
_PATIENCE = 30.0
_LOG = "%(asctime)s %(levelname)s %(message)s"


def serve_predictions(folder: Path, port: int | None, say: Callable[[str], object]) -> None:
    """Answer a gateway until a signal arrives, with the folder's own package if it has one.

    Args:
        folder: the competition's folder.
        port: the port to listen on, 0 for a free one; None for the first free one of the
            competition's. The folder's own package chooses by itself.
        say: called with the address once the server listens.

    Raises:
        SettingsError: no port is free, a library is missing, or the package cannot be used.
    """
    logging.basicConfig(level=logging.INFO, format=_LOG)
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    _require_days_before(folder)
    predictor = begin_predictor(folder)
    predict = build_predict(lambda: predictor)
    if has_package(folder):
        _server = start_official_server(folder, predict)  # it answers while it is referenced
        say(f"{_READY}{folder / 'kaggle_evaluation'}")
        ended.wait()
    else:
        own = InferenceServer(predict, PORTS if port is None else (port,))
        own.start()
        say(f"{_READY}{own.address}")
        ended.wait()
        own.stop()
    say(f"{_FAILURES}{predictor.failures} of {predictor.answered}")


def _require_days_before(folder: Path) -> None:
    """Refuse a folder whose days do not follow those of the loaded market.

    Raises:
        SettingsError: no market is loaded, or another one.
    """
    market = open_loaded_market(load_settings(), folder)
    with market.lake:
        newest = int(market.numbers.stored[-1])
    first = read_served_days(folder).date_ids[0]
    if first > newest + 1:
        raise SettingsError(
            "the days of the folder do not follow those of the loaded market",
            where=str(folder / "test.csv"),
            expected=f"a first {DAY_COLUMN} of {newest + 1} at most",
            found=first,
            hint="set QUANT_DATA_DIR to the directory that this market is loaded into, or load the"
            " days between",
        )


def replay_folder(
    folder: Path,
    file: Path,
    *,
    days: int | None,
    address: str | None,
    follow: Callable[[int], None],
) -> Replay:
    """Send the days of a folder to an inference server, and write the submission.

    Args:
        folder: the competition's folder.
        file: path of ``submission.parquet``.
        days: number of days to send; None for all.
        address: a server that runs already; None starts one in a process of its own.
        follow: called with the number of each day that was answered.

    Raises:
        SubmissionError: no server answers, or an answer is wrong.
        SourceError: the folder's days cannot be read.
        SettingsError: a library is missing.
    """
    served = read_served_days(folder)
    if address is not None:
        with Client([address]) as client:
            return replay_days(served, client, file, days=days, follow=follow)
    with run_server(folder) as server, Client(server.addresses, _PATIENCE) as client:
        replay = replay_days(served, client, file, days=days, follow=follow)
    return replace(replay, failures=server.failures)


def replay_officially(folder: Path, file: Path) -> None:
    """Let the gateway of the folder's own package ask for all days, in this process.

    Args:
        folder: the competition's folder.
        file: path of ``submission.parquet``.

    Raises:
        SettingsError: the folder has no package, or its gateway fails.
        SubmissionError: another server would answer.
    """
    if not has_package(folder):
        raise SettingsError(
            "the folder lacks the competition's package",
            where=str(folder),
            expected="kaggle_evaluation, as the competition's data have it",
        )
    _refuse_other_server()
    logging.basicConfig(level=logging.INFO, format=_LOG)
    folder, file = folder.resolve(), file.resolve()
    with TemporaryDirectory() as work, chdir(work):
        run_official_gateway(folder, build_predict(lambda: begin_predictor(folder)))
        write_atomically(file, Path("submission.parquet").read_bytes())


def _refuse_other_server() -> None:
    if stale := find_answering(ADDRESSES):
        # The package's client and ours take the first port that answers.
        raise SubmissionError(
            "another server would answer",
            where=stale,
            expected="no server on the ports of the competition's package",
            hint="end that server, or name it with --address",
        )


@dataclass
class ServerProcess:
    """An inference server in a process of its own.

    Attributes:
        addresses: where it may answer.
        failures: number of days that it answered without a forecast; known once it has ended.
    """

    addresses: Sequence[str]
    failures: int | None = None


@contextmanager
def run_server(folder: Path) -> Iterator[ServerProcess]:
    """Run the inference server in a process of its own while the context lasts."""
    official = has_package(folder)
    if official:
        _refuse_other_server()
    command = [sys.executable, "-c", _PROGRAM, "kaggle", "serve", "--data", str(folder)]
    process = subprocess.Popen(  # noqa: S603 - this program once more
        [*command, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    server = ServerProcess(ADDRESSES)
    try:
        address = _read_address(process)
        if not official:
            server.addresses = (address,)
        yield server
    finally:
        process.terminate()
        said, _ = process.communicate()
        if _FAILURES in said:
            server.failures = int(said.rpartition(_FAILURES)[2].split()[0])


def _read_address(process: "subprocess.Popen[str]") -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line.startswith(_READY):
        raise SubmissionError(
            "the inference server did not start",
            found=f"exit status {process.wait()}",
            hint="its messages are above",
        )
    return line.removeprefix(_READY).strip()
