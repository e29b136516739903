"""Channels that messages are sent to, each given by an Apprise URL.

A whole URL is a secret, since its path, user or even host may be a token. Everywhere else a
channel is identified by its name, which holds no token. When and what to send belongs in
``alerts.messages``.
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

TIMEOUT = 15.0
"""Seconds an attempt may take. A channel that answers later may have accepted the message."""
_STATUS = re.compile(r"error=(\d{3})\b")


@dataclass(frozen=True)
class Channels:
    """The channels that the settings name.

    Attributes:
        names: names of each level's channels, usable or not.
        services: the Apprise service of each usable channel, by name.
        unusable: the error of each URL that cannot be used.
    """

    names: Mapping[Level, tuple[str, ...]]
    services: "Mapping[str, NotifyBase]"
    unusable: tuple[SettingsError, ...] = ()

    def send(self, name: str, level: Level, subject: str, text: str) -> str | None:
        """Send to one channel and wait for its answer.

        Args:
            name: name of the channel.
            level: the alert's level, which some channels show as a colour or a sign.
            subject: first line of the message.
            text: the rest of the message.

        Returns:
            Why the channel did not accept the message, without any secret; None if it did.
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
        answer = sender.notify(body=text, title=subject, notify_type=types[level], timeout=TIMEOUT)
        return None if answer else _describe_failure(answer)


def open_channels(settings: Settings, levels: Sequence[Level] = LEVELS) -> Channels:
    """Open the channels that the settings name for some levels, or for all.

    Raises:
        SettingsError: a URL is of no service that Apprise knows, or a part of it is missing.
    """
    channels = open_usable_channels(settings, levels)
    if channels.unusable:
        raise channels.unusable[0]
    return channels


def open_usable_channels(settings: Settings, levels: Sequence[Level] = LEVELS) -> Channels:
    """Open the channels whose URLs can be used; the others are listed in ``unusable``.

    If several URLs would have the same name, each name gets a digest of its URL. A message that
    waits for one channel is thus never sent to another, even if the settings change meanwhile.
    """
    urls = {level: list(dict.fromkeys(settings.alert_urls(level))) for level in levels}
    services: dict[str, NotifyBase | None] = {}
    unusable = []
    for level in levels:
        for position, url in enumerate(urls[level], 1):
            if url not in services:
                services[url] = service = _instantiate_service(url)
                if service is None:
                    unusable.append(_unusable_url_error(url, level, position))
    plain = {url: _name_channel(url, service) for url, service in services.items()}
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


def _instantiate_service(url: str) -> "NotifyBase | None":
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id="quant_assets", app_desc="quant_assets", service_timeout=TIMEOUT)
    logger = logging.getLogger("apprise")
    # Its log of an attempt is in the answer as well, and may hold a token in place of a host.
    logger.propagate = False
    # It logs the whole of a URL that it cannot use.
    logger.disabled = True
    try:
        return Apprise.instantiate(url, asset=asset)
    finally:
        logger.disabled = False


def _unusable_url_error(url: str, level: Level, position: int) -> SettingsError:
    return SettingsError(
        "an alert channel cannot be used",
        where=f"QUANT_ALERTS_{level.upper()}, URL {position}",
        expected="an Apprise URL, such as mailto://user:password@host or json://host:port/path",
        found=f"{url.partition('://')[0]}://... (the rest is secret)",
        hint="the parts each service needs are listed at https://appriseit.com/services/",
    )


def _name_channel(url: str, service: "NotifyBase | None") -> str:
    """Name a channel by its scheme, with the host only if every form of the URL has one.

    The other services have a token or a private topic in the place of a host.
    """
    scheme = url.partition("://")[0].lower()
    forms: tuple[str, ...] = service.templates if service else ()
    if service is None or not all("{host}" in form for form in forms):
        return f"{scheme}://"
    port = f":{service.port}" if service.port else ""
    return f"{scheme}://{service.host}{port}"


def _describe_failure(answer: "AppriseResult") -> str:
    """Describe a failed attempt without the service's own words, which may repeat its URL."""
    from apprise import AppriseResultStatus

    if answer.status is AppriseResultStatus.TIMEOUT:
        return f"no answer within {TIMEOUT:.0f} s"
    log = "\n".join(entry.message for entry in answer.logs())
    status = _STATUS.search(log)
    if status:
        return f"refused with status {status[1]}"
    return "no connection, or no answer" if "onnection" in log else "the service did not accept it"
