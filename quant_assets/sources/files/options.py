"""The options of price files in ``market.yaml``: folder, columns, and rows of other days.

What the files hold does not belong here.
"""

from dataclasses import dataclass
from pathlib import Path

from quant_assets.market.description.values import Value, quote
from quant_assets.sources.files.layout import OUR_NAMES, NamedColumn

REFUSE, SKIP = "refuse", "skip"


@dataclass(frozen=True)
class FileOptions:
    """The options.

    Attributes:
        place: the folder of price files, or one file.
        columns: columns by our names for them, ``OUR_NAMES``.
        skip_other_days: whether rows of days that are no trading days are left out; otherwise they
            are refused.
    """

    place: Path
    columns: tuple[tuple[str, NamedColumn], ...] = ()
    skip_other_days: bool = False


def read_options(options: Value | None, folder: Path) -> FileOptions:
    """Read the options.

    Args:
        options: the value under the name of the source; None for the defaults.
        folder: the folder of the description, from which ``folder`` is seen.

    Raises:
        MarketError: a key or a value is wrong, or two names have one column.
    """
    if options is None or options.content is None:
        return FileOptions(folder)
    entries = options.record(("folder", "columns", "other_days"))
    place = folder / entries["folder"].text() if "folder" in entries else folder
    columns = _read_columns(entries["columns"]) if "columns" in entries else ()
    other_days = REFUSE
    if "other_days" in entries:
        other_days = entries["other_days"].choice("way with other days", (REFUSE, SKIP))
    return FileOptions(place, columns, other_days == SKIP)


def _read_columns(value: Value) -> tuple[tuple[str, NamedColumn], ...]:
    columns: dict[str, NamedColumn] = {}
    for ours, item in value.record(OUR_NAMES).items():
        name = item.text()
        other = next((known for known, column in columns.items() if column.name == name), None)
        if other is not None:
            raise item.error(
                "a column has two meanings",
                expected="every column once",
                found=f"{quote(name)} for {other} and for {ours}",
            )
        columns[ours] = NamedColumn(name, item.where)
    return tuple(columns.items())
