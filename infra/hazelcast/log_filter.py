"""Keeps the Hazelcast client's own unhandled errors out of the logs, and nothing else.

Measured with hazelcast-python-client 5.7.0: when a connection breaks, tasks of the client and futures of its unfinished
proxies end with an exception that is never retrieved, and the event loop reports each with a traceback; each failed
attempt to connect is logged with a traceback too, several times a second. `infra.hazelcast.client` logs one line.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hazelcast
from hazelcast.errors import HazelcastError

_CLIENT_FOLDER = str(Path(hazelcast.__file__).parent)

_LATE_WRITE = "Exception in callback <bound method HazelcastProtocol._flush of "
"""The client writes to a connection that has just closed, on which uvloop raises."""

Report = dict[str, Any]  # the context that asyncio passes to exception handlers


class ClientLogFilter:
    """An event loop's exception handler that drops the client's unretrieved exceptions and forwards all others."""

    def __init__(self, otherwise: Callable[[asyncio.AbstractEventLoop, Report], object] | None) -> None:
        self._otherwise = otherwise

    def __call__(self, loop: asyncio.AbstractEventLoop, report: Report) -> None:
        """Forward the report, unless it is noise."""
        if is_client_noise(report):
            return
        if self._otherwise is None:
            loop.default_exception_handler(report)
        else:
            self._otherwise(loop, report)


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Filter the client's noise out of `loop`'s reports and out of the log; installing it twice has no effect.

    A handler that is set later replaces the filter: set your own first, and the filter forwards to it.
    """
    logging.getLogger("hazelcast").setLevel(logging.CRITICAL)
    handler = loop.get_exception_handler()
    if not isinstance(handler, ClientLogFilter):
        loop.set_exception_handler(ClientLogFilter(handler))


def is_client_noise(report: Report) -> bool:
    """Return whether the loop reports an exception that the client raised internally and never retrieved."""
    message, error = str(report.get("message", "")), report.get("exception")
    if message.startswith(_LATE_WRITE):
        return isinstance(error, RuntimeError)
    if not message.endswith("exception was never retrieved"):
        return False
    future = report.get("future")
    if isinstance(future, asyncio.Task):
        return _is_client_task(future) and isinstance(error, (HazelcastError, OSError, BaseExceptionGroup))
    # A plain future doesn't know its creator; but only the client sets its errors, or a cancellation, as an exception.
    return isinstance(error, HazelcastError | asyncio.CancelledError)


def _is_client_task(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and str(code.co_filename).startswith(_CLIENT_FOLDER)
