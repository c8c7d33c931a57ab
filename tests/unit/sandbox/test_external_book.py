"""Users' orders over a book that comes from elsewhere: which of them its trades fill."""

import pytest

from infra.sandbox.market_data.external_book import ExternalBook
from infra.sandbox.orders import Side, Status
from tests.support.exchange import InMemoryExchange, units


@pytest.fixture
def small() -> InMemoryExchange:
    exchange = InMemoryExchange()
    exchange.set_liquidity(Side.BUY, 59_990, 2)
    exchange.set_liquidity(Side.SELL, 60_010, 1)
    return exchange


def test_a_trade_past_an_order_fills_it_and_one_at_its_price_what_is_left_after_those_before_it(
    small: InMemoryExchange,
) -> None:
    ann, external_book = small.account("ann", USDT=1_000_000), ExternalBook(small.exchange, small.market)
    past, behind = small.place(ann, Side.BUY, 1, 60_000), small.place(ann, Side.BUY, 1, 59_990)
    external_book.trade(Side.SELL, units(59_990), units("2.25"), small.exchange.clock.now_ms())
    assert small.state(ann, past).status is Status.FILLED
    assert small.state(ann, behind).executed == units("0.25")
    small.check_invariants([ann])


def test_a_late_trade_fills_no_order_that_was_placed_after_it(small: InMemoryExchange) -> None:
    ann, external_book = small.account("ann", USDT=1_000_000), ExternalBook(small.exchange, small.market)
    placed = small.place(ann, Side.BUY, 1, 60_000)
    since = small.state(ann, placed).working_ms
    assert not external_book.trade(Side.SELL, units(59_990), units(5), since - 1, resting_since_ms=since - 1)
    assert small.state(ann, placed).executed == 0
    assert external_book.trade(Side.SELL, units(59_990), units(5), since, resting_since_ms=since)
    assert small.state(ann, placed).status is Status.FILLED
