"""The markets that there are, in memory, and the paths between currencies over those that have a price."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from domain.model.conversion import CACHED_PAIRS, CurrencyGraph, Path
from domain.model.markets import Market, MarketSymbol
from domain.ports.unit_of_work import Database


@dataclass(frozen=True, slots=True)
class MarketFilter:
    """A filter of markets; a field that is None matches all.

    `search` is a part of the symbol; it, `base` and `quote` match in any case.
    """

    symbols: tuple[MarketSymbol, ...] | None = None
    venue: str | None = None
    base: str | None = None
    quote: str | None = None
    active: bool | None = None
    search: str = ""

    def matches(self, market: Market) -> bool:
        """Return whether a market matches all fields but `symbols`, by which `MarketCatalogue.find` looks it up."""
        return (
            self.active in {None, market.active}
            and self.venue in {None, market.symbol.venue}
            and (self.base is None or market.base.upper() == self.base.upper())
            and (self.quote is None or market.quote.upper() == self.quote.upper())
            and (not self.search or self.search.upper() in str(market.symbol).upper())
        )


class MarketCatalogue:
    """Every market of every venue as it is stored, without a wait; `version` grows with each change."""

    def __init__(self, database: Database) -> None:
        self.version = 0
        self._database = database
        self._markets: dict[MarketSymbol, Market] = {}
        self._graphs: dict[str, CurrencyGraph] = {}

    def get(self, symbol: MarketSymbol) -> Market | None:
        """Return a market; None if there is none of that name."""
        return self._markets.get(symbol)

    def all(self) -> tuple[Market, ...]:
        """Return every market in the order of their symbols."""
        return tuple(self._markets.values())

    def graph(self, venue: str) -> CurrencyGraph:
        """Return the currencies of a venue and the markets between them."""
        if venue not in self._graphs:
            self._graphs[venue] = CurrencyGraph(
                market for market in self._markets.values() if market.symbol.venue == venue
            )
        return self._graphs[venue]

    def find(self, market_filter: MarketFilter) -> list[Market]:
        """Return the matching markets, each once, in the order of their symbols; unknown symbols are absent."""
        candidates: Sequence[Market] = self.all()
        if market_filter.symbols is not None:
            known = {symbol: self._markets[symbol] for symbol in market_filter.symbols if symbol in self._markets}
            candidates = [known[symbol] for symbol in sorted(known)]
        return [market for market in candidates if market_filter.matches(market)]

    async def refresh(self) -> None:
        """Read the stored markets; raises `Unavailable`."""
        async with self._database.read_only() as reading:
            markets = await reading.market_data.markets()
        found = {market.symbol: market for market in sorted(markets, key=lambda market: market.symbol)}
        if found != self._markets:
            self._markets = found
            self._graphs = {}
            self.version += 1


@dataclass(frozen=True, slots=True)
class _VenuePaths:
    graph: CurrencyGraph
    priced: frozenset[MarketSymbol]
    paths: dict[tuple[str, str], Path | None] = field(default_factory=dict)


class PricedPaths:
    """Caches each path between currencies until other markets have a price, or the venue has other markets.

    Search takes up to 24 ms on a venue of many markets, and portfolios are valued twice a second on the event loop.
    """

    def __init__(self) -> None:
        self._known: dict[str, _VenuePaths] = {}

    def find(
        self, venue: str, graph: CurrencyGraph, priced: Iterable[MarketSymbol], currency: str, into: str
    ) -> Path | None:
        """Return the shortest path over the markets that have a price; None if there is none."""
        present = frozenset(priced)
        known = self._known.get(venue)
        if known is None or known.graph is not graph or known.priced != present:
            known = self._known[venue] = _VenuePaths(graph, present)
        pair = (currency, into)
        if pair not in known.paths:
            if len(known.paths) >= CACHED_PAIRS:
                known.paths.clear()
            known.paths[pair] = next(graph.paths(currency, into, present.__contains__), None)
        return known.paths[pair]
