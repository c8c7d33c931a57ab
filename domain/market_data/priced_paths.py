"""The ways between currencies over the markets that have a price now."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.model.conversion import KNOWN_PAIRS, CurrencyGraph, Path
from domain.model.markets import MarketSymbol


@dataclass(frozen=True, slots=True)
class _Known:
    graph: CurrencyGraph
    priced: frozenset[MarketSymbol]
    paths: dict[tuple[str, str], Path | None] = field(default_factory=dict)


class PricedPaths:
    """Remembers each way until other markets have a price, or the venue has other markets.

    Search takes up to 24 ms on a venue of many markets, and portfolios are valued twice a second on the event loop.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def find(
        self, venue: str, graph: CurrencyGraph, priced: Iterable[MarketSymbol], currency: str, into: str
    ) -> Path | None:
        """Return the shortest way over the markets that have a price; None where there is none."""
        present = frozenset(priced)
        known = self._known.get(venue)
        if known is None or known.graph is not graph or known.priced != present:
            known = self._known[venue] = _Known(graph, present)
        pair = (currency, into)
        if pair not in known.paths:
            if len(known.paths) >= KNOWN_PAIRS:
                known.paths.clear()
            known.paths[pair] = next(graph.paths(currency, into, present.__contains__), None)
        return known.paths[pair]
