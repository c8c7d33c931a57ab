"""The markets whose feeds an account needs while something of it is alive."""

from contextlib import AsyncExitStack

from domain.model.markets import MarketSymbol
from domain.model.trading import Account, TradingSession
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import UnitOfWork


class MarketSubscriptions:
    """Keeps the feeds of a changing set of markets alive."""

    def __init__(self, hub: MarketDataProvider) -> None:
        self._hub = hub
        self._wanted: dict[MarketSymbol, AsyncExitStack] = {}

    def __repr__(self) -> str:
        return f"MarketSubscriptions({sorted(map(str, self._wanted))})"

    async def set_markets(self, markets: frozenset[MarketSymbol]) -> None:
        """Want these markets from now on, and no others."""
        for market in self._wanted.keys() - markets:
            await self._wanted.pop(market).aclose()
        for market in sorted(markets - self._wanted.keys()):
            stack = AsyncExitStack()
            await stack.enter_async_context(self._hub.subscribe(market))
            self._wanted[market] = stack

    async def close(self) -> None:
        """Want nothing any more."""
        await self.set_markets(frozenset())


async def markets_needed(
    reading: UnitOfWork, account: Account, sessions: list[TradingSession], hub: MarketDataProvider
) -> frozenset[MarketSymbol]:
    """Return the markets of sessions, open positions and active orders, and those that price what is held.

    Without the latter, an account that trades by shares of its equity couldn't be valued.
    """
    needed = {session.market for session in sessions}
    needed |= {order.market for order in await reading.orders.list_active(account.id)}
    needed |= {position.market for position in await reading.positions.list_open(account.id)}
    if sessions:
        held = (await reading.accounts.balances([account.id])).get(account.id, [])
        currencies = {balance.currency for balance in held if balance.total}
        currencies |= {session.market.symbol.partition("/")[2] for session in sessions}
        needed |= {symbol for currency in currencies for symbol in pricing_markets(account, currency, hub)}
    return frozenset(needed)


def pricing_markets(account: Account, currency: str, hub: MarketDataProvider) -> list[MarketSymbol]:
    """Return the markets that a currency is priced by in the account's own: those of the shortest way there."""
    path = hub.graph(account.venue).active_path(currency, account.currency)
    return [step.market for step in path or ()]
