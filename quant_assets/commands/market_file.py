"""``quant-assets market init``: write a commented description of a folder of price files.

What the files hold is found out in ``commands.price_files``; what a description means belongs in
``market.description``.
"""

import json
import os.path
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from quant_assets.commands.price_files import PriceFiles, scan_prices
from quant_assets.core.errors import MarketError
from quant_assets.market.description.reading import parse_description
from quant_assets.market.description.values import fault_of_name, quote
from quant_assets.market.instruments import FIELDS

_FEWEST_DAYS = 3
_SUFFIX = re.compile(
    r"(?P<instrument>.+?)(?P<suffix>[_. -](?:adj[_. -])?(?P<field>open[_ ]interest|open|high|low|"
    r"close|volume|settlement)(?:[_ ]price)?)",
    re.IGNORECASE,
)
_TARGETS = """\
# What is forecast: the log return of every instrument over each horizon, in trading days.
# Others: `spreads`, each return less that of a benchmark; `pairs: file.csv`, with target,lag,pair.
targets:
  returns:
    horizons: [1]

# `long` is a row per day and target; {wide: "target_{number}"} is a column per target.
submission: long
"""


def write_description(folder: Path, output: Path) -> PriceFiles:
    """Write a description of the price files of a folder, and return what they hold.

    Args:
        folder: folder of CSV or Parquet files, or one file.
        output: the file to write, which must not exist.

    Raises:
        MarketError: the file exists, or what the price files hold cannot be described.
        SourceError: the price files cannot be read.
        OSError: the folder cannot be read, or the file cannot be written.
    """
    if output.is_symlink() or output.exists():
        raise _exists(output)
    found = scan_prices(folder)
    if len(found.days) < _FEWEST_DAYS:
        raise MarketError(
            "the price files have too few days",
            where=str(folder),
            expected=f"at least {_FEWEST_DAYS} different dates, for one label",
            found=f"{len(found.days)} dates" if found.days else "numbers in place of dates",
        )
    text = describe_prices(folder, output, found)
    market = parse_description(text, output)
    if found.layout != "wide":
        market.require_history(market.target_pairs(market.instruments()), len(found.days))
    _write_new(output, text)
    return found


def describe_prices(folder: Path, output: Path, found: PriceFiles) -> str:
    """Return the text of a description.

    Args:
        folder: folder of the price files, or one file.
        output: the file that the description is written to.
        found: what the price files hold.

    Raises:
        MarketError: the name of an instrument cannot be used.
    """
    name = folder.resolve().name or "market"
    lines = [
        f"# Written by `quant-assets market init` from {json.dumps(name)}; edit it.",
        "# `quant-assets market check` says what it means.",
        f"name: {_text(name if fault_of_name(name) is None else 'market')}",
        "",
        "# Where prices come from: the folder is relative to this file.",
        "source:",
        "  files:",
        f"    folder: {_text(os.path.relpath(folder.resolve(), output.resolve().parent))}",
        "",
        *(_instrument_lines(found) if found.layout != "wide" else _wide_lines(found)),
        "",
        *_calendar_lines(found),
        "",
        _TARGETS,
    ]
    return "\n".join(lines)


def _instrument_lines(found: PriceFiles) -> Iterator[str]:
    for name in found.fields:
        _require_name(name)
    usual, _ = Counter(found.fields.values()).most_common(1)[0]
    yield f"# {len(found.fields):,} instruments; the files are {found.layout}."
    if found.others:
        yield f"# Columns that are no fields: {', '.join(map(json.dumps, found.others[:20]))}."
    yield "instruments:"
    yield f"  fields: [{', '.join(usual)}]"
    yield "  # Labels of all; one instrument's own are {name: X, labels: {sector: energy}}."
    yield "  # To group by a label, write `group_by: sector` at the start of a line below."
    yield "  # labels: {currency: USD}"
    yield '  # closes: {time: "16:00", zone: America/New_York}'
    yield "  list:"
    for name, fields in found.fields.items():
        others = f", fields: [{', '.join(fields)}]" if fields != usual else ""
        yield f"    - {{name: {_text(name)}{others}}}" if others else f"    - {_text(name)}"


def _wide_lines(found: PriceFiles) -> Iterator[str]:
    """Write one rule for all columns, since their names hold instrument and field."""
    suffixes = _find_suffixes(found.series)
    yield f"# {len(found.series):,} columns, each a series: instrument and ending of its name."
    yield "instruments:"
    yield "  rules:"
    yield '    - prefix: ""'
    yield "      # labels: {currency: USD}"
    yield "      suffixes:"
    for suffix, field in suffixes.items():
        yield f"        {_text(suffix)}: {field}"


def _find_suffixes(series: Iterable[str]) -> dict[str, str]:
    """Return the endings of names, each with its field; a name without one is a close."""
    suffixes: dict[str, str] = {}
    for name in series:
        _require_name(name)
        match = _SUFFIX.fullmatch(name)
        suffix = match["suffix"] if match else ""
        field = re.sub(r"\W", "_", match["field"].lower()) if match else "close"
        suffixes[suffix] = field
    repeated = [field for field, count in Counter(suffixes.values()).items() if count > 1]
    if repeated or "close" not in suffixes.values():
        raise MarketError(
            "the columns follow no single rule",
            expected="names that end alike for each field, closes among them",
            found=", ".join(f"{ending!r} for {field}" for ending, field in suffixes.items()),
            hint="write the rules by hand, one for each prefix: docs/market.md",
        )
    return dict(sorted(suffixes.items(), key=lambda pair: FIELDS.index(pair[1])))


def _calendar_lines(found: PriceFiles) -> Iterator[str]:
    yield f"# Trading days: the {len(found.days):,} dates of the files. The sessions of exchanges"
    yield "# instead: `exchanges: [XNYS]`, by their names in exchange_calendars."
    yield "calendar:"
    yield "  days: data"
    yield f"  first_day: {found.days[0]}"
    yield f"  # The history goes on after {found.days[-1]}; `last_day` would end it."
    yield "  # When the prices of a day are due, and hours until they are late:"
    yield '  # due: "22:00"'
    yield "  # zone: UTC"
    yield "  # late_after_hours: 4"


def _require_name(name: str) -> None:
    if fault := fault_of_name(name):
        raise MarketError(
            "a name in the price files cannot be used", expected=fault, found=quote(name)
        )


def _text(name: str) -> str:
    """Return a text in quotes, as YAML reads it back."""
    return json.dumps(name, ensure_ascii=False)


def _write_new(output: Path, text: str) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = output.open("x", encoding="utf-8")
    except FileExistsError:
        raise _exists(output) from None
    try:
        with file:
            file.write(text)
    except BaseException:
        output.unlink(missing_ok=True)
        raise


def _exists(output: Path) -> MarketError:
    return MarketError(
        "the file exists",
        where=str(output),
        expected="a file that does not exist yet",
        hint="name another with --output, or remove it",
    )
