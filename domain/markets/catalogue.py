"""The markets that there are, in memory."""

from domain.markets.conversion import CurrencyGraph
from domain.markets.types import Market, MarketSymbol
from domain.storage import Storage


class MarketCatalogue:
    """Every market of every venue as it is stored; asked without waiting."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._markets: dict[MarketSymbol, Market] = {}
        self._graphs: dict[str, CurrencyGraph] = {}

    def get(self, symbol: MarketSymbol) -> Market | None:
        """Return a market; None where there is none of that name."""
        return self._markets.get(symbol)

    def all(self) -> tuple[Market, ...]:
        """Return every market in the order of their symbols."""
        return tuple(self._markets.values())

    def graph(self, venue: str) -> CurrencyGraph:
        """Return the currencies of a venue and the markets between them."""
        if venue not in self._graphs:
            self._graphs[venue] = CurrencyGraph(each for each in self._markets.values() if each.symbol.venue == venue)
        return self._graphs[venue]

    async def refresh(self) -> None:
        """Read the stored markets; raises `Unavailable`."""
        async with self._storage.reading() as reading:
            markets = await reading.market_data.markets()
        self._markets = {market.symbol: market for market in sorted(markets, key=lambda each: each.symbol)}
        self._graphs = {}
