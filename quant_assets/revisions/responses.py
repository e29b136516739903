"""The records of vendors' answers, which a run stores together with what came of them.

Asking a vendor and keeping the bodies of answers belong in ``sources``.
"""

from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING

from quant_assets.lake.schemas.source_tables import RESPONSES
from quant_assets.lake.store.changes import Change, append
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.protocol import KeepsResponses, Source

if TYPE_CHECKING:
    from quant_assets.sources.http.responses import ResponseRecord


def list_new_responses(lake: Lake, source: Source) -> list[Change]:
    """List the change that adds the records of a source's answers which are not stored yet.

    Returns an empty list if there are none, or if the source keeps no answers.

    Args:
        lake: the lake.
        source: the source of the prices.

    Raises:
        SourceError: the kept records cannot be read.
    """
    return list_new_records(lake, source.responses() if isinstance(source, KeepsResponses) else ())


def list_new_records(lake: Lake, records: "Iterable[ResponseRecord]") -> list[Change]:
    """List the change that adds the records of answers which are not stored yet.

    Args:
        lake: the lake.
        records: of kept answers.
    """
    stored = set()
    if lake.has(RESPONSES):
        keys = lake.arrow(f"SELECT source, id, answered_at FROM {RESPONSES.quoted}").to_pylist()
        stored = {(key["source"], key["id"], key["answered_at"]) for key in keys}
    rows = [
        vars(record) | {"answered_at": record.at.astimezone(UTC).replace(tzinfo=None)}
        for record in records
    ]
    new = [row for row in rows if (row["source"], row["id"], row["answered_at"]) not in stored]
    names = [column.name for column in RESPONSES.columns]
    return [append(RESPONSES, {name: [row[name] for row in new] for name in names})] if new else []
