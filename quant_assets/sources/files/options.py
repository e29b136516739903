"""The options of price files in ``market.yaml``: folder, columns, and rows of other days.

What the files hold does not belong here.
"""

from dataclasses import dataclass
from pathlib import Path

from quant_assets.market.description.values import Value
from quant_assets.sources.files.bar_options import BarOptions, read_bar_options
from quant_assets.sources.files.layout import OUR_NAMES, NamedColumn, read_named_columns

REFUSE, SKIP = "refuse", "skip"


@dataclass(frozen=True)
class FileOptions:
    """The options.

    Attributes:
        place: the folder of price files, or one file.
        columns: columns by our names for them, ``OUR_NAMES``.
        skip_other_days: whether rows of days that are no trading days are left out; otherwise they
            are refused.
        bars: options of bars within the day; None without bars.
    """

    place: Path
    columns: tuple[tuple[str, NamedColumn], ...] = ()
    skip_other_days: bool = False
    bars: BarOptions | None = None


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
    entries = options.record(("folder", "columns", "other_days", "bars"))
    place = folder / entries["folder"].text() if "folder" in entries else folder
    columns = read_named_columns(entries["columns"], OUR_NAMES) if "columns" in entries else ()
    other_days = REFUSE
    if "other_days" in entries:
        other_days = entries["other_days"].choice("way with other days", (REFUSE, SKIP))
    bars = read_bar_options(entries["bars"], folder) if "bars" in entries else None
    return FileOptions(place, columns, other_days == SKIP, bars)
