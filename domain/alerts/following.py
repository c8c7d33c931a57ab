"""Follows markets for alert rules, as one of the clients' readers: where these are at their limit, a rule waits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from domain.core.errors import RateLimited
from domain.model.markets import MarketSymbol

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 2.0
WAIT_SECONDS: Final = 10.0
"""After how long it is tried again to follow a market for which there was no room."""


async def keep_following(
    market: MarketSymbol,
    follow: Callable[[], Awaitable[None]],
    retry_seconds: float = RETRY_SECONDS,
    wait_seconds: float = WAIT_SECONDS,
) -> None:
    """Have the market followed until cancelled, also after a failure, and once there is room for it."""
    waits = False
    while True:
        pause = retry_seconds
        try:
            await follow()
        except RateLimited as error:
            pause = wait_seconds
            if not waits:
                log.warning("the alert rules on %s wait: %s", market, error.message)
            waits = True
        except Exception:
            waits = False
            log.exception("the alert rules on %s failed and are started again", market)
        await asyncio.sleep(pause)
