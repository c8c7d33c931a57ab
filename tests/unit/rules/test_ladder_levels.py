"""Levels in whole ticks are those that decimals give."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.model.definitions import EntryAdd, ExitDistance
from domain.model.orders import OrderType
from domain.rules.grid import grid_of
from domain.rules.ladder import Ladder, price_levels
from domain.rules.ladder_levels import LadderLevels
from tests.support.backtests import a_spot_market

D = Decimal

distances = st.one_of(
    st.builds(ExitDistance, percent=st.decimals(D("0.01"), D(120), places=2)),
    st.builds(ExitDistance, percent=st.decimals(D("0.0001"), D(3), places=17)),
    st.builds(ExitDistance, absolute=st.decimals(D("0.01"), D(50), places=3)),
    st.builds(ExitDistance, atr_multiple=st.just(D("1.5"))),
)
counts = st.integers(1, 3)
adds = st.lists(
    st.one_of(
        st.builds(EntryAdd, below=distances, count=counts),
        st.builds(EntryAdd, above=distances, count=counts),
        st.builds(EntryAdd, below=distances, rule=st.just("close > open"), count=counts),
        st.builds(EntryAdd, on_entry_signal=st.just(True), count=counts),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
ticks = st.sampled_from([D("0.01"), D("0.003"), D(25), D(0)])


@given(adds, st.frozensets(st.integers(1, 9)), ticks, st.integers(1, 10**9), st.sampled_from([None, D("0.7")]))
def test_the_levels_are_those_that_decimals_give(
    given_adds: tuple[EntryAdd, ...], taken: frozenset[int], tick: Decimal, last: int, atr: Decimal | None
) -> None:
    market = a_spot_market(price_increment=tick)
    ladder = Ladder(given_adds, taken, grid_of(market, OrderType.LIMIT).price(last))
    assert LadderLevels(given_adds, market).of(ladder, last, atr) == price_levels(ladder, market, atr)
