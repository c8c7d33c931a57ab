"""Sizes in whole numbers are those that decimals give."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import MAX_AMOUNT
from domain.model.definitions import Sizing
from domain.model.markets import Market, PriceLevel
from domain.model.orders import OrderType
from domain.rules.entry_sizes import EntrySizes
from domain.rules.grid import grid_of
from domain.rules.sizing import WHOLE, Share, SizingContext, SizingError, entry_lots
from tests.support.backtests import a_spot_market

D = Decimal
QUOTE_PLACES = 12

markets = st.builds(
    a_spot_market,
    price_increment=st.sampled_from([D("0.01"), D("0.003"), D(25), D("1E-12")]),
    quantity_increment=st.sampled_from([D("0.00001"), D("0.7"), D(0), D("1E-18"), D(100)]),
    maximum_quantity=st.sampled_from([None, D("0.4"), D(9_000)]),
    taker_fee=st.sampled_from([None, D("0.001"), D("0.00075")]),
)
sizings = st.one_of(
    st.builds(Sizing, quote_amount=st.decimals(D("0.01"), D(10) ** 9, places=3)),
    st.builds(Sizing, equity_percent=st.decimals(D("0.01"), D(100), places=2)),
)
shares = st.sampled_from(
    [WHOLE, Share(D(1), D(3), D(3)), Share(D("1.5"), D("2.5"), D(4)), Share(D("0.7"), D("0.7"), D(9))]
)
units = st.integers(0, 10**24)


@given(markets, sizings, shares, st.integers(1, 10**9), units, units)
def test_an_entry_has_the_lots_that_decimals_give(
    market: Market, sizing: Sizing, share: Share, price: int, equity: int, free: int
) -> None:
    sizes = EntrySizes(sizing, market, QUOTE_PLACES)
    assert sizes.is_supported
    grid = grid_of(market, OrderType.MARKET)
    level = grid.price(price)
    context = SizingContext(
        market,
        level,
        free_quote=D(free).scaleb(-QUOTE_PLACES),
        equity=D(equity).scaleb(-QUOTE_PLACES),
        asks=(PriceLevel(level, MAX_AMOUNT),),
    )
    lots = sizes.lots(price, share, equity, free)
    try:
        assert lots == entry_lots(sizing, context, grid, share)
    except SizingError:
        assert lots <= 0


def test_what_is_sized_by_a_distance_is_left_to_decimals() -> None:
    for sizing in (Sizing(risk_percent=D(1)), Sizing(volatility_percent=D(1))):
        assert not EntrySizes(sizing, a_spot_market(), QUOTE_PLACES).is_supported
