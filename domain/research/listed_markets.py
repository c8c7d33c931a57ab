"""Reads the markets of a job from the database: the node's own catalogue may not know yet what another has learned."""

from collections.abc import Sequence

from domain.jobs.handler import JobFailed
from domain.model.markets import Market, MarketSymbol
from domain.ports.unit_of_work import UnitOfWork


class NotListed(JobFailed):
    """A market isn't listed any more."""

    def __init__(self, market: MarketSymbol) -> None:
        super().__init__(f"{market} is no longer listed by its venue.")


async def listed_markets(reading: UnitOfWork, symbols: Sequence[MarketSymbol]) -> list[Market]:
    """Return the markets in the order of their symbols; raises `NotListed` naming one that isn't."""
    known = {market.symbol: market for market in await reading.market_data.markets()}
    missing = next((symbol for symbol in symbols if symbol not in known), None)
    if missing is not None:
        raise NotListed(missing)
    return [known[symbol] for symbol in symbols]
