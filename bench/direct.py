"""The baseline: the same ccxt object that the engine's adapter uses, called without the engine."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from domain.model.trading import VenueCredentials
from infra.clock import SystemClock
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.config import VenueSettings
from tests.support.sandbox import SandboxProcess

SYMBOL = "BTC/USDT"


class Direct:
    """An account of the exchange, traded by ccxt alone."""

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange

    async def place_limit(self, side: str, price: str, quantity: str, **params: str) -> dict[str, Any]:
        """Place a limit order and return ccxt's order."""
        placed: dict[str, Any] = await self._exchange.create_order(
            SYMBOL, "limit", side.lower(), quantity, price, {"timeInForce": "GTC", **params}
        )
        return placed

    async def bids_from(self, price: str) -> Decimal:
        """Return how much is bid at `price` or more."""
        book = await self._exchange.public_get_depth({"symbol": SYMBOL.replace("/", ""), "limit": 1000})
        return sum((Decimal(quantity) for at, quantity in book["bids"] if Decimal(at) >= Decimal(price)), Decimal(0))

    async def watch_trades(self) -> list[dict[str, Any]]:
        """Return the next trades of the account that ccxt.pro reports."""
        trades: list[dict[str, Any]] = await self._exchange.watch_my_trades(SYMBOL)
        return trades

    async def cancel_all(self) -> None:
        """Cancel all open orders."""
        for order in await self._exchange.fetch_open_orders(SYMBOL):
            await self._exchange.cancel_order(order["id"], SYMBOL)


@asynccontextmanager
async def direct(sandbox: SandboxProcess, name: str, **balances: str) -> AsyncGenerator[Direct]:
    """Give a new account of the exchange."""
    connection = VenueConnection(VenueSettings("sandbox", "binance", sandbox.url, live=False), SystemClock())
    await connection.ensure_connected()
    # The budget is Binance's; the exchange of a bench has none.
    connection.limiter.set_limit(10**9)
    keys = await sandbox.create_account(name, balances)
    exchange = connection.new_account_exchange(VenueCredentials(keys.api_key, keys.secret))
    try:
        yield Direct(exchange)
    finally:
        await exchange.close()
        await connection.close()
