"""All tables: every ``Table`` that a module of this package declares.

A new table is a ``Table`` in one of the modules; it needs no entry here.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from quant_assets.lake import schemas
from quant_assets.lake.schemas.table import FamilyTable, Table, Writer

_LAYERS = (
    *("raw", "validated", "features", "fits", "forecasts", "promotion", "submissions"),
    *("monitoring", "tracking", "access", "rejected", "superseded"),
)
"""Schemas in reading order; further schemas come after them."""
_WRITTEN_BY_JOBS: tuple[Writer, ...] = (
    *("load", "bars", "imputation", "sources"),
    *("revise", "retrain", "watch"),
)


def declared_tables(families: tuple[str, ...], *writers: Writer) -> tuple[Table, ...]:
    """Return every declared table, sorted by layer and name.

    Args:
        families: model families, each of which has tables of its own.
        writers: return only the tables of these writers; all tables by default.
    """
    tables = dict.fromkeys(_tables(families))
    wanted = [table for table in tables if not writers or table.written_by in writers]
    return tuple(sorted(wanted, key=_place))


def all_tables(families: tuple[str, ...]) -> tuple[Table, ...]:
    """Return every table that jobs write, except the tables of studies."""
    return declared_tables(families, *_WRITTEN_BY_JOBS)


def watched_tables() -> tuple[Table, ...]:
    """Return the tables that compare days with earlier days; ``watch_daily`` writes them."""
    return declared_tables((), "watch")


def _tables(families: tuple[str, ...]) -> Iterator[Table]:
    for module in iter_modules(schemas.__path__, f"{schemas.__name__}."):
        for value in tuple(vars(import_module(module.name)).values()):
            if isinstance(value, Table):
                yield value
            elif isinstance(value, FamilyTable):
                yield from map(value, families)


def _place(table: Table) -> tuple[int, str]:
    known = table.schema in _LAYERS
    return _LAYERS.index(table.schema) if known else len(_LAYERS), table.name
