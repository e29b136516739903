"""The competition on Kaggle: ``predict``, which its inference server calls once a day."""

from quant_assets.kaggle.prediction import predict

__all__ = ["predict"]
