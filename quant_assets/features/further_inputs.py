"""Inputs of models beyond the catalogue, from tables and from bars: their list and their version.

Their arithmetic belongs in ``table_inputs`` and ``bar_inputs``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quant_assets.features.bar_inputs import digest_bar_inputs, list_bar_inputs
from quant_assets.features.catalogue import (
    CATALOGUE_VERSION,
    Feature,
    is_same_arithmetic,
    list_inputs,
)
from quant_assets.features.table_inputs import TableField, digest_table_inputs, list_table_inputs
from quant_assets.market.instruments import Group


@dataclass(frozen=True)
class FurtherInputs:
    """What a market has beside daily prices that models see.

    Attributes:
        fields: fields of tables of observations.
        bars: whether there are features from bars within the day.
    """

    fields: tuple[TableField, ...] = ()
    bars: bool = False

    @property
    def digest(self) -> str:
        """What they add to the version of inputs; empty if there are none."""
        return digest_table_inputs(self.fields) + (digest_bar_inputs() if self.bars else "")


NO_FURTHER = FurtherInputs()
"""A market of daily prices alone."""


def list_every_input(
    groups: Sequence[Group], further: FurtherInputs = NO_FURTHER
) -> dict[tuple[str, str], Feature]:
    """List everything that models see, by level and name: of the catalogue, tables and bars.

    Args:
        groups: the groups, in the market's order.
        further: what the market has beside daily prices.
    """
    of_tables = [feature for _, _, feature in list_table_inputs(further.fields)]
    of_bars = list_bar_inputs() if further.bars else ()
    return list_inputs(groups) | {(str(f.level), f.name): f for f in (*of_tables, *of_bars)}


def version_of_inputs(further: FurtherInputs = NO_FURTHER) -> str:
    """Return the version of all inputs: that of the catalogue, and digests of the others.

    Fits store it, because they take inputs by position. Without tables and bars it is the
    catalogue's.

    Args:
        further: what the market has beside daily prices.
    """
    return CATALOGUE_VERSION + further.digest


def is_same_version(version: str | None, further: FurtherInputs = NO_FURTHER) -> bool:
    """Return whether inputs of a version equal the present inputs bit for bit.

    Args:
        version: the version that a fit stored.
        further: what the market has beside daily prices.
    """
    digest = further.digest
    own = version.removesuffix(digest) if version and version.endswith(digest) else None
    return is_same_arithmetic(own)
