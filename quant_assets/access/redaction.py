"""Keeping keys out of logs, where a library logs what a client sent."""

import logging
import re
from typing import Any

_TOKEN = re.compile(r"(qa_[0-9a-f]{12})_\w+")


class KeyFilter(logging.Filter):
    """Replaces the secret part of each key in a log record; the key's id stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record where it has a key, and keep it."""
        record.msg = _redact(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_redact(value) for value in record.args)
        return True


def _redact(value: Any) -> Any:
    """Return a text without secrets; anything else as it is."""
    return _TOKEN.sub(r"\1_...", value) if isinstance(value, str) else value
