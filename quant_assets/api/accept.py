"""The formats of answers, and what a request's headers say about them."""

from functools import lru_cache

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
FORMATS = (JSON, CSV, ARROW)
"""Formats of answers that have rows; the first is used where a caller has no preference."""


@lru_cache(maxsize=256)
def choose_format(header: str | None, offered: tuple[str, ...] = FORMATS) -> str | None:
    """Choose the offered format that an ``Accept`` header prefers; None if it accepts none.

    >>> choose_format("text/html, */*;q=0.8"), choose_format("text/csv"), choose_format("image/png")
    ('application/json', 'text/csv', None)
    """
    if not header:
        return offered[0]
    ranges = [_read_range(part) for part in header.split(",") if part.strip()]
    qualities = {media: _quality_of(media, ranges) for media in offered}
    best = max(offered, key=lambda media: qualities[media])
    return best if qualities[best] > 0 else None


def _read_range(text: str) -> tuple[str, float]:
    """Read one range of an ``Accept`` header: the media range, and its quality."""
    media, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return media, 0.0
    return media, 1.0


def _quality_of(media: str, ranges: list[tuple[str, float]]) -> float:
    """Return the quality of the most specific range that contains a format."""
    kind = media.partition("/")[0]
    by_range = dict(ranges)
    for name in (media, f"{kind}/*", "*/*", "*"):
        if name in by_range:
            return by_range[name]
    return 0.0


def has_tag(header: str | None, tag: str) -> bool:
    """Whether an ``If-None-Match`` header names an entity tag.

    >>> has_tag('W/"a", "b"', '"b"'), has_tag("*", '"b"'), has_tag(None, '"b"')
    (True, True, False)
    """
    if not header:
        return False
    named = {part.strip().removeprefix("W/") for part in header.split(",")}
    return tag in named or "*" in named
