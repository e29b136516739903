"""Which callers of the prediction API the challenger answers, in step with its share.

Pure functions. The share itself is decided in ``promotion.rules``.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

Voice = Literal["published", "champion", "challenger"]
"""Whose forecast a caller gets: the submitted one, the champion's, or the challenger's."""


@dataclass(frozen=True)
class ReleasesOfDay:
    """The releases behind the submitted forecast of a day.

    Attributes:
        champion: champion that forecast; None if no champion did.
        challenger: challenger with a share or in shadow; None if there was none.
        share: share of the challenger, 0 to 1.
    """

    champion: str | None
    challenger: str | None
    share: float


def place_caller(caller: str, release: str) -> float:
    """Place a caller between 0 and 1, for one release.

    The place depends on nothing else, so that a caller stays with a challenger while its share
    rises. Over callers, places are uniform; over releases, they are independent.

    Args:
        caller: id of the caller's key.
        release: the challenger.

    >>> round(place_caller("k1", "2024-01-02-abcdef"), 3)
    0.016
    """
    digest = sha256(f"{caller}\n{release}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def choose_voice(caller: str, releases: ReleasesOfDay) -> Voice:
    """Choose whose forecast a caller gets.

    Args:
        caller: id of the caller's key; empty for a caller without a key, who gets what was
            submitted.
        releases: the releases of the forecast day.

    >>> releases = ReleasesOfDay("2024-01-02-abcdef", "2024-03-01-fedcba", 1.0)
    >>> choose_voice("k1", releases), choose_voice("", releases)
    ('challenger', 'published')
    """
    if not caller or releases.champion is None:
        return "published"
    challenger = releases.challenger
    if challenger is not None and place_caller(caller, challenger) < releases.share:
        return "challenger"
    return "champion"
