"""The description of a market: one frozen object that says all that code may assume of a market.

Reading it from a file belongs in ``reading``; prices and stored tables belong elsewhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from quant_assets.core.errors import MarketError
from quant_assets.core.typing import DayArray
from quant_assets.market.description.imputation import DEFAULT_IMPUTATION, Imputation
from quant_assets.market.description.instruments import Instrument, ListedInstruments, Naming
from quant_assets.market.description.listings import Listing
from quant_assets.market.description.pairs_file import read_pairs
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.market.description.submission import SubmissionForm
from quant_assets.market.description.tables import TableRule
from quant_assets.market.description.targets import PairsFile, Returns, TargetRule
from quant_assets.market.description.universe import WITHOUT_PRICES
from quant_assets.market.description.values import Value, place_of, quote
from quant_assets.market.instruments import ALL, Group, InstrumentSeries, SeriesList
from quant_assets.market.targets import TargetPairs


@dataclass(frozen=True)
class SourceChoice:
    """The source that a description names.

    Attributes:
        name: name of the source; that of the key for a list of sources.
        options: what the description says to the source, or the list; None if nothing.
        is_list: whether the description lists several sources.
    """

    name: str
    options: Value | None
    is_list: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class MarketDescription:
    """What is known of a market before any price is read.

    Attributes:
        name: name of the market.
        naming: its instruments, and how their series are named.
        group_by: key of the label that groups instruments; None if there are no groups.
        all_groups: the groups, in the order of the description.
        calendar: trading days, and when a day is due.
        targets: what is forecast.
        submission: how a submission is laid out.
        source: where prices come from; None for the source that the settings name.
        file: the file that says so.
        tables: tables of observations that models see beside prices.
        universe: trading days without a close after which an instrument has left the market; None
            if all instruments count on all days.
        imputation: what features get in place of a missing close.
    """

    name: str
    naming: Naming
    group_by: str | None
    all_groups: tuple[Group, ...]
    calendar: MarketCalendar
    targets: TargetRule
    submission: SubmissionForm
    source: SourceChoice | None = field(hash=False)
    file: Path
    tables: tuple[TableRule, ...] = ()
    universe: int | None = WITHOUT_PRICES
    imputation: Imputation = DEFAULT_IMPUTATION

    def parse_series(self, series: str) -> InstrumentSeries:
        """Split the name of a series into instrument and field.

        Raises:
            UnknownNameError: the name is not that of a series.
        """
        return self.naming.parse_series(series)

    def series_name(self, series: InstrumentSeries) -> str:
        """Return the name of a series.

        Raises:
            UnknownNameError: the instrument is unknown or lacks the field.
        """
        return self.naming.series_name(series)

    def group_of(self, instrument: str) -> str:
        """Return the group of an instrument; ``all`` if the description has no groups.

        Raises:
            UnknownNameError: the name is not that of an instrument.
            MarketError: the instrument lacks the label.
        """
        found = self.naming.instrument(instrument)
        if self.group_by is None:
            return ALL
        group = found.label(self.group_by)
        if group is None:
            raise MarketError(
                "an instrument has no group",
                where=place_of(self.file),
                expected=f"a label {quote(self.group_by)}, which `group_by` names",
                found=f"none on {quote(instrument)}",
            )
        return group

    def list_series(self, columns: Sequence[str]) -> SeriesList:
        """Return the series of some names, in their order.

        Raises:
            UnknownNameError: a name is not that of a series.
        """
        series = tuple(map(self.parse_series, columns))
        groups = tuple(self.group_of(each.instrument) for each in series)
        return SeriesList(tuple(columns), series, groups, self.all_groups)

    def with_days(self, read: Callable[[], DayArray]) -> "MarketDescription":
        """Return the description with a reader of the data's (n,) days, for its calendar."""
        return replace(self, calendar=self.calendar.with_days(read))

    def instruments(self, series: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return all instruments, or those of some series, in order of first appearance.

        Args:
            series: names of series; needed if rules find the instruments.

        Raises:
            UnknownNameError: a name is not that of a series.
            MarketError: rules find the instruments, and no series are given.
        """
        return self.naming.instruments(series)

    def groups(self, instruments: Sequence[Instrument]) -> dict[str, tuple[Instrument, ...]]:
        """Return instruments by group, both in order of first appearance.

        Raises:
            MarketError: an instrument lacks the label.
        """
        groups: dict[str, list[Instrument]] = {}
        for instrument in instruments:
            groups.setdefault(self.group_of(instrument.name), []).append(instrument)
        return {group: tuple(members) for group, members in groups.items()}

    def target_pairs(
        self, instruments: Sequence[Instrument], folder: Path | None = None
    ) -> TargetPairs:
        """Return the targets in submission order; legs are names of instruments.

        Args:
            instruments: the instruments that the targets may have.
            folder: where a file of pairs lies; None for the folder of the description.

        Raises:
            MarketError: the targets cannot be read, or do not fit the instruments.
        """
        rule = self.targets
        if isinstance(rule, Returns):
            return rule.build(instruments)
        if not isinstance(rule, PairsFile):
            return rule.build(instruments, self.group_of)
        legs = self._legs(instruments)
        names = tuple(one.name for one in instruments)
        return read_pairs(rule, folder or self.file.parent, legs.get, names)

    def require_history(self, pairs: TargetPairs, days: int) -> None:
        """Check that a history is long enough for a label of every target.

        A label of horizon k takes k + 2 days: a position begins at the close after the forecast.

        Args:
            pairs: the targets.
            days: trading days of the history.

        Raises:
            MarketError: a horizon is too long.
        """
        longest = int(pairs.lags.max(initial=0))
        if longest + 2 > days:
            raise MarketError(
                "a horizon is longer than the history",
                where=self.targets.where,
                expected=f"at most {max(days - 2, 0)}: the history has {days:,} trading days, and "
                "a label takes two more than its horizon",
                found=longest,
            )

    @property
    def listings(self) -> Mapping[str, Listing]:
        """The listings that the description says, by name of the instrument."""
        if not isinstance(self.naming, ListedInstruments):
            return {}
        return {each.name: each.listing for each in self.naming.listed if each.listing}

    @property
    def horizons(self) -> tuple[int, ...]:
        """Horizons of the targets, ascending; empty if only a file of pairs says them."""
        return self.targets.horizons

    def _legs(self, instruments: Sequence[Instrument]) -> dict[str, str]:
        """Return the instrument of each text that may name a leg."""
        closes = {self.series_name(InstrumentSeries(i.name, "close")): i.name for i in instruments}
        return closes | {one.name: one.name for one in instruments}
