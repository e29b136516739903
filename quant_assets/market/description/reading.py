"""Reading the description of a market from ``market.yaml``, and the competition's from the package.

What each key means belongs in the modules beside; this one names the keys and checks what several
of them say together.
"""

from functools import cache
from pathlib import Path

from quant_assets.core.settings import Settings
from quant_assets.market.description.groups import build_groups, read_leads
from quant_assets.market.description.imputation import DEFAULT_IMPUTATION, read_imputation
from quant_assets.market.description.instrument_reading import read_instruments
from quant_assets.market.description.instruments import Instrument, ListedInstruments, Naming
from quant_assets.market.description.market import MarketDescription, SourceChoice
from quant_assets.market.description.naming_rules import NamingRules
from quant_assets.market.description.sessions import read_calendar
from quant_assets.market.description.submission import SubmissionForm, read_submission
from quant_assets.market.description.tables import read_tables
from quant_assets.market.description.targets import PairsFile, read_targets
from quant_assets.market.description.universe import WITHOUT_PRICES, read_universe
from quant_assets.market.description.values import Value
from quant_assets.market.description.yaml_file import parse_yaml, read_yaml
from quant_assets.market.instruments import ALL

COMPETITION_FILE = Path(__file__).with_name("competition.yaml")
_REQUIRED = ("name", "instruments", "calendar", "targets")
_OPTIONAL = ("group_by", "leads", "submission", "source", "tables", "universe", "imputation")
_KEYS = (*_REQUIRED, *_OPTIONAL)


def read_description(file: Path) -> MarketDescription:
    """Read the description of a market.

    Raises:
        MarketError: the file, or a table that it names, cannot be used; the message names file,
            line and key, what was expected and what was found.
    """
    return _read(read_yaml(file), file)


def parse_description(text: str, file: Path) -> MarketDescription:
    """Read a description from a text, as if it stood in a file.

    Raises:
        MarketError: as for :func:`read_description`.
    """
    return _read(parse_yaml(text, file), file)


@cache
def competition_description() -> MarketDescription:
    """Return the competition's description, which ships with the package."""
    return read_description(COMPETITION_FILE)


def open_description(settings: Settings) -> MarketDescription:
    """Return the description of the market that settings name.

    It is read from the file that the settings name as the source. Otherwise the source is the
    simulated market or a folder in the competition's format, and the competition's is returned.

    Args:
        settings: of the data directory.

    Raises:
        MarketError: the file is missing, or cannot be used.
    """
    if settings.description_file is None:
        return competition_description()
    return read_description(settings.description_file)


def _read(root: Value, file: Path) -> MarketDescription:
    entries = root.record(_KEYS, _REQUIRED)
    naming = read_instruments(entries["instruments"], file.parent)
    group_by = _read_group(entries["group_by"], naming) if "group_by" in entries else None
    leaders = read_leads(entries["leads"]) if "leads" in entries else {}
    place = entries.get("leads") or entries.get("group_by") or root
    submission = entries.get("submission")
    market = MarketDescription(
        name=entries["name"].name(),
        naming=naming,
        group_by=group_by,
        all_groups=build_groups(_find_members(naming, group_by), leaders, place.where),
        calendar=read_calendar(entries["calendar"]),
        targets=read_targets(entries["targets"]),
        submission=read_submission(submission) if submission else SubmissionForm(),
        source=_read_source(entries["source"]) if "source" in entries else None,
        file=file,
        tables=read_tables(entries["tables"]) if "tables" in entries else (),
        universe=read_universe(entries["universe"]) if "universe" in entries else WITHOUT_PRICES,
        imputation=read_imputation(entries["imputation"])
        if "imputation" in entries
        else DEFAULT_IMPUTATION,
    )
    if isinstance(naming, ListedInstruments):
        _check_listed(market, naming)
    return market


def _read_group(value: Value, naming: Naming) -> str:
    if not naming.label_keys():
        raise value.error("no instrument has labels", expected="a label on every instrument")
    key = value.choice("label", naming.label_keys())
    without = [name for name, labels in _labels(naming) if key not in dict(labels)]
    if without:
        raise value.error(
            "something has no group",
            expected=f"a label {key!r} on every instrument or rule",
            found=f"none on {without[0]!r}, the first of {len(without)}",
        )
    return key


def _find_members(naming: Naming, group_by: str | None) -> dict[str, list[Instrument]]:
    """Return the instruments of each group; one stands for all that a rule finds."""
    if isinstance(naming, NamingRules):
        instruments = [
            Instrument(rule.prefix, rule.labels, rule.fields, rule.closes) for rule in naming.rules
        ]
    else:
        instruments = list(naming.instruments())
    members: dict[str, list[Instrument]] = {}
    for instrument in instruments:
        group = instrument.label(group_by) if group_by else ALL
        members.setdefault(group or ALL, []).append(instrument)
    return members


def _read_source(value: Value) -> SourceChoice:
    """Read the key ``source``: the name of a source, a map of it to its options, or a list."""
    if isinstance(value.content, tuple):
        return SourceChoice(value.key, value, is_list=True)
    if isinstance(value.content, dict):
        if len(value.content) != 1:
            raise value.error(
                "a map has one source",
                expected="one name with its options, or a list of sources",
            )
        name, options = next(iter(value.content.items()))
        return SourceChoice(name, options if options.content is not None else None)
    return SourceChoice(value.name(), None)


def _labels(naming: Naming) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the labels of each instrument, or of each rule by its prefix."""
    if isinstance(naming, NamingRules):
        return [(rule.prefix, rule.labels) for rule in naming.rules]
    return [(one.name, one.labels) for one in naming.instruments()]


def _check_listed(market: MarketDescription, naming: ListedInstruments) -> None:
    """Build targets that follow from the description alone, so that their faults are found."""
    if not isinstance(market.targets, PairsFile):
        market.target_pairs(naming.listed)
