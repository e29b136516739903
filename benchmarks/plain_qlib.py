"""Features of instruments in qlib's expression engine, which ``benchmarks.stocks`` runs.

``python plain_qlib.py FOLDER`` needs qlib alone, so that it can run in an environment of its own.
The folder has qlib's data, and ``expected.npz`` with our values. The figures are printed as JSON.
"""

import json
import math
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP = 330
"""Number of first days that are not compared: qlib has values for windows with a single price."""
TOLERANCE = 1e-3
"""qlib stores prices in single precision."""
_LOG, _VOLUME = "Log($close)", "Log(If(Gt($volume,0),$volume,-1))"
_RAW = f"({_LOG}-Ref({_LOG},1))"
_LIMIT = f"Ref(8*Power(Mean(Power({_RAW},2),60),0.5),1)"
_RETURN = f"Greater(Less({_RAW},{_LIMIT}),-1*{_LIMIT})"


def _z(values: str, window: int) -> str:
    deviation = f"(Std({values},{window})*{math.sqrt(1 - 1 / window)})"
    return f"({values}-Mean({values},{window}))/{deviation}"


EXPRESSIONS = {
    "ret_20": f"Sum({_RETURN},20)",
    "vol_20": f"Power(Mean(Power({_RETURN},2),20),0.5)",
    "momentum_250_20": f"Sum({_RETURN},250)-Sum({_RETURN},20)",
    "parkinson_20": f"Power(Mean(Power(Log($high/$low),2),20)/{4 * math.log(2)},0.5)",
    "rsi_14": f"Sum(Greater({_RETURN},0),14)/Sum(Abs({_RETURN}),14)-0.5",
    "bollinger_20": _z(_LOG, 20),
    "volume_z_20": _z(_VOLUME, 20),
}


def write_data(
    folder: Path, days: Sequence[str], names: Sequence[str], fields: Mapping[str, Any]
) -> None:
    """Write prices in qlib's format.

    Args:
        folder: a new folder.
        days: n days as ``YYYY-MM-DD``.
        names: k names of instruments.
        fields: (n, k) values by field name.
    """
    for part in ("calendars", "instruments"):
        (folder / part).mkdir(parents=True)
    (folder / "calendars" / "day.txt").write_text("\n".join(days))
    lines = [f"{name}\t{days[0]}\t{days[-1]}" for name in names]
    (folder / "instruments" / "all.txt").write_text("\n".join(lines))
    for i, name in enumerate(names):
        home = folder / "features" / name.lower()
        home.mkdir(parents=True)
        for field, values in fields.items():
            # The first number is the position of the first day in the calendar.
            np.append(0.0, values[:, i]).astype("<f4").tofile(home / f"{field}.day.bin")


def main(folder: Path) -> None:
    """Compute the features and those of Alpha158 on one core, and print seconds and agreement."""
    import qlib
    from qlib.contrib.data.loader import Alpha158DL
    from qlib.data import D

    qlib.init(provider_uri=str(folder / "qlib"), kernels=1, logging_level=40)
    expected = np.load(folder / "expected.npz")
    figures: dict[str, float] = {}

    def compute(name: str, expressions: Sequence[str]) -> Any:
        started = time.perf_counter()
        table = D.features(D.instruments("all"), list(expressions), freq="day", disk_cache=0)
        figures[f"{name}, seconds"] = time.perf_counter() - started
        figures[f"{name}, memory"] = _peak()
        return table

    table = compute("features", tuple(EXPRESSIONS.values()))
    agree = []
    for name, expression in EXPRESSIONS.items():
        theirs = table[expression].unstack("instrument").to_numpy()[WARM_UP:]
        ours = expected[name][WARM_UP:]
        both = np.isfinite(theirs) & np.isfinite(ours)
        gap = np.abs(theirs - ours)[both]
        agree.append(float(np.mean(gap <= TOLERANCE * np.maximum(1.0, np.abs(ours[both])))))
    figures["smallest share that agrees"] = min(agree)
    del table
    expressions, _ = Alpha158DL.get_feature_config()
    compute("Alpha158", expressions)
    figures["Alpha158, features"] = float(len(expressions))
    print(json.dumps(figures))


def _peak() -> float:
    """Return the largest memory in GB so far of this process, or of one that qlib started."""
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(process).ru_maxrss for process in processes) / 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]))
