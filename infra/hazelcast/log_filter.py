"""Keeps what the Hazelcast client lets fall out of the logs, and nothing else.

Measured with hazelcast-python-client 5.7.0: when a connection breaks, tasks of the client and futures of its half-made
proxies end with an exception that nobody fetches, and the event loop reports each with a traceback; each failed attempt
to connect is logged with a traceback too, several times a second. `infra.hazelcast.client` tells the same in one line.
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
"""The client writes once more on a connection that has closed meanwhile; uvloop raises there."""

Report = dict[str, Any]  # asyncio's own type of what it hands to an exception handler


class ClientLogFilter:
    """An exception handler of an event loop that drops the client's unfetched exceptions and passes on all others."""

    def __init__(self, otherwise: Callable[[asyncio.AbstractEventLoop, Report], object] | None) -> None:
        self._otherwise = otherwise

    def __call__(self, loop: asyncio.AbstractEventLoop, report: Report) -> None:
        """Report what `report` tells of, unless it is noise."""
        if is_client_noise(report):
            return
        if self._otherwise is None:
            loop.default_exception_handler(report)
        else:
            self._otherwise(loop, report)


def silence(loop: asyncio.AbstractEventLoop) -> None:
    """Filter the client's noise out of `loop`'s reports and out of the log; more than once does no harm.

    A handler that is set later replaces the filter: set your own first, it is called for everything else.
    """
    logging.getLogger("hazelcast").setLevel(logging.CRITICAL)
    handler = loop.get_exception_handler()
    if not isinstance(handler, ClientLogFilter):
        loop.set_exception_handler(ClientLogFilter(handler))


def is_client_noise(report: Report) -> bool:
    """Tell whether the loop reports an exception that the client raised to itself and never fetched."""
    message, error = str(report.get("message", "")), report.get("exception")
    if message.startswith(_LATE_WRITE):
        return isinstance(error, RuntimeError)
    if not message.endswith("exception was never retrieved"):
        return False
    future = report.get("future")
    if isinstance(future, asyncio.Task):
        return _is_of_client(future) and isinstance(error, (HazelcastError, OSError, BaseExceptionGroup))
    # A plain future doesn't know who made it; but nobody else puts an error of the client, or a cancellation, into one.
    return isinstance(error, HazelcastError | asyncio.CancelledError)


def _is_of_client(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and str(code.co_filename).startswith(_CLIENT_FOLDER)
