"""The options of bar files in ``market.yaml``: folder, columns, zone, length and other bars.

What the files hold does not belong here.
"""

from dataclasses import dataclass
from pathlib import Path

from quant_assets.market.description.times import read_zone
from quant_assets.market.description.values import Value
from quant_assets.sources.deliveries import BAR_FIELDS
from quant_assets.sources.files.layout import NamedColumn, read_named_columns

REFUSE, SKIP = "refuse", "skip"
START, END = "start", "end"
BAR_COLUMNS = ("symbol", "timestamp", *BAR_FIELDS)
_MINUTES = 15
_MINUTES_A_DAY = 1440


@dataclass(frozen=True)
class BarOptions:
    """The options.

    Attributes:
        place: the folder of bar files, or one file.
        zone: IANA name of the zone of timestamps without an offset, and of the days of all bars.
        columns: columns by our names for them, ``BAR_COLUMNS``.
        minutes: length of a bar.
        at_end: whether a timestamp is the end of its bar; otherwise it is its start.
        skip_others: whether bars of other symbols, of days without trading and outside of sessions
            are left out; otherwise they are refused.
    """

    place: Path
    zone: str
    columns: tuple[tuple[str, NamedColumn], ...] = ()
    minutes: int = _MINUTES
    at_end: bool = False
    skip_others: bool = False


def read_bar_options(value: Value, folder: Path) -> BarOptions:
    """Read the options.

    Args:
        value: the value of ``bars``.
        folder: the folder of the description, from which ``folder`` is seen.

    Raises:
        MarketError: a key or a value is wrong, or two names have one column.
    """
    allowed = ("folder", "columns", "zone", "minutes", "stamped", "other_bars")
    entries = value.record(allowed, required=("folder", "zone"))
    stamped, others = START, REFUSE
    if "stamped" in entries:
        stamped = entries["stamped"].choice("place of a timestamp", (START, END))
    if "other_bars" in entries:
        others = entries["other_bars"].choice("way with other bars", (REFUSE, SKIP))
    columns: tuple[tuple[str, NamedColumn], ...] = ()
    if "columns" in entries:
        columns = read_named_columns(entries["columns"], BAR_COLUMNS)
    return BarOptions(
        folder / entries["folder"].text(),
        read_zone(entries["zone"]),
        columns,
        _read_minutes(entries["minutes"]) if "minutes" in entries else _MINUTES,
        stamped == END,
        others == SKIP,
    )


def _read_minutes(value: Value) -> int:
    minutes = value.whole_number(1)
    if _MINUTES_A_DAY % minutes:
        raise value.error("a day is no multiple of the bars", expected="such as 1, 5, 15, 30 or 60")
    return minutes
