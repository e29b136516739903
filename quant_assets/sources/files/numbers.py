"""Numbers in columns of text, and files in which too many cells hold text instead.

Which cells are read does not belong here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import FloatArray
from quant_assets.market.description.values import quote
from quant_assets.sources.competition.files import parse_number
from quant_assets.sources.competition.text_cells import hint_at_texts

EMPTY = ("", "nan", "NaN", "null")
"""Texts of cells without a value."""
_EMPTY = pa.array(EMPTY)
_TEXT_SHARE = 0.01
# A single bad cell in a file of a day or two does not make it a wrong file.
_TEXT_COUNT = 5


@dataclass
class TextCount:
    """How many cells of a column hold numbers and how many hold text.

    Attributes:
        column: name of the column in the files.
        numbers: number of cells that hold a number.
        texts: number of cells that hold text.
        samples: some of the texts.
    """

    column: str
    numbers: int
    texts: int
    samples: tuple[str, ...]


def parse_cells(column: Any) -> tuple[FloatArray, dict[int, str]]:
    """Parse an Arrow column of text or of numbers.

    Returns numbers of shape (n,), NaN where a cell is empty or holds text, and the texts by row.
    """
    if pa.types.is_floating(column.type):
        return column.to_numpy(zero_copy_only=False), {}
    filled = pc.if_else(pc.is_in(column, value_set=_EMPTY), None, column)
    try:
        return filled.cast(pa.float64()).to_numpy(zero_copy_only=False), {}
    except pa.ArrowInvalid:
        cells = filled.to_pylist()
    numbers = [np.nan if cell is None else parse_number(cell) for cell in cells]
    texts = {row: cells[row] for row, number in enumerate(numbers) if number is None}
    return np.array(numbers, dtype=np.float64), texts


def check_mostly_numbers(counts: Sequence[TextCount], where: str) -> None:
    """Refuse files with so much text that they must be the wrong files.

    Args:
        counts: of each column of prices.
        where: the files, for errors.

    Raises:
        SourceError: over 1 %, and over 5, of the filled cells are text, or a column has over 5
            cells with text and no number.
    """
    texts = sum(count.texts for count in counts)
    filled = texts + sum(count.numbers for count in counts)
    too_many = texts > max(_TEXT_COUNT, _TEXT_SHARE * filled)
    for count in counts:
        if count.texts and (too_many or (count.texts > _TEXT_COUNT and not count.numbers)):
            raise SourceError(
                "too many cells of prices are not numbers",
                where=f"{where}, column {quote(count.column)}",
                expected=f"numbers or empty cells, and text in at most {_TEXT_SHARE:.0%} of them",
                found=f"{count.texts:,} texts, such as {quote(count.samples[0])}",
                hint=hint_at_texts(count.samples),
            )
