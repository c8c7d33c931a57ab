"""Structured logs: one event a line, as text for people or as JSON for machines."""

import logging
import re
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from functools import partial
from typing import cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from domain.core.tracing import trace_id
from infra.log_lines import LineHandler, LineLog, LineOutput
from infra.settings import LogFormat

_QUIET = ("uvicorn", "asyncio", "hazelcast", "ccxt", "alembic", "websockets")

_NOT_UTF8 = "Invalid UTF-8 sequence received from client."
"""Logged by uvicorn, with a traceback, for a WebSocket message that it closes with 1007."""

_CUT_OFF = "ASGI callable returned without completing response."
"""Logged by uvicorn for an event stream that is closed so that the client opens it again."""


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that end a line, colour a terminal, or change the direction of text."""


_open_requests: set[str] = set()
_request_id: ContextVar[str] = ContextVar("r3edge_request", default="")
"""The current request's id; it no longer counts in tasks that outlive the request."""


class request_lines:  # noqa: N801  # it is used as a function
    """Adds the request's id to every line logged by the block and its tasks, until the block ends."""

    def __init__(self, request_id: str) -> None:
        self._id = request_id

    def __enter__(self) -> None:
        _open_requests.add(self._id)
        self._token = _request_id.set(self._id)

    def __exit__(self, *_error: object) -> None:
        _request_id.reset(self._token)
        _open_requests.discard(self._id)


class _PeerErrorFilter(logging.Filter):
    """Lowers records to INFO that the web server logs as its own errors, though the peer causes them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the record of an address that can't be listened on, which the engine reports itself; keep all others."""
        if isinstance(record.msg, OSError):
            return False
        if record.msg in {_NOT_UTF8, _CUT_OFF}:
            record.levelno, record.levelname, record.exc_info = logging.INFO, "INFO", None
        return True


def configure_logging(level: str, form: LogFormat) -> None:
    """Send structlog's and the standard library's records through one formatter to standard error."""
    shared: list[structlog.typing.Processor] = [
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = LineHandler(sys.stderr)
    rendering = [_in_order, *_rendering(form)]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *rendering,
            ],
        )
    )
    is_text = form is LogFormat.CONSOLE and not sys.stderr.isatty()
    LineLog.output = LineOutput(handler, partial(_render, rendering), is_text)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.error").addFilter(_PeerErrorFilter())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _render(processors: Sequence[structlog.typing.Processor], line: EventDict) -> str:
    """Return the text of a line that doesn't come through logging."""
    rendered: structlog.typing.ProcessorReturnValue = line
    for processor in processors:
        rendered = processor(None, "info", cast("EventDict", rendered))
    return str(rendered)


def _rendering(form: LogFormat) -> list[structlog.typing.Processor]:
    if form is LogFormat.JSON:
        return [structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [
        _indent_exception,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain),
    ]


def _add_request_id(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    if (request_id := _request_id.get()) in _open_requests:
        line.setdefault("request_id", request_id)
    if (trace := trace_id()) is not None:
        line.setdefault("trace_id", trace)
    return line


def _indent_exception(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Indent a traceback: no line of an error's text, which a peer may have written, begins as a log line does."""
    if isinstance(text := line.get("exception"), str):
        lines = (_UNPRINTABLE.sub(_escaped, part) for part in text.split("\n"))
        line["exception"] = "\n".join(f"    {part}" for part in lines)
    return line


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _in_order(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Put the common fields first, and escape characters with which a library's text could forge a line.

    Fields are escaped by the renderers.
    """
    event = _UNPRINTABLE.sub(_escaped, str(line.pop("event")))
    first = {name: line.pop(name) for name in ("timestamp", "level") if name in line}
    return {**first, "event": event, **line}
