"""Values as payloads of the evaluation service, and back.

Frames of polars travel as Arrow's stream format, those of pandas and the series of both as Parquet,
arrays as ``.npy``. Nothing is ever unpickled.
"""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from quant_assets.core.errors import SubmissionError
from quant_assets.kaggle.messages import message_classes
from quant_assets.kaggle.needs import explain_missing_extra

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_SERIES = "series"
"""The column of a series without a name."""


def encode(value: Any) -> Any:
    """Return a payload message that holds a value.

    Args:
        value: text, a boolean, a number, None, a frame or a series of polars or pandas, an array,
            ``io.BytesIO``, or a list, tuple or dictionary of these.

    Raises:
        SubmissionError: a payload cannot hold the value.
    """
    payload = message_classes()["Payload"]()
    _fill(payload, value)
    return payload


def decode(payload: Any) -> Any:
    """Return the value that a payload message holds.

    Raises:
        SubmissionError: the payload is empty or damaged.
    """
    kind = payload.WhichOneof("value")
    if kind is None:
        raise SubmissionError(
            "a payload holds no value", expected="one of the kinds of the evaluation service"
        )
    content = getattr(payload, kind)
    if kind in ("str_value", "bool_value", "int_value", "float_value"):
        return content
    if kind == "none_value":
        return None
    if kind in ("list_value", "tuple_value"):
        values = [decode(each) for each in content.payloads]
        return values if kind == "list_value" else tuple(values)
    if kind == "dict_value":
        return {key: decode(each) for key, each in content.payload_map.items()}
    try:
        return _READERS[kind](io.BytesIO(content))
    except Exception as error:
        raise SubmissionError(
            "a payload is damaged",
            where=kind,
            expected="a table or an array in the form of the evaluation service",
            found=f"{len(content)} bytes: {str(error).splitlines()[0][:200]}",
        ) from error


def _fill(payload: Any, value: Any) -> None:
    if value is None:
        payload.none_value = True
    elif isinstance(value, np.generic):  # some of these are Python's numbers and text too
        payload.numpy_scalar_value = _write_array(np.asarray(value))
    elif isinstance(value, bool):
        payload.bool_value = value
    elif isinstance(value, str):
        payload.str_value = value
    elif isinstance(value, int):
        payload.int_value = value
    elif isinstance(value, float):
        payload.float_value = value
    elif isinstance(value, list | tuple):
        target = payload.list_value if isinstance(value, list) else payload.tuple_value
        target.SetInParent()
        for each in value:
            _fill(target.payloads.add(), each)
    elif isinstance(value, dict):
        payload.dict_value.SetInParent()
        for key, each in value.items():
            _fill(payload.dict_value.payload_map[key], each)
    else:
        _fill_with_table(payload, value)


def _fill_with_table(payload: Any, value: Any) -> None:
    import pandas as pd

    with explain_missing_extra():
        import polars as pl

    if isinstance(value, np.ndarray):
        payload.numpy_array_value = _write_array(value)
    elif isinstance(value, io.BytesIO):
        payload.bytes_io_value = value.getvalue()
    elif isinstance(value, pl.DataFrame):
        payload.polars_dataframe_value = _write_stream(value)
    elif isinstance(value, pd.DataFrame):
        payload.pandas_dataframe_value = _write_parquet(value)
    elif isinstance(value, pl.Series):
        file = io.BytesIO()
        value.to_frame().write_parquet(file, compression="lz4", statistics=False)
        payload.polars_series_value = file.getvalue()
    elif isinstance(value, pd.Series):
        frame = value.to_frame(_SERIES if value.name is None else str(value.name))
        payload.pandas_series_value = _write_parquet(frame)
    else:
        raise SubmissionError(
            "a value cannot be sent",
            expected="a frame, a series, an array, text, a number, or a collection of these",
            found=f"a value of the type {type(value).__name__}",
        )


def _write_stream(frame: "pl.DataFrame") -> bytes:
    file = io.BytesIO()
    frame.write_ipc_stream(file, compression="lz4")
    return file.getvalue()


def _write_parquet(frame: "pd.DataFrame") -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file, index=False, compression="lz4")
    return file.getvalue()


def _write_array(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _read_stream(file: io.BytesIO) -> "pl.DataFrame":
    with explain_missing_extra():
        import polars as pl
    return pl.read_ipc_stream(file)


def _read_polars_series(file: io.BytesIO) -> "pl.Series":
    with explain_missing_extra():
        import polars as pl
    return pl.read_parquet(file).to_series()


def _read_parquet(file: io.BytesIO) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(file)


def _read_array(file: io.BytesIO) -> Any:
    return np.load(file, allow_pickle=False)


_READERS: dict[str, Callable[[io.BytesIO], Any]] = {
    "pandas_dataframe_value": _read_parquet,
    "polars_dataframe_value": _read_stream,
    "pandas_series_value": lambda file: _read_parquet(file).iloc[:, 0],
    "polars_series_value": _read_polars_series,
    "numpy_array_value": _read_array,
    "numpy_scalar_value": lambda file: _read_array(file)[()],
    "bytes_io_value": lambda file: file,
}
