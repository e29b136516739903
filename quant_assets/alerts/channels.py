"""Channels: the places of each level, from their Apprise URLs, and sending to one.

A URL is a secret as a whole: it has tokens in its path, user or even host. Elsewhere a channel is
known by its name, which has none of them. When and what to send is in ``alerts.messages``.
"""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from quant_assets.alerts.alert_lifecycle import LEVELS, Level
from quant_assets.core.errors import SettingsError
from quant_assets.core.settings import Settings

if TYPE_CHECKING:
    from apprise import AppriseResult, NotifyBase

# Seconds an attempt may take. A channel that answers later has perhaps taken the message.
PATIENCE = 15.0
_STATUS = re.compile(r"error=(\d{3})\b")


@dataclass(frozen=True)
class Channels:
    """The channels of some settings.

    Attributes:
        names: of each level's channels.
        services: what sends, by name.
        unusable: what is wrong with the URLs that nothing can send by; they have names as well.
    """

    names: Mapping[Level, tuple[str, ...]]
    services: "Mapping[str, NotifyBase]"
    unusable: tuple[SettingsError, ...] = ()

    def send(self, name: str, level: Level, subject: str, text: str) -> str | None:
        """Send to one channel and wait for its answer.

        Args:
            name: of the channel.
            level: of the alert, for channels that show it as a colour or a sign.
            subject: the first line.
            text: the rest.

        Returns:
            Why the channel did not take it, without anything secret; None if it did.
        """
        from apprise import Apprise, NotifyType

        if name not in self.services:
            return "no QUANT_ALERTS_* variable has a URL for this channel that can be used"
        types = {
            "critical": NotifyType.FAILURE,
            "warning": NotifyType.WARNING,
            "info": NotifyType.INFO,
        }
        sender = Apprise(asset=self.services[name].asset)
        sender.add(self.services[name])
        answer = sender.notify(body=text, title=subject, notify_type=types[level], timeout=PATIENCE)
        return None if answer else _why(answer)


def open_channels(settings: Settings, levels: Sequence[Level] = LEVELS) -> Channels:
    """The channels that the settings name, of all levels or of some.

    Raises:
        SettingsError: Apprise knows no service for a URL, or misses a part of it.
    """
    found = open_usable_channels(settings, levels)
    if found.unusable:
        raise found.unusable[0]
    return found


def open_usable_channels(settings: Settings, levels: Sequence[Level] = LEVELS) -> Channels:
    """The same, but a URL that cannot be used keeps nothing from the others.

    Where several URLs would have the same name, each has a digest of its own in it: what waits
    for one channel is never sent to another, whatever URLs come and go.
    """
    urls = {level: list(dict.fromkeys(settings.alert_urls(level))) for level in levels}
    services: dict[str, NotifyBase | None] = {}
    unusable = []
    for level in levels:
        for position, url in enumerate(urls[level], 1):
            if url not in services:
                services[url] = service = _service(url)
                if service is None:
                    unusable.append(_refusal(url, level, position))
    plain = {url: _name(url, service) for url, service in services.items()}
    shared = Counter(plain.values())
    digested = {url: f"{name} ({_digest(url)})" for url, name in plain.items()}
    names = {url: name if shared[name] == 1 else digested[url] for url, name in plain.items()}
    return Channels(
        {level: tuple(names[url] for url in urls[level]) for level in levels},
        {
            name: service
            for url, service in services.items()
            if service
            for name in (names[url], digested[url])
        },
        tuple(unusable),
    )


def _digest(url: str) -> str:
    return sha256(url.encode()).hexdigest()[:6]


def _service(url: str) -> "NotifyBase | None":
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id="quant_assets", app_desc="quant_assets", service_timeout=PATIENCE)
    logger = logging.getLogger("apprise")
    # What it logs of an attempt is in the answer as well, and may name a token in a host's place.
    logger.propagate = False
    # A URL that it cannot use it logs as a whole.
    logger.disabled = True
    try:
        return Apprise.instantiate(url, asset=asset)
    finally:
        logger.disabled = False


def _refusal(url: str, level: Level, position: int) -> SettingsError:
    return SettingsError(
        "an alert channel cannot be used",
        where=f"QUANT_ALERTS_{level.upper()}, URL {position}",
        expected="an Apprise URL, such as mailto://user:password@host or json://host:port/path",
        found=f"{url.partition('://')[0]}://... (the rest is secret)",
        hint="the parts each service needs are listed at https://appriseit.com/services/",
    )


def _name(url: str, service: "NotifyBase | None") -> str:
    """Scheme, and the host of a service that has one whatever the form of its URL.

    What stands in a host's place is a token or a private topic for the others.
    """
    scheme = url.partition("://")[0].lower()
    forms: tuple[str, ...] = service.templates if service else ()
    if service is None or not all("{host}" in form for form in forms):
        return f"{scheme}://"
    port = f":{service.port}" if service.port else ""
    return f"{scheme}://{service.host}{port}"


def _why(answer: "AppriseResult") -> str:
    """What came of an attempt, in words of our own: those of a service may repeat its URL."""
    from apprise import AppriseResultStatus

    if answer.status is AppriseResultStatus.TIMEOUT:
        return f"no answer within {PATIENCE:.0f} s"
    said = "\n".join(entry.message for entry in answer.logs())
    status = _STATUS.search(said)
    if status:
        return f"refused with status {status[1]}"
    return "no connection, or no answer" if "onnection" in said else "not taken"
