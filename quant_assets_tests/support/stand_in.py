"""A package with the interface of the competition's, which has no licence and cannot be kept here.

It stands in for it where the import and the calls of the package are tested, and nothing else: the
server and the gateway behind it are this project's own.
"""

from pathlib import Path

_MODULE = """
from pathlib import Path

from quant_assets.kaggle.batches import read_served_days
from quant_assets.kaggle.gateway import replay_days
from quant_assets.kaggle.transport import Client, InferenceServer


class MitsuiInferenceServer:
    def __init__(self, *functions):
        (self.function,) = functions

    def serve(self):
        self.server = InferenceServer(self.function)
        self.server.start()

    def run_local_gateway(self, data_paths):
        server = InferenceServer(self.function, [0])
        server.start()
        with Client([server.address]) as client:
            replay_days(read_served_days(Path(data_paths[0])), client, Path("submission.parquet"))
        server.stop()
"""


def write_stand_in(folder: Path) -> None:
    """Write the package into a competition folder."""
    package = folder / "kaggle_evaluation"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "mitsui_inference_server.py").write_text(_MODULE)
