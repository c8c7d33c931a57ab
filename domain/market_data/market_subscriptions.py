"""The markets whose feeds an account needs while it has trading sessions, positions or orders."""

from contextlib import AsyncExitStack

from domain.model.markets import MarketSymbol
from domain.model.trading import Account, TradingSession
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import UnitOfWork


class MarketSubscriptions:
    """Subscribes to a changing set of markets."""

    def __init__(self, hub: MarketDataProvider) -> None:
        self._hub = hub
        self._subscribed: dict[MarketSymbol, AsyncExitStack] = {}

    def __repr__(self) -> str:
        return f"MarketSubscriptions({sorted(map(str, self._subscribed))})"

    def __contains__(self, market: MarketSymbol) -> bool:
        return market in self._subscribed

    async def set_markets(self, markets: frozenset[MarketSymbol]) -> None:
        """Subscribe to these markets, and to no others."""
        for market in self._subscribed.keys() - markets:
            await self._subscribed.pop(market).aclose()
        for market in sorted(markets - self._subscribed.keys()):
            stack = AsyncExitStack()
            await stack.enter_async_context(self._hub.subscribe(market))
            self._subscribed[market] = stack

    async def close(self) -> None:
        """Unsubscribe from all markets."""
        await self.set_markets(frozenset())


async def pricing_markets_of_sessions(
    reading: UnitOfWork, account: Account, sessions: list[TradingSession], hub: MarketDataProvider
) -> frozenset[MarketSymbol]:
    """Return the markets that price the account's balances, if it has trading sessions.

    Without them, an account that trades by shares of its equity couldn't be valued.
    """
    if not sessions:
        return frozenset()
    held = (await reading.accounts.balances([account.id])).get(account.id, [])
    currencies = {balance.currency for balance in held if balance.total}
    currencies |= {market.symbol.partition("/")[2] for session in sessions for market in session.markets}
    return frozenset(symbol for currency in currencies for symbol in pricing_markets(account, currency, hub))


def pricing_markets(account: Account, currency: str, hub: MarketDataProvider) -> list[MarketSymbol]:
    """Return the markets on the shortest path from a currency to the account's own."""
    path = hub.graph(account.venue).active_path(currency, account.currency)
    return [step.market for step in path or ()]
