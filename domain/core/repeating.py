"""Work that is done again and again in the background, and goes on whatever becomes of one time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from domain.core.errors import Unavailable

log = logging.getLogger(__name__)


async def repeat(
    work: Callable[[], Awaitable[object]],
    failure: str,
    every_seconds: float,
    *,
    retry_seconds: float | None = None,
    on_failure: Callable[[], None] | None = None,
) -> NoReturn:
    """Do `work` at once and again after each `every_seconds`, until cancelled.

    A time that fails is logged as `failure` ("old rows could not be deleted") with its cause, once while the cause
    stays the same, `on_failure` is called, and the next time comes after `retry_seconds` if that is shorter.
    """
    retry_seconds = every_seconds if retry_seconds is None else min(retry_seconds, every_seconds)
    logged: str | None = None
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001  # whatever it is, a later time may succeed
            cause = error.message if isinstance(error, Unavailable) else repr(error)
            if cause != logged:
                log.warning("%s; it is tried again: %s", failure, cause)
            logged = cause
            if on_failure is not None:
                on_failure()
            await asyncio.sleep(retry_seconds)
        else:
            logged = None
            await asyncio.sleep(every_seconds)
