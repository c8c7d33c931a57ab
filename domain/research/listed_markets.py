"""Reads the markets of a job from the database: the node's own catalogue may not know yet what another has learned."""

from collections.abc import Sequence

from domain.jobs.handler import JobFailed
from domain.model.markets import Market, MarketSymbol
from domain.ports.unit_of_work import UnitOfWork


async def listed_markets(reading: UnitOfWork, symbols: Sequence[MarketSymbol]) -> list[Market]:
    """Return the markets in the order of their symbols; raises `JobFailed` naming one that isn't listed any more."""
    known = {market.symbol: market for market in await reading.market_data.markets()}
    missing = next((symbol for symbol in symbols if symbol not in known), None)
    if missing is not None:
        raise JobFailed(f"{missing} is no longer listed by its venue.")
    return [known[symbol] for symbol in symbols]
