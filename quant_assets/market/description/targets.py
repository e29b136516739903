"""The targets of a described market: a file of pairs, returns of instruments, or their spreads.

The file of pairs is read in ``pairs_file``; labels are computed in ``market.targets``.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from quant_assets.core.errors import MarketError, suggest_names
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.values import Value, list_names, quote
from quant_assets.market.targets import TargetPairs

_KINDS = ("pairs", "returns", "spreads")
_AGAINST = ("group", "market")


@dataclass(frozen=True)
class PairsFile:
    """Targets listed in a CSV file with the columns target, lag and pair.

    Attributes:
        file: the file's name, as seen from a folder.
        horizons: lags that the file may have; empty for any.
        where: where the description says so, for errors.
    """

    file: str
    horizons: tuple[int, ...] = ()
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Returns:
    """Each instrument's own log return over each horizon, named ``<instrument>_<horizon>d``.

    Attributes:
        horizons: trading days, ascending.
        where: where the description says so, for errors.
    """

    horizons: tuple[int, ...]
    where: str = field(default="", compare=False)

    def build(self, instruments: Sequence[Instrument]) -> TargetPairs:
        """Return the targets of all instruments, horizon by horizon."""
        return _build(self.horizons, [(one.name, None) for one in instruments])


@dataclass(frozen=True)
class Spreads:
    """Each instrument's log return less that of a benchmark, named ``<a>-<b>_<horizon>d``.

    A benchmark has no target against itself.

    Attributes:
        horizons: trading days, ascending.
        by_group: the benchmark of each group; empty if the whole market has one.
        of_market: the benchmark of the whole market; None if each group has one.
        where: where the description says so, for errors.
    """

    horizons: tuple[int, ...]
    by_group: tuple[tuple[str, str], ...] = ()
    of_market: str | None = None
    where: str = field(default="", compare=False)

    def build(
        self, instruments: Sequence[Instrument], group_of: Callable[[str], str]
    ) -> TargetPairs:
        """Return the targets of all instruments, horizon by horizon.

        Raises:
            MarketError: a group has no benchmark, a benchmark is no instrument or is of a group
                that does not exist, or two targets have one name.
        """
        groups = {one.name: group_of(one.name) for one in instruments}
        benchmarks = dict(self.by_group)
        if self.of_market is not None:
            benchmarks = dict.fromkeys(groups.values(), self.of_market)
        self._check(benchmarks, groups)
        legs = [(name, benchmarks[group]) for name, group in groups.items()]
        pairs = _build(self.horizons, [(a, b) for a, b in legs if a != b])
        repeated = _find_repeated(pairs.targets)
        if repeated:
            raise self._error(
                "two targets have one name", expected="every name once", found=quote(repeated)
            )
        return pairs

    def _check(self, benchmarks: dict[str, str], groups: dict[str, str]) -> None:
        names = sorted(set(groups.values()))
        for group in benchmarks:
            if group not in names:
                raise self._error(
                    "a benchmark of an unknown group",
                    expected=f"one of {list_names(names)}",
                    found=quote(group),
                    hint=suggest_names(group, names),
                )
        missing = [name for name in names if name not in benchmarks]
        if missing:
            raise self._error(
                "a group has no benchmark",
                expected="an instrument for every group",
                found=f"none for {list_names(missing)}",
                hint=f"add `{missing[0]}: <instrument>` to the benchmarks",
            )
        for benchmark in benchmarks.values():
            if benchmark not in groups:
                raise self._error(
                    "a benchmark is no instrument",
                    expected="the name of an instrument",
                    found=quote(benchmark),
                    hint=suggest_names(benchmark, groups),
                )

    def _error(self, problem: str, **parts: Any) -> MarketError:
        return MarketError(problem, where=self.where, **parts)


TargetRule = PairsFile | Returns | Spreads


def read_targets(value: Value) -> TargetRule:
    """Read the key ``targets``.

    Raises:
        MarketError: a horizon, a kind or a key is wrong, or spreads name no benchmark.
    """
    kind = value.alternative(_KINDS)
    entry = value.record((kind,))[kind]
    if kind == "pairs":
        return _read_pairs(entry)
    if kind == "returns":
        horizons = entry.record(("horizons",), ("horizons",))["horizons"]
        return Returns(_read_horizons(horizons), horizons.where)
    return _read_spreads(entry)


def _read_pairs(value: Value) -> PairsFile:
    if not isinstance(value.content, dict):
        return PairsFile(value.text(), (), value.where)
    entries = value.record(("file", "horizons"), ("file",))
    horizons = _read_horizons(entries["horizons"]) if "horizons" in entries else ()
    return PairsFile(entries["file"].text(), horizons, value.where)


def _read_spreads(value: Value) -> Spreads:
    entries = value.record(
        ("against", "benchmark", "benchmarks", "horizons"), ("against", "horizons")
    )
    against = entries["against"].choice("kind of spread", _AGAINST)
    needed, other = ("benchmark", "benchmarks")[:: 1 if against == "market" else -1]
    if needed not in entries or other in entries:
        raise value.error(
            f"spreads against the {against} name no benchmark"
            if needed not in entries
            else "a key does not belong here",
            expected=f"`{needed}` and no `{other}`",
            found=list_names(entries),
            hint="name an instrument: `benchmark: SPY`"
            if against == "market"
            else "name an instrument for each group: `benchmarks: {energy: XLE}`",
        )
    horizons, place = _read_horizons(entries["horizons"]), entries[needed]
    if against == "market":
        return Spreads(horizons, (), place.name(), place.where)
    by_group = tuple((group, item.name()) for group, item in place.entries().items())
    return Spreads(horizons, by_group, None, place.where)


def _read_horizons(value: Value) -> tuple[int, ...]:
    horizons = [item.whole_number(1) for item in value.items()]
    if len(set(horizons)) < len(horizons):
        raise value.error("a horizon occurs twice", expected="every horizon once", found=horizons)
    return tuple(sorted(horizons))


def _build(horizons: Iterable[int], legs: Sequence[tuple[str, str | None]]) -> TargetPairs:
    targets = list(product(horizons, legs))
    return TargetPairs(
        targets=tuple(f"{a}-{b}_{days}d" if b else f"{a}_{days}d" for days, (a, b) in targets),
        lags=np.array([days for days, _ in targets], dtype=np.int64),
        leg_a=tuple(a for _, (a, _) in targets),
        leg_b=tuple(b for _, (_, b) in targets),
    )


def _find_repeated(names: Sequence[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)
