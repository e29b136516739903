"""The groups of a described market: their order, which leads which, and the order of their closes.

Which instrument is in which group belongs in ``market``.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from quant_assets.core.errors import MarketError, suggest_names
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.values import Value, list_names, quote
from quant_assets.market.instruments import ALL, Group

_ANY_DAY = date(2024, 1, 15)
"""The day whose closes are compared; daylight saving time moves closes by an hour."""


def read_leads(value: Value) -> dict[str, str]:
    """Read the key ``leads``: a map from a group to the groups that follow its moves a day later.

    Returns the leader of each group that has one.

    Raises:
        MarketError: a group follows two leaders, or itself.
    """
    leaders: dict[str, str] = {}
    for leader, followers in value.entries().items():
        for item in followers.items():
            name = item.name()
            if name == leader or name in leaders:
                raise item.error(
                    "a group follows itself" if name == leader else "a group has two leaders",
                    expected="for each group at most one other group",
                    found=f"{quote(name)} follows {quote(leaders.get(name, leader))}",
                )
            leaders[name] = leader
    return leaders


def build_groups(
    members: Mapping[str, Sequence[Instrument]], leaders: Mapping[str, str], where: str
) -> tuple[Group, ...]:
    """Build the groups of a market, in the order of ``members``.

    Args:
        members: instruments by the name of their group, or one that stands for those of a rule.
        leaders: leader of each group that has one.
        where: place of the description, for errors.

    Raises:
        MarketError: a leader or follower is no group, or a group is named ``all``.
    """
    if ALL in members and len(members) > 1:
        raise MarketError(
            "a group has a name that is taken",
            where=where,
            expected=f"another name than {quote(ALL)}, which stands for all instruments",
        )
    for name in (*leaders.values(), *leaders):
        if name not in members:
            raise MarketError(
                "an unknown group in `leads`",
                where=where,
                expected=f"one of {list_names(members)}",
                found=quote(name),
                hint=suggest_names(name, members),
            )
    closes = {name: _find_close(instruments) for name, instruments in members.items()}
    order = sorted({close for close in closes.values() if close})
    return tuple(
        Group(name, leaders.get(name), order.index(close) if close else len(order))
        for name, close in closes.items()
    )


def _find_close(instruments: Sequence[Instrument]) -> datetime | None:
    """Return the latest close of some instruments on a day; None if one does not say."""
    closes = [instrument.closes for instrument in instruments]
    if not closes or None in closes:
        return None
    return max(close.on(_ANY_DAY) for close in closes if close)
