"""The markets that there are, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.conversion import CurrencyGraph
from domain.model.markets import Market, MarketSymbol
from domain.ports.unit_of_work import Database


@dataclass(frozen=True, slots=True)
class MarketFilter:
    """Which markets are wanted; None where it doesn't matter.

    `search` is a part of the symbol; it, `base` and `quote` match in any case.
    """

    symbols: tuple[MarketSymbol, ...] | None = None
    venue: str | None = None
    base: str | None = None
    quote: str | None = None
    active: bool | None = None
    search: str = ""

    def fits(self, market: Market) -> bool:
        """Tell whether a market is wanted; `symbols` is looked at elsewhere."""
        return (
            self.active in {None, market.active}
            and self.venue in {None, market.symbol.venue}
            and (self.base is None or market.base.upper() == self.base.upper())
            and (self.quote is None or market.quote.upper() == self.quote.upper())
            and (not self.search or self.search.upper() in str(market.symbol).upper())
        )


class MarketCatalogue:
    """Every market of every venue as it is stored; asked without waiting."""

    def __init__(self, database: Database) -> None:
        self._database = database
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

    def find(self, wanted: MarketFilter) -> list[Market]:
        """Return the markets that fit, each once, in the order of their symbols; unknown symbols are absent."""
        candidates: Sequence[Market] = self.all()
        if wanted.symbols is not None:
            known = {symbol: self._markets[symbol] for symbol in wanted.symbols if symbol in self._markets}
            candidates = [known[symbol] for symbol in sorted(known)]
        return [market for market in candidates if wanted.fits(market)]

    async def refresh(self) -> None:
        """Read the stored markets; raises `Unavailable`."""
        async with self._database.read_only() as reading:
            markets = await reading.market_data.markets()
        self._markets = {market.symbol: market for market in sorted(markets, key=lambda each: each.symbol)}
        self._graphs = {}
