"""Format results for a terminal or a file. What is shown is decided by the commands."""

import shutil
import textwrap
from pathlib import Path

import pandas as pd
from tabulate import tabulate  # type: ignore[import-untyped]  # has no stubs

from quant_assets.core.files import write_atomically

_NARROWEST = 20


def format_table(rows: pd.DataFrame, *, wrap: str = "", as_given: bool = False) -> str:
    """Return a small frame as text: words left, numbers aligned by point, a dash where empty.

    Args:
        rows: what to show.
        wrap: column to break into lines where the terminal is too narrow.
        as_given: keep text that looks like a number as it is.
    """
    widths = [None if name != wrap else _width_left_for(rows, wrap) for name in rows.columns]
    text: str = tabulate(
        rows.astype(object).where(rows.notna(), None).to_dict("list"),
        headers="keys",
        tablefmt="simple",
        floatfmt=".3f",
        intfmt=",",
        missingval="-",
        maxcolwidths=widths,
        disable_numparse=as_given,
    )
    return text


def write_output(file: Path, content: bytes) -> None:
    """Write what a command prints to a file that the user names.

    A regular file is replaced whole or not at all. A device, a pipe, or a link and the file behind
    it are what the user named: they are written to, and stay.

    Args:
        file: the file, which need not exist.
        content: its bytes.

    Raises:
        OSError: the file cannot be written.
    """
    if is_replaced(file):
        write_atomically(file, content)
    else:
        file.write_bytes(content)


def is_replaced(file: Path) -> bool:
    """Return whether a name is or becomes a regular file; no device, pipe, link or folder."""
    return not file.is_symlink() and (file.is_file() or not file.exists())


def wrap_text(text: str) -> str:
    """Return the text broken into lines of the terminal's width."""
    return textwrap.fill(text, _terminal_width())


def _terminal_width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _width_left_for(rows: pd.DataFrame, wrap: str) -> int:
    others = [name for name in rows.columns if name != wrap]
    shown = {
        name: [
            name,
            *rows[name].map(lambda cell: f"{cell:,}" if isinstance(cell, int) else str(cell)),
        ]
        for name in others
    }
    taken = sum(max(map(len, cells)) + 2 for cells in shown.values())
    return max(_terminal_width() - taken, _NARROWEST)
