"""Cells that hold text instead of numbers: whether a file has too many, and what helps.

Reading the cells does not belong here; ``sources.competition.files`` collects them.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.sources.competition.csv_text import find_line
from quant_assets.sources.competition.file_errors import file_error, quote
from quant_assets.sources.deliveries import UnreadCell

_UNREAD_SHARE = 0.01
# A single bad cell in a file of a day or two does not make it a wrong file.
_UNREAD_COUNT = 5
_OTHERWISE = "the columns may be shifted, or the file another one"
# The first pattern that fits a text gives its hint.
_HINTS = (
    (r"|[-.?]+|#?n\.?/?a\.?|none|nil|nul|missing|<na>", "leave a cell without a value empty"),
    (
        r"[-+]?\d{1,3}([,' \u00a0\u202f]\d{3})+(\.\d+)?",
        "export the file without thousands separators, and with decimal points",
    ),
    (
        r"[-+]?\d+([.' \u00a0\u202f]\d{3})*,\d+",
        "these are decimal commas: export the file with decimal points",
    ),
    (r"[-+]?[$€£¥]?\s*\d[\d.,]*\s*[%$€£¥]?", "write plain numbers, without units and signs"),
)


def hint_at_texts(texts: Iterable[str]) -> str:
    """Say what helps where cells should hold numbers, by what most of the texts look like.

    >>> hint_at_texts(["1,5", "0,25"])
    'these are decimal commas: export the file with decimal points'
    """
    hints = Counter(_hint_at(text.strip()) for text in texts)
    return hints.most_common(1)[0][0]


def _hint_at(text: str) -> str:
    fits = (hint for pattern, hint in _HINTS if re.fullmatch(pattern, text, re.IGNORECASE))
    return next(fits, _OTHERWISE)


def check_mostly_numbers(
    path: Path, columns: tuple[str, ...], values: FloatArray, unread: tuple[UnreadCell, ...]
) -> None:
    """Refuse a file with so much text that it must be the wrong file.

    Args:
        path: the file.
        columns: names of the c columns.
        values: (n, c) numbers; NaN where empty or unread.
        unread: cells that hold text instead of a number.

    Raises:
        SourceError: over 1 %, and over 5, of the filled cells are text, or a column has over 5
            cells with text and no number.
    """
    numbers = (~np.isnan(values)).sum(axis=0)
    texts = Counter(cell.column for cell in unread)
    for name, count in zip(columns, numbers, strict=True):
        if count == 0 and texts[name] > _UNREAD_COUNT:
            of_column = [cell for cell in unread if cell.column == name]
            raise file_error(
                "a column holds no numbers",
                path,
                line=find_line(path, of_column[0].row),
                column=name,
                expected="numbers or empty cells",
                found=f"{quote(of_column[0].text)} and {texts[name] - 1} more",
                hint=hint_at_texts(cell.text for cell in of_column),
            )
    filled = int(numbers.sum()) + len(unread)
    if len(unread) > max(_UNREAD_COUNT, _UNREAD_SHARE * filled):
        raise file_error(
            "too many cells are not numbers",
            path,
            line=find_line(path, unread[0].row),
            column=unread[0].column,
            expected=f"at most {_UNREAD_SHARE:.0%} of {filled} filled cells",
            found=f"{len(unread)} cells, the first {quote(unread[0].text)}",
            hint=hint_at_texts(cell.text for cell in unread),
        )
