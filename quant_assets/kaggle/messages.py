"""The messages of the competition's evaluation service, and the name of its only call.

They are declared in a descriptor pool of their own, so that another copy of the same messages can
be loaded in the same process. What a payload holds is encoded and decoded in ``wire``.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from quant_assets.kaggle.needs import explain_missing_extra

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

PACKAGE = "kaggle_evaluation_client"
SERVICE = f"{PACKAGE}.KaggleEvaluationService"
METHOD = "Send"
CALL = f"/{SERVICE}/{METHOD}"
_KINDS = (
    *("str", "bool", "int", "float", "none", "list", "tuple", "dict"),
    *("pandas_dataframe", "polars_dataframe", "pandas_series", "polars_series"),
    *("numpy_array", "numpy_scalar", "bytes_io"),
)
"""The kinds of a payload; a kind's number is its place from 1."""
_STRING, _BOOL, _SINT64, _FLOAT, _BYTES, _MESSAGE = 9, 8, 17, 2, 12, 11
_OPTIONAL, _REPEATED = 1, 3
_SCALARS = {"str": _STRING, "bool": _BOOL, "int": _SINT64, "float": _FLOAT, "none": _BOOL}
_NESTED = {"list": "PayloadList", "tuple": "PayloadList", "dict": "PayloadMap"}


@cache
def message_classes() -> dict[str, Any]:
    """Return the classes of the messages by name: ``Payload``, ``Request`` and ``Response``.

    Raises:
        SettingsError: the library for protocol buffers is not installed.
    """
    with explain_missing_extra():
        from google.protobuf import descriptor_pool, message_factory
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_declare_file().SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{full}"))
        for name, full in (
            ("Payload", "Payload"),
            ("Request", "KaggleEvaluationRequest"),
            ("Response", "KaggleEvaluationResponse"),
        )
    }


def _declare_file() -> "FileDescriptorProto":
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    file = FileDescriptorProto(name="kaggle_evaluation.proto", package=PACKAGE, syntax="proto3")
    _declare_payload(file.message_type.add(name="Payload"))
    payloads = file.message_type.add(name="PayloadList")
    _add(payloads, "payloads", 1, _MESSAGE, of="Payload", label=_REPEATED)
    _add_map(file.message_type.add(name="PayloadMap"), "payload_map", 1)
    request = file.message_type.add(name="KaggleEvaluationRequest")
    _add(request, "name", 1, _STRING)
    _add(request, "args", 2, _MESSAGE, of="Payload", label=_REPEATED)
    _add_map(request, "kwargs", 3)
    response = file.message_type.add(name="KaggleEvaluationResponse")
    _add(response, "payload", 1, _MESSAGE, of="Payload")
    return file


def _declare_payload(payload: "DescriptorProto") -> None:
    payload.oneof_decl.add(name="value")
    for number, kind in enumerate(_KINDS, start=1):
        of = _NESTED.get(kind)
        form = _MESSAGE if of else _SCALARS.get(kind, _BYTES)
        _add(payload, f"{kind}_value", number, form, of=of, oneof_index=0)


def _add(
    message: "DescriptorProto",
    name: str,
    number: int,
    form: int,
    of: str | None = None,
    label: int = _OPTIONAL,
    **more: int,
) -> None:
    """Add a field to a message; ``of`` names the message that it holds."""
    kind: dict[str, Any] = {"type": form, "label": label, **more}
    if of:
        kind["type_name"] = f".{PACKAGE}.{of}"
    message.field.add(name=name, number=number, **kind)


def _add_map(message: "DescriptorProto", name: str, number: int) -> None:
    """Add a map from text to payloads, which the wire holds as repeated entries."""
    entry_name = "".join(part.title() for part in name.split("_")) + "Entry"
    entry = message.nested_type.add(name=entry_name)
    _add(entry, "key", 1, _STRING)
    _add(entry, "value", 2, _MESSAGE, of="Payload")
    entry.options.map_entry = True
    _add(message, name, number, _MESSAGE, of=f"{message.name}.{entry_name}", label=_REPEATED)
