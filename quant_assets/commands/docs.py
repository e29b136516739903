"""``python -m quant_assets.commands.docs FOLDER``: reference pages written from the code itself."""

import sys
from collections.abc import Iterator
from pathlib import Path

from quant_assets.features.catalogue import CATALOGUE, CATALOGUE_VERSION
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.models.registry import FAMILIES, load_family

_NOTE = "Written by `make docs` from the code; edit the code, not this page.\n"


def tables_page() -> str:
    """Every table with its columns."""
    sections = (_table(table) for table in declared_tables(("<family>",)))
    return "\n".join(["# Tables", "", _NOTE, *sections])


def features_page() -> str:
    """Every feature, by level."""
    lines = ["# Features", "", _NOTE, f"Catalogue version `{CATALOGUE_VERSION}`.", ""]
    lines += [
        "`r` is the daily log return, winsorised; `C H L O` are logs of close, high, low, open; "
        "`A` and `B` are a target's legs; `y` is a target's label on the day it is released; "
        "`f` is the daily factor of all instruments.",
        "",
    ]
    for level in ("instrument", "market", "target"):
        lines += [f"## {level}", "", "| feature | group | formula | days | needs |"]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| `{f.name}` | {f.group} | {_cell(f.formula)} | {f.window} | {', '.join(f.inputs)} |"
            for f in CATALOGUE
            if f.level == level
        ]
        lines.append("")
    return "\n".join(lines)


def families_page() -> str:
    """Every model family with its defaults and the ranges it is tuned in."""
    return "\n".join(["# Model families", "", _NOTE, *_families()])


def _families() -> Iterator[str]:
    for name in FAMILIES:
        chosen = load_family(name)
        yield f"## {name}\n\n{chosen.description} Library: {chosen.library}.\n"
        yield "| parameter | default | tuned |\n|---|---|---|"
        for key, value in chosen.defaults.items():
            tuned = str(chosen.space.get(key, ""))
            yield f"| `{key}` | {_cell(str(value))} | {_cell(tuned)} |"
        yield ""


def _table(table: Table) -> str:
    columns = table.columns[:3] if table is SUBMISSIONS else table.columns
    rows = [f"| `{c.name}` | {c.type} | {_cell(c.description)} |" for c in columns]
    if table is SUBMISSIONS:
        rows.append(f"| ... `{table.columns[-1].name}` | DOUBLE | likewise |")
    head = f"## {table.name}\n\n{table.description}\n\n| column | type | meaning |\n|---|---|---|"
    return "\n".join([head, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write(folder: Path) -> None:
    """Write all pages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tables.md").write_text(tables_page())
    (folder / "features.md").write_text(features_page())
    (folder / "families.md").write_text(families_page())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
