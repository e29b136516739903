"""The notebook that answers the competition's gateway on Kaggle, offline.

The folder that it installs from and reads is written by ``dataset``.
"""

import json
from collections.abc import Mapping
from typing import Any

MANIFEST = "quant-assets-dataset.json"
"""The file by which the notebook recognises its dataset."""
_ABOUT = """# quant_assets answers the competition's gateway

Add two inputs: the competition's data, and the dataset that `quant-assets kaggle notebook` wrote.
Switch the internet off. Run all cells: they replay the days of `test.csv` and leave
`submission.parquet`. Then submit the notebook."""
_INSTALL = """import os
import subprocess
import sys
from pathlib import Path

INPUT = Path("/kaggle/input")
DATASET = next(INPUT.glob("**/{manifest}")).parent
COMPETITION = next(INPUT.glob("**/kaggle_evaluation")).parent
PACKAGES = Path("/tmp/quant_assets_packages")

# The packages of the image stay as they are: a folder of its own comes before them.
wheels = sorted(str(wheel) for wheel in (DATASET / "wheels").glob("*.whl"))
options = ["--no-index", "--no-deps", "--quiet", "--upgrade", "--target", str(PACKAGES)]
subprocess.run([sys.executable, "-m", "pip", "install", *options, *wheels], check=True)
sys.path[:0] = [str(PACKAGES), str(COMPETITION)]"""
_SETTINGS = """os.environ["QUANT_DATA_DIR"] = str(DATASET / "data")
os.environ.update({settings})"""
_SERVE = """import logging

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")

from kaggle_evaluation.mitsui_inference_server import MitsuiInferenceServer
from quant_assets.kaggle import predict

server = MitsuiInferenceServer(predict)
if os.getenv("KAGGLE_IS_COMPETITION_RERUN"):
    server.serve()
else:
    server.run_local_gateway((str(COMPETITION),))"""


def build_notebook(settings: Mapping[str, str]) -> str:
    """Return the text of the notebook.

    Args:
        settings: ``QUANT_*`` variables under which the market was computed.
    """
    install = _INSTALL.replace("{manifest}", MANIFEST)
    variables = _SETTINGS.replace("{settings}", json.dumps(dict(settings), indent=4))
    cells = [_cell("markdown", _ABOUT)]
    cells += [_cell("code", text) for text in (install, variables, _SERVE)]
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "kaggle": {"isInternetEnabled": False, "isGpuEnabled": False, "language": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    return json.dumps(notebook, indent=1) + "\n"


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
