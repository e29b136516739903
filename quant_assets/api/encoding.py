"""What an answer says, and its encoding as JSON, CSV or an Arrow stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from starlette.datastructures import URL

from quant_assets.api.accept import CSV, JSON

_FIELDS = b"quant_assets"
"""Key of an Arrow stream's metadata that holds the fields beside the rows, as JSON."""

_VARY = "Accept, X-API-Key, Authorization"


@dataclass(frozen=True)
class Content:
    """What an answer says, before it is encoded.

    Attributes:
        fields: members of the JSON object beside the rows; in a table, metadata.
        rows: the rows; None for an answer that has no rows, which is JSON only.
        name: name of the rows in the JSON object.
        repeated: fields that are columns too where the answer is a table.
        next_page: cursor of the page that follows; None on the last page, and without pages.
    """

    fields: Mapping[str, Any]
    rows: pa.Table | None = None
    name: str = "rows"
    repeated: tuple[str, ...] = ()
    next_page: str | None = None


@dataclass(frozen=True)
class Answer:
    """An encoded answer; a NaN or an infinity of the lake is null in it."""

    body: bytes
    media: str
    headers: Mapping[str, str]


def encode(content: Content, media: str, url: URL) -> Answer:
    """Encode a content in a format; a link to the next page repeats the request's ``url``."""
    if media == JSON:
        body = _encode_json(content)
    else:
        rows = _to_table(content)
        body = _encode_csv(rows) if media == CSV else _encode_arrow(rows, content.fields)
    digest = blake2b(body, digest_size=12, person=media[-16:].encode()).hexdigest()
    headers = {"ETag": f'"{digest}"', "Vary": _VARY, "Cache-Control": "private, no-cache"}
    if content.next_page is not None:
        following = url.include_query_params(cursor=content.next_page)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return Answer(body, media, headers)


def _encode_json(content: Content) -> bytes:
    document = dict(content.fields)
    if content.rows is not None:
        document[content.name] = to_utc(content.rows).to_pylist()
    return msgspec.json.encode(document)


def _to_table(content: Content) -> pa.Table:
    rows = to_utc(cast(pa.Table, content.rows))
    for name in reversed(content.repeated):
        value = pa.scalar(content.fields[name])
        rows = rows.add_column(0, name, pa.repeat(value, rows.num_rows))
    return rows


def to_utc(rows: pa.Table) -> pa.Table:
    """Return rows whose moments have the time zone UTC, and whose numbers are finite or null."""
    for i, column in enumerate(rows.columns):
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            column = column.cast(pa.timestamp("us", "UTC"))  # noqa: PLW2901 - the column, converted
        elif pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, None)  # noqa: PLW2901 - likewise
        rows = rows.set_column(i, rows.column_names[i], column)
    return rows


def _encode_csv(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    csv.write_csv(rows, sink)
    return bytes(sink.getvalue().to_pybytes())


def _encode_arrow(rows: pa.Table, fields: Mapping[str, Any]) -> bytes:
    described = rows.replace_schema_metadata({_FIELDS: msgspec.json.encode(fields)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, described.schema) as writer:
        writer.write_table(described)
    return bytes(sink.getvalue().to_pybytes())
