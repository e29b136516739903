"""``python -m quant_assets.commands.docs FOLDER``: reference pages written from the code itself.

These are the pages whose content is in the code: tables, features, families, settings, routes, and
the rooms of the package. Pages with explanations are written by hand.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from quant_assets.core.rooms import ROWS
from quant_assets.core.settings import Settings
from quant_assets.features.bar_catalogue import BAR_CATALOGUE, BAR_CATALOGUE_VERSION
from quant_assets.features.bar_inputs import list_bar_inputs
from quant_assets.features.catalogue import CATALOGUE, CATALOGUE_VERSION
from quant_assets.features.table_inputs import TableField, list_table_inputs
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.table import Table
from quant_assets.models.registry import FAMILIES, load_family

_ROOMS_BEGIN, _ROOMS_END = "<!-- rooms: begin -->", "<!-- rooms: end -->"
_NOTE = "Written by `make docs` from the code; edit the code, not this page.\n"


def tables_page() -> str:
    """Return a page with every table and its columns."""
    sections = (_table(table) for table in declared_tables(("<family>",)))
    return "\n".join(["# Tables", "", _NOTE, *sections])


def features_page() -> str:
    """Return a page with every feature, by level."""
    lines = ["# Features", "", _NOTE, f"Catalogue version `{CATALOGUE_VERSION}`.", ""]
    lines += [
        "`r` is the daily log return, winsorised; `C H L O` are logs of close, high, low, open; "
        "`A` and `B` are a target's legs; `y` is a target's label on the day on which it becomes "
        "known; `f` is the daily factor of all instruments.",
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
    return "\n".join([*lines, *_table_inputs(), "", *_bar_features()])


def _bar_features() -> Iterator[str]:
    yield "## bars\n"
    yield (
        "Features of instruments in `features.bars`, where the source delivers bars within the "
        f"day. Their catalogue has a version of its own, `{BAR_CATALOGUE_VERSION}`. A day has a "
        "value if at least half of the bars of the instrument's session are present; a window of "
        "20 days needs half of its days.\n"
    )
    yield (
        "An input of targets is what models see of a feature: `x` of a target's leg A less that of "
        "leg B. It has no value on a day whose bars are missing.\n"
    )
    yield (
        "`r` is the log return of a bar from the close of the bar before; of a day's first bar, "
        "from its own open. `O H L C` are logs of open, high, low and close of a bar, `V` is its "
        "volume, `P` the mean of its high, low and close, and `W = V P` the millions of currency "
        "traded. Sums run over the bars of a day that are present; m is their number.\n"
    )
    yield "| feature | group | formula | source | unit | days | input of targets | x |"
    yield "|---|---|---|---|---|---|---|---|"
    shown = {"none": "the value", "log": "its log", "rank": "its rank among the day's instruments"}
    for f, seen in zip(BAR_CATALOGUE, list_bar_inputs(), strict=True):
        own = f"`{seen.name}`", shown[f.transform]
        cells = (f.group, _cell(f.formula), f.source, f.unit, f.window, *own)
        yield f"| `{f.name}` | {' | '.join(map(str, cells))} |"
    yield ""


def _table_inputs() -> Iterator[str]:
    """Yield what models get of the tables that a description names."""
    yield "## tables of a description"
    yield ""
    yield (
        "Inputs from the tables of `market.yaml`, by the names of a table and a field; `x` is the "
        "newest value known at the close."
    )
    yield ""
    yield "| input | level | formula | days |"
    yield "|---|---|---|---|"
    for by_instrument in (False, True):
        for _, _, f in list_table_inputs([TableField("<table>", "<field>", by_instrument)]):
            yield f"| `{f.name}` | {f.level} | {_cell(f.formula)} | {f.window} |"


def families_page() -> str:
    """Return a page with every model family, its defaults, and the ranges that studies search."""
    return "\n".join(["# Model families", "", _NOTE, *_families()])


def settings_page() -> str:
    """Return a page with every setting, its variable and its default."""
    head = (
        "Environment variables; `quant-assets doctor` lists the values in force. "
        "A variable that resembles one of these is refused as misspelt.\n\n"
        "| variable | default | meaning |\n|---|---|---|"
    )
    return "\n".join(["# Settings", "", _NOTE, head, *_settings(), ""])


def _settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        default = field.default
        if hasattr(default, "get_secret_value"):
            default = default.get_secret_value()
        if isinstance(default, bool):
            default = str(default).lower()
        shown = f"`{default}`" if str(default) else "none"
        yield f"| `QUANT_{name.upper()}` | {shown} | {_cell(field.description or '')} |"


def architecture_page() -> str:
    """Return a page with the rooms of the package, top to bottom."""
    intro = (
        "A functional core computes. A thin Dagster shell declares dependencies, starts runs and "
        "stores results. The core never imports Dagster. A room imports only from the rows below "
        "its own, and not from another room of its row; a test verifies this list.\n\n"
        "A day goes through the rooms like this: `sources` reads prices, `quality` accepts or "
        "rejects them, `features` computes features and `market` labels, `training` fits `models` "
        "as of a day, and `ensemble` blends their forecasts. `promotion` chooses the submitted "
        "forecast, and `submission` writes it. `scoring` and `monitoring` judge it once labels are "
        "known, and `reports`, `metrics` and `alerts` inform people. Each step reads and writes "
        "the `lake`.\n"
    )
    return "\n".join(["# Architecture", "", _NOTE, intro, *_rooms_table(), "", *_parts(), ""])


def rooms_block() -> str:
    """Return the table of rooms between its marks in CONTRIBUTING."""
    return "\n".join([_ROOMS_BEGIN, "", *_rooms_table(), "", _ROOMS_END])


def _rooms_table() -> list[str]:
    head = ["| row | room | belongs there | does not |", "|---|---|---|---|"]
    return head + [
        f"| {number} | `{room.name}` | {_cell(room.holds)} | {_cell(room.leaves_out)} |"
        for number, row in enumerate(ROWS, start=1)
        for room in row
    ]


def _parts() -> Iterator[str]:
    for room in (room for row in ROWS for room in row if room.parts):
        yield f"Inside `{room.name}`:\n"
        yield from (f"- `{name}`: {holds}" for name, holds in room.parts)
        yield ""


def _families() -> Iterator[str]:
    for name in FAMILIES:
        family = load_family(name)
        yield f"## {name}\n\n{family.description} Library: {family.library}.\n"
        yield "| parameter | default | tuned |\n|---|---|---|"
        for key, value in family.defaults.items():
            tuned = str(family.space.get(key, ""))
            yield f"| `{key}` | {_cell(str(value))} | {_cell(tuned)} |"
        yield ""


def _table(table: Table) -> str:
    rows = [f"| `{c.name}` | {c.type} | {_cell(c.description)} |" for c in table.columns]
    head = f"## {table.name}\n\n{table.description}\n\n| column | type | meaning |\n|---|---|---|"
    return "\n".join([head, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def routes_page() -> str:
    """Return a page with every route of the prediction API."""
    from quant_assets.api.app import create_app
    from quant_assets.api.reference import routes_by_tag

    document = create_app(Settings()).openapi()
    intro = "The prediction API; [its page](api.md) says how to use it."
    return "\n".join(["# Routes", "", _NOTE, intro, "", *routes_by_tag(document), ""])


def with_rooms(contributing: str) -> str:
    """Return the text of CONTRIBUTING with an updated table of rooms."""
    before, _, rest = contributing.partition(_ROOMS_BEGIN)
    _, _, after = rest.partition(_ROOMS_END)
    return before + rooms_block() + after


def write(folder: Path) -> None:
    """Write all pages into a folder, and the table of rooms into the CONTRIBUTING beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "architecture": architecture_page,
        "families": families_page,
        "features": features_page,
        "routes": routes_page,
        "settings": settings_page,
        "tables": tables_page,
    }
    for name, page in pages.items():
        (folder / f"{name}.md").write_text(page())
    contributing = folder.parent / "CONTRIBUTING.md"
    if contributing.exists():
        contributing.write_text(with_rooms(contributing.read_text()))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
