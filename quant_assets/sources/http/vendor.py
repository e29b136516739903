"""What a vendor of bars gives to the source of bars: its name, keys, limits and readers.

How a vendor writes its bars belongs in its own module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from functools import cache, partial
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from quant_assets.core.errors import SourceError
from quant_assets.core.settings.vendor_keys import is_accepted, read_vendor_key
from quant_assets.sources.http.bars import (
    NEW_YORK,
    US_BARS_COMPLETE,
    Bars,
    newest_finished_day,
)
from quant_assets.sources.http.client import HttpClient
from quant_assets.sources.http.requests import Credentials
from quant_assets.sources.http.responses import ResponseStore
from quant_assets.sources.http.waiting import Limits, WaitingClock


@dataclass(frozen=True)
class Vendor:
    """A vendor of daily bars.

    Attributes:
        name: name of the source in ``market.yaml``.
        title: name of the vendor in messages.
        url: its interface.
        read: reads the bars of a symbol; called with a client, symbol, first and last day, and the
            address, then with ``feed`` if the vendor has feeds.
        limits: waiting times, and the pace that the vendor allows.
        keys: variables of the environment that hold keys, by the header that a key is sent in.
        scheme: text before a key in its header.
        acceptance: variable by which the user accepts terms that forbid automated access; empty if
            they do not.
        feeds: names of the vendor's feeds, the first of which is the default.
        zone: time zone of the exchanges.
        complete: local time from which a day's bars are complete.
        name_symbol: returns the vendor's name of an instrument that has no other in the options.
        read_minutes: reads bars within the day, called as ``read`` and with ``minutes``; None if
            the vendor has none.
        has_splits: whether its instruments may have splits and dividends.
    """

    name: str
    title: str
    url: str
    read: Callable[..., Bars]
    limits: Limits
    keys: Mapping[str, str] = field(default_factory=dict, hash=False)
    scheme: str = ""
    acceptance: str = ""
    feeds: tuple[str, ...] = ()
    zone: ZoneInfo = NEW_YORK
    complete: time = US_BARS_COMPLETE
    name_symbol: Callable[[str], str] = str
    read_minutes: Callable[..., Bars] | None = None
    has_splits: bool = True

    def open_client(
        self, store: ResponseStore | None = None, clock: WaitingClock | None = None
    ) -> HttpClient:
        """Open a client with the keys of the environment. Nothing is asked yet.

        Args:
            store: keeps the answers.
            clock: the clock.

        Raises:
            SettingsError: a key is missing.
            SourceError: the user has not accepted terms that forbid automated access.
        """
        if self.acceptance and not is_accepted(self.acceptance):
            raise SourceError(
                f"{self.title} is not asked",
                where=self.acceptance,
                expected="yes",
                found="another value, or none",
                hint=f"{self.title}'s terms forbid automated access: read them, and set the "
                "variable to yes if you take responsibility; other vendors give the same prices "
                "for a free key",
            )
        headers = {
            header: SecretStr(
                self.scheme + read_vendor_key(variable, self.title).get_secret_value()
            )
            for header, variable in self.keys.items()
        }
        return HttpClient(self.name, store, Credentials(headers=headers), self.limits, clock)

    @property
    def hasty_limits(self) -> Limits:
        """Limits of a request for which a sensor's tick waits."""
        return replace(self.limits, connect_s=5.0, read_s=10.0, whole_s=20.0, attempts=1)

    def finished_day(self, asked_at: datetime) -> date:
        """Return the newest calendar day whose bars were complete at a moment."""
        return newest_finished_day(asked_at, self.zone, self.complete)


@cache
def vendor_of_minutes(vendor: Vendor, minutes: int) -> Vendor:
    """Return a vendor that reads bars within the day instead of daily bars.

    Args:
        vendor: a vendor with ``read_minutes``.
        minutes: length of the bars.
    """
    if vendor.read_minutes is None:
        raise ValueError(vendor.name)
    read = partial(vendor.read_minutes, minutes=minutes)
    return replace(vendor, name=f"{vendor.name} {minutes} min", read=read)
