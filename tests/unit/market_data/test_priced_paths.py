"""Ways over priced markets are those that a search finds, and are searched once per change of what has a price."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.catalogue import PricedPaths
from domain.market_data.market_state import MarketState
from domain.market_data.timings import HubTimings
from domain.model.conversion import CurrencyGraph, Path
from domain.model.markets import Depth, MarketSymbol, PriceLevel, Ticker
from infra.embedded.bus import EmbeddedBus
from tests.support.clocks import ManualClock
from tests.support.orders import a_market

COINS = "ABCDE"
MARKETS = [MarketSymbol("sandbox", f"{base}/{quote}") for base, quote in combinations(COINS, 2)]
AT = datetime(2024, 8, 8, tzinfo=UTC)


class CountingGraph(CurrencyGraph):
    """The markets between all pairs of a few coins; counts its searches."""

    searches = 0

    def paths(self, currency: str, into: str, usable: Callable[[MarketSymbol], bool]) -> Iterator[Path]:
        self.searches += 1
        return super().paths(currency, into, usable)


def a_graph() -> CountingGraph:
    parts = [(market, *market.symbol.split("/")) for market in MARKETS]
    return CountingGraph(a_market(symbol=symbol, base=base, quote=quote) for symbol, base, quote in parts)


COIN = st.sampled_from(COINS)


@given(st.lists(st.tuples(st.sets(st.sampled_from(MARKETS)), COIN, COIN), max_size=30))
def test_the_way_is_always_the_one_that_a_search_over_the_priced_markets_finds(
    steps: list[tuple[set[MarketSymbol], str, str]],
) -> None:
    known, graph, plain = PricedPaths(), a_graph(), a_graph()
    for priced, currency, into in steps:
        expected = next(plain.paths(currency, into, priced.__contains__), None)
        assert known.find("sandbox", graph, priced, currency, into) == expected


def test_a_way_is_searched_once_until_other_markets_have_a_price_or_the_venue_has_other_markets() -> None:
    known, graph = PricedPaths(), a_graph()
    for _ in range(100):
        known.find("sandbox", graph, MARKETS[:5], "A", "E")
        known.find("sandbox", graph, reversed(MARKETS[:5]), "A", "B")
        known.find("sandbox", graph, MARKETS[:5], "A", "nowhere")
    assert graph.searches == 3
    known.find("sandbox", graph, MARKETS[:4], "A", "E")
    assert graph.searches == 4
    other = a_graph()
    known.find("sandbox", other, MARKETS[:4], "A", "E")
    assert other.searches == 1
    known.find("second", graph, MARKETS[:4], "A", "E")
    known.find("sandbox", other, MARKETS[:4], "A", "E")
    assert (graph.searches, other.searches) == (5, 1)


LEVELS = st.sampled_from([(), (PriceLevel(Decimal(9), Decimal(1)),)])
LAST = st.sampled_from([None, Decimal(9)])
AGE = st.sampled_from([0.0, HubTimings().fresh_seconds + 1])


@given(st.none() | st.tuples(LEVELS, LEVELS, AGE), st.none() | st.tuples(LAST, AGE))
def test_a_market_has_a_price_exactly_where_there_is_one(
    book: tuple[tuple[PriceLevel, ...], tuple[PriceLevel, ...], float] | None,
    ticker: tuple[Decimal | None, float] | None,
) -> None:
    clock = ManualClock()
    state = MarketState(MARKETS[0], EmbeddedBus(), clock)
    if ticker is not None:
        state.apply_ticker(Ticker(MARKETS[0], AT, None, None, ticker[0], None, None, None, None, None))
        clock.move(ticker[1])
    if book is not None:
        state.apply_depth(Depth(MARKETS[0], "e", 1, book[0], book[1], AT, AT))
        clock.move(book[2])
    assert state.has_price == (state.price is not None)
