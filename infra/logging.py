"""Structured logs: one event a line, as text for people or as JSON for machines."""

import logging
import sys

import structlog

from infra.settings import LogFormat

_QUIET = ("uvicorn", "asyncio", "hazelcast", "ccxt", "alembic", "websockets")

_NOT_UTF8 = "Invalid UTF-8 sequence received from client."
"""What uvicorn logs, with a traceback, of a WebSocket message that it closes with 1007."""

_CUT_OFF = "ASGI callable returned without completing response."
"""What uvicorn logs of an event stream that was given up since its reader took nothing any more."""


class _PeersFaults(logging.Filter):
    """Makes a line of information of what the web server takes for an error of its own, but is the peer's."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        if record.msg in {_NOT_UTF8, _CUT_OFF}:
            record.levelno, record.levelname, record.exc_info = logging.INFO, "INFO", None
        return True


def configure_logging(level: str, form: LogFormat) -> None:
    """Send structlog's and the standard library's records through one formatter to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _renderer(form),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.error").addFilter(_PeersFaults())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(form: LogFormat) -> structlog.typing.Processor:
    if form is LogFormat.JSON:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
