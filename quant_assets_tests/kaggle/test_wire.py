"""Payloads of the evaluation service: round trips, bytes, and a second copy of the messages."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from quant_assets.core.errors import SubmissionError
from quant_assets.kaggle.messages import message_classes
from quant_assets.kaggle.wire import decode, encode

FRAME = pl.DataFrame(
    {"date_id": [1827], "price": [1.5], "empty": [None], "is_scored": [True]},
    schema={
        "date_id": pl.Int64,
        "price": pl.Float64,
        "empty": pl.String,
        "is_scored": pl.Boolean,
    },
)
# Numbers of the kinds and bytes as in the published description of the service, by hand.
BYTES = {
    "text": ("hi", b"\x0a\x02hi"),
    "true": (True, b"\x10\x01"),
    "false": (False, b"\x10\x00"),
    "negative": (-5, b"\x18\x09"),
    "fraction": (1.5, b"\x25\x00\x00\xc0\x3f"),
    "none": (None, b"\x28\x01"),
    "list": ([1], b"\x32\x04\x0a\x02\x18\x02"),
    "empty list": ([], b"\x32\x00"),
    "tuple": (("a",), b"\x3a\x05\x0a\x03\x0a\x01a"),
    "dictionary": ({"k": 1}, b"\x42\x09\x0a\x07\x0a\x01k\x12\x02\x18\x02"),
}


def travel(value: Any) -> Any:
    payload = encode(value)
    return decode(type(payload).FromString(payload.SerializeToString()))


@pytest.mark.parametrize(("value", "content"), BYTES.values(), ids=BYTES)
def test_plain_values_have_the_bytes_of_the_service(value: Any, content: bytes) -> None:
    assert encode(value).SerializeToString() == content
    assert decode(message_classes()["Payload"].FromString(content)) == value


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (FRAME.to_pandas(), 9),
        (FRAME, 10),
        (pd.Series([1.0]), 11),
        (FRAME["price"], 12),
        (np.arange(3), 13),
        (np.float32(1), 14),
        (io.BytesIO(b"x"), 15),
    ],
)
def test_tables_and_arrays_have_their_numbers(value: Any, number: int) -> None:
    tag = encode(value).SerializeToString()[0]
    assert (tag >> 3, tag & 7) == (number, 2)


@pytest.mark.parametrize("frame", [FRAME, FRAME.clear()], ids=["a row", "no row"])
def test_frames_keep_their_types(frame: pl.DataFrame) -> None:
    assert travel(frame).equals(frame)
    assert travel(frame).schema == frame.schema
    pd.testing.assert_frame_equal(travel(frame.to_pandas()), frame.to_pandas())


def test_frames_of_polars_travel_as_a_compressed_stream_of_arrow() -> None:
    import pyarrow.ipc

    content = encode(pl.DataFrame({"x": np.zeros(10_000)})).polars_dataframe_value
    assert pyarrow.ipc.open_stream(content).read_all().num_rows == 10_000
    assert len(content) < 4_000
    assert encode(FRAME.to_pandas()).pandas_dataframe_value.startswith(b"PAR1")


def test_series_and_arrays_travel() -> None:
    assert travel(FRAME["price"]).equals(FRAME["price"])
    pd.testing.assert_series_equal(travel(pd.Series([1.0], name="x")), pd.Series([1.0], name="x"))
    np.testing.assert_array_equal(travel(np.array([[1, 2]])), [[1, 2]])
    assert isinstance(travel(np.float64(2.5)), np.float64)
    assert travel({"a": [FRAME, (1, None)]})["a"][1] == (1, None)
    assert travel(io.BytesIO(b"x")).getvalue() == b"x"


def test_what_cannot_travel_is_refused_with_its_type() -> None:
    with pytest.raises(SubmissionError, match="type object"):
        encode(object())
    with pytest.raises(ValueError, match="pickle"):
        encode(np.array([object()]))


def test_damaged_payloads_are_refused() -> None:
    payload = message_classes()["Payload"]
    for wrong in (payload(), payload(polars_dataframe_value=b"x"), payload(numpy_array_value=b"x")):
        with pytest.raises(SubmissionError, match="payload"):
            decode(wrong)
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}]), allow_pickle=True)
    with pytest.raises(SubmissionError, match="payload is damaged"):
        decode(payload(numpy_array_value=pickled.getvalue()))


@pytest.mark.parametrize("ours_first", [True, False])
def test_another_copy_of_the_messages_may_be_loaded_in_the_process(ours_first: bool) -> None:
    """The competition's package declares them in the default pool, which refuses a name twice."""
    ours = "from quant_assets.kaggle.wire import encode; sent = encode('hi').SerializeToString()"
    theirs = """
from google.protobuf import descriptor_pool, descriptor_pb2
file = descriptor_pb2.FileDescriptorProto(
    name="kaggle_evaluation.proto", package="kaggle_evaluation_client", syntax="proto3")
file.message_type.add(name="Payload").field.add(name="str_value", number=1, type=9, label=1)
descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""
    steps = [ours, theirs] if ours_first else [theirs, ours]
    program = "\n".join([*steps, "assert sent == b'\\x0a\\x02hi'"])
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
