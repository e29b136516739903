"""``quant-assets market check``: say what the description of a market means, in figures.

Every line is computed from the description, and from the data where these are given. Reading
descriptions belongs in ``market.description``, writing one in ``commands.market_file``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from quant_assets.commands.market_listings import describe_listings, describe_unclaimed, find_held
from quant_assets.commands.market_sources import (
    describe_sources,
    list_missing_places,
    require_known_sources,
)
from quant_assets.commands.market_tables import describe_tables
from quant_assets.commands.price_files import PriceFiles, scan_prices
from quant_assets.core.errors import MarketError
from quant_assets.market.description.instruments import Instrument, ListedInstruments
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import COMPETITION_FILE, read_description
from quant_assets.market.description.targets import PairsFile
from quant_assets.market.description.values import list_names
from quant_assets.market.instruments import FIELDS
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.files.options import FileOptions, read_options
from quant_assets.sources.registry import FILES

COMPETITION = "competition"
_BYTES = 8
_SHOWN = 4
_GROUPS_SHOWN = 20


@dataclass(frozen=True)
class _Days:
    """Days of the history.

    Attributes:
        text: what is said of them.
        count: their number; None if it is not known.
        exact: whether there can be no fewer.
    """

    text: str
    count: int | None = None
    exact: bool = True


def check_description(file: str, data: Path | None, today: date) -> Iterator[str]:
    """Say line by line what a description means.

    Args:
        file: the file, or ``competition`` for the description that ships with the package.
        data: file or folder of prices to compare it with; None for the folder of files that the
            description names as its source, if it is there.
        today: the last day of a history that goes on.

    Raises:
        MarketError: the description cannot be used, or does not fit the data.
        SourceError: the data cannot be read.
        CalendarError: the calendar does not reach so far.
    """
    path = COMPETITION_FILE if file == COMPETITION else Path(file)
    market = read_description(path)
    require_known_sources(market)
    options = _read_file_options(market)
    if data is None and options is not None and options.place.exists():
        data = options.place
    columns = dict(options.columns) if options else {}
    found = scan_prices(data, columns) if data is not None else None
    yield f"{market.name}, as {path} describes it"
    instruments = _find_instruments(market, found)
    days = _find_days(market, found, today)
    if found is not None and data is not None:
        skip = options is not None and options.skip_other_days
        yield from _compare(market, found, instruments or (), skip=skip)
        for position, text in enumerate(describe_unclaimed(data, columns, instruments or ())):
            yield _line("" if position else "symbols", text)
    for place in list_missing_places(market):
        yield _line("not there", f"{place}, which a load needs")
    yield from _instrument_lines(market, instruments)
    yield _line("trading days", days.text)
    yield _line("due", _due(market))
    yield _line("missing closes", market.imputation.text)
    pairs = _find_pairs(market, instruments, data)
    if pairs is not None and days.count is not None:
        market.require_history(pairs, days.count)
    yield from _target_lines(market, pairs)
    for position, text in enumerate(describe_sources(market)):
        yield _line("" if position else "sources", text)
    for position, (name, text) in enumerate(describe_tables(market)):
        yield _line("" if position else "tables", f"{name}: {text}")
    if instruments and pairs is not None:
        yield from _size_lines(instruments, pairs, days)


def _find_instruments(
    market: MarketDescription, found: PriceFiles | None
) -> tuple[Instrument, ...] | None:
    if isinstance(market.naming, ListedInstruments):
        return market.instruments()
    if found is None:
        return None
    if not found.series:
        raise MarketError(
            "rules find instruments in names of columns, and the data have none",
            where=str(found.files[0]),
            expected="a wide file, with a column per series",
            found=found.layout,
        )
    return market.instruments(found.series)


def _read_file_options(market: MarketDescription) -> FileOptions | None:
    """Return the options of the price files that the description names; None if it names none."""
    source = market.source
    if source is None or source.name != FILES:
        return None
    return read_options(source.options, market.file.parent)


def _compare(
    market: MarketDescription,
    found: PriceFiles,
    instruments: Sequence[Instrument],
    *,
    skip: bool,
) -> Iterator[str]:
    held = find_held(market, found, instruments)
    described = {one.name for one in instruments}
    yield _line("files", f"{len(found.files):,}, {found.layout}")
    for text, names in (
        ("in the data alone", held - described),
        ("described alone", described - held),
    ):
        if names:
            yield _line(text, f"{len(names):,}: {_show(sorted(names))}")
    if market.calendar.exchanges and found.days:
        days = np.array(found.days, dtype="datetime64[D]")
        closed = days[~market.calendar.is_trading_day(days)]
        if len(closed):
            fate = "left out" if skip else "refused by a load"
            shown = _show(closed.astype(str).tolist())
            yield _line("closed days", f"{len(closed):,} of the data are {fate}: {shown}")


def _find_days(market: MarketDescription, found: PriceFiles | None, today: date) -> _Days:
    calendar = market.calendar
    first, last = calendar.first_day, calendar.last_day or today
    if found is not None and not found.days:
        return _Days(f"{found.day_count:,}, numbered in the data", found.day_count)
    if found is not None and first is None:
        first, last = found.days[0], found.days[-1]
    elif found is not None and not calendar.exchanges:
        last = calendar.last_day or found.days[-1]
    if found is None and not calendar.exchanges:
        if first is None:
            return _Days("those of the data; --data counts them")
        most = (last - first).days + 1
        return _Days(f"those of the data, at most {most:,} from {first} to {last}", most, False)
    joined = " or ".join(calendar.exchanges) or "the data"
    if first is None:
        first, last = date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)
        days = calendar.trading_days(first, last)
        return _Days(f"{len(days):,} of {joined} in {first.year}")
    of_data = np.array(found.days, dtype="datetime64[D]") if found else None
    days = calendar.trading_days(first, last, of_data)
    end = last if found or calendar.last_day else f"today, {last}"
    return _Days(f"{len(days):,} of {joined} from {first} to {end}", len(days))


def _instrument_lines(
    market: MarketDescription, instruments: Sequence[Instrument] | None
) -> Iterator[str]:
    if instruments is None:
        yield _line("instruments", "found in names of series; --data reads these")
        return
    groups = market.groups(instruments)
    by = f" by {market.group_by}" if market.group_by else ""
    yield _line("instruments", f"{len(instruments):,} in {_count(len(groups), 'group')}{by}")
    for group, members in list(groups.items())[:_GROUPS_SHOWN]:
        yield _line(f"  {group}", f"{len(members):,}: {_show([one.name for one in members])}")
    if len(groups) > _GROUPS_SHOWN:
        yield f"  {_count(len(groups) - _GROUPS_SHOWN, 'more group')}"
    counts = {f: sum(f in one.fields for one in instruments) for f in FIELDS}
    yield _line("fields", ", ".join(f"{f} of {n:,}" for f, n in counts.items() if n))
    for subject, text in describe_listings(instruments):
        yield _line(subject, text)


def _due(market: MarketDescription) -> str:
    calendar = market.calendar
    if calendar.due is None:
        return "not said"
    return f"{calendar.due}, late {calendar.late_after_hours:g} hours after"


def _find_pairs(
    market: MarketDescription, instruments: Sequence[Instrument] | None, data: Path | None
) -> TargetPairs | None:
    if instruments is None:
        return None
    folder = None
    if isinstance(market.targets, PairsFile) and data is not None:
        beside = market.file.parent / market.targets.file
        folder = None if beside.exists() else data if data.is_dir() else data.parent
    return market.target_pairs(instruments, folder)


def _target_lines(market: MarketDescription, pairs: TargetPairs | None) -> Iterator[str]:
    if pairs is None:
        horizons = ", ".join(map(str, market.horizons)) or "those of the file"
        yield _line("targets", f"horizons {horizons}; --data counts them")
    else:
        horizons = ", ".join(str(lag) for lag in np.unique(pairs.lags))
        yield _line("targets", f"{len(pairs):,} with horizons {horizons}: {_show(pairs.targets)}")
    form = market.submission
    shown = list_names(form.columns(2))
    yield _line("submission", f"wide: {shown}, ..." if shown else "long")


def _size_lines(
    instruments: Sequence[Instrument], pairs: TargetPairs, days: _Days
) -> Iterator[str]:
    cells = sum(len(one.fields) for one in instruments)
    fields = len({field for one in instruments for field in one.fields})
    yield _line("cells", f"{cells:,} prices and {len(pairs):,} labels a day")
    if days.count is None:
        return
    most = "" if days.exact else "at most "
    prices = days.count * len(instruments) * fields * _BYTES
    labels = days.count * len(pairs) * _BYTES
    shape = f"{days.count:,} days x {len(instruments):,} instruments x {_count(fields, 'field')}"
    yield _line("memory", f"{most}{prices / 1e6:,.1f} MB of prices: {shape} x {_BYTES} bytes")
    yield _line("", f"{most}{labels / 1e6:,.1f} MB of labels")


def _show(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN else ""
    return list_names(names[:_SHOWN]) + more


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _line(subject: str, text: str) -> str:
    return f"{subject:<18} {text}"
