"""Pings of a venue's streams: answered, and a connection that breaks meanwhile is nothing to log."""

import asyncio
import gc
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError, WSMessage, WSMsgType

from infra.clock import SystemClock
from infra.venues.ccxt.client import exchange_class, new_exchange
from infra.venues.ccxt.clock import VenueClock
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.limiters import RateLimiters


class Connection:
    """A connection that may be broken by the time at which something is sent."""

    def __init__(self, *, broken: bool) -> None:
        self._broken = broken
        self.answered: list[bytes] = []

    async def pong(self, message: bytes) -> None:
        if self._broken:
            raise ClientConnectionResetError("Cannot write to closing transport")
        self.answered.append(message)


@pytest.mark.parametrize("broken", [False, True])
async def test_a_ping_is_answered_and_a_broken_connection_is_not_reported(broken: bool) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    settings, clock = VenueSettings("binance", "binance", None, live=True), SystemClock()
    limiter = RateLimiters(clock).get(settings)
    exchange = new_exchange(await exchange_class(settings), settings, VenueClock(clock), limiter)
    client = exchange.client("wss://venue.example/stream")
    client.connection = connection = Connection(broken=broken)
    client.handle_message(WSMessage(WSMsgType.PING, b"1796013841", None))
    for _ in range(5):
        await asyncio.sleep(0)
    client.connection = None
    await exchange.close()
    gc.collect()
    assert connection.answered == ([] if broken else [b"1796013841"])
    assert reported == []
