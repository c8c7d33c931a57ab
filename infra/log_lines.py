"""Lines of the log that are many and alike, such as those of requests: written without logging's machinery, in batches.

They look as all others do, and their order is kept: any other line is written after those that wait.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TextIO

import structlog

FLUSH_SECONDS: Final = 0.05
"""How long a line waits for others at most."""

_MAX_WAITING: Final = 1_000
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.,:/-]+", re.ASCII)
"""Text that is written as it is by every renderer."""

_EVENT_WIDTH: Final = 30
_LEVEL_WIDTH: Final = 9

Fields = dict[str, object]
Render = Callable[[Fields], str]
"""Renders an event with its timestamp, level and logger, as the processors of the log do."""


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes records at once, and lines within `FLUSH_SECONDS`, before the next record, and when the process ends.

    Its end is that of `logging.shutdown`, which Python calls also after an exception that nobody caught. Only a process
    that is killed loses the lines of its last moment.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[str] = []

    def write_soon(self, line: str) -> None:
        """Write a line with the next batch; at once if there is no event loop to write it later."""
        self.acquire()
        try:
            self._waiting.append(line)
            is_first, is_full = len(self._waiting) == 1, len(self._waiting) >= _MAX_WAITING
        finally:
            self.release()
        if is_full or (is_first and not self._flush_later()):
            self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record after the lines that wait."""
        with suppress(OSError, ValueError):
            self._write_waiting()
        super().emit(record)

    def flush(self) -> None:
        """Write the lines that wait."""
        with suppress(OSError, ValueError):  # nobody reads the log, and the engine goes on
            self._write_waiting()
            super().flush()

    def _flush_later(self) -> bool:
        try:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        except RuntimeError:
            return False
        return True

    def _write_waiting(self) -> None:
        self.acquire()
        try:
            lines, self._waiting = self._waiting, []
            if lines:
                self.stream.write("\n".join((*lines, "")))
        finally:
            self.release()


@dataclass(frozen=True, slots=True)
class LineOutput:
    """Where lines go, and what they look like."""

    handler: LineHandler
    render: Render
    is_text: bool
    """Whether `plain_line` makes the same line as `render` does."""


class LineLog:
    """A log of events at the level INFO whose fields are few and plain."""

    output: LineOutput | None = None
    """Of all such logs; None until logging is configured, and events are then logged as any other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._logger = logging.getLogger(name)

    def info(self, event: str, fields: Fields) -> None:
        """Log an event, if the level lets it through."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        output = LineLog.output
        if output is None:
            structlog.stdlib.get_logger(self._name).info(event, **fields)
            return
        timestamp = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        line = plain_line(timestamp, event, self._name, fields) if output.is_text else None
        if line is None:
            line = output.render(
                {"timestamp": timestamp, "level": "info", "event": event, "logger": self._name, **fields}
            )
        output.handler.write_soon(line)


def plain_line(timestamp: str, event: str, logger: str, fields: Mapping[str, object]) -> str | None:
    """Return the line that structlog's renderer of text makes; None if a value may need quotes or escapes."""
    parts, texts = [], []
    for name in sorted(fields):
        value = fields[name]
        if type(value) is str:
            texts.append(value)
        elif type(value) is not int and type(value) is not float:
            return None
        parts.append(f"{name}={value}")
    if "" in texts or (texts and not _PLAIN.fullmatch("".join(texts))):
        return None
    return f"{timestamp} [{'info':<{_LEVEL_WIDTH}}] {event:<{_EVENT_WIDTH}} [{logger}] {' '.join(parts)}"
