"""Keeps the newest errors of the log, and counts errors and warnings, so that operators see them without the log."""

import logging
from collections import deque
from datetime import UTC, datetime
from typing import Final

from domain.model.node_reports import LoggedError

ERRORS_KEPT: Final = 20
MAXIMUM_CHARACTERS: Final = 300


class RecentErrors(logging.Handler):
    """A handler that keeps what was logged; fields and tracebacks, which may say whose it is, stay in the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warning_count = 0
        self.error_count = 0
        self._errors: deque[LoggedError] = deque(maxlen=ERRORS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Count the record, and keep it if it is an error."""
        if record.levelno < logging.ERROR:
            self.warning_count += 1
            return
        self.error_count += 1
        at = datetime.fromtimestamp(record.created, UTC)
        self._errors.append(LoggedError(at, record.name, _message(record)[:MAXIMUM_CHARACTERS]))

    @property
    def errors(self) -> tuple[LoggedError, ...]:
        """The newest errors, the newest first."""
        return tuple(reversed(self._errors))


def _message(record: logging.LogRecord) -> str:
    if isinstance(record.msg, dict):  # structlog's
        return str(record.msg.get("event", ""))
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that don't fit the text: logging reports that itself
        return str(record.msg)
