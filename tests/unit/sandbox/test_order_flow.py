"""The synthetic flow against figures measured on the recording, with generous bounds."""

from itertools import pairwise
from statistics import median, pstdev

import pytest

from infra.sandbox.candles import Candle
from infra.sandbox.market_data.order_flow import SyntheticFlow
from infra.sandbox.orders import Side
from tests.support.exchange import PRICE, InMemoryExchange, units

STEPS = 3_000
SECONDS = STEPS / 10


class Watched:
    """A flow that ran for five minutes, and what was seen of it."""

    def __init__(self, seed: int) -> None:
        self.small = InMemoryExchange()
        self.market = self.small.market
        self.flow = SyntheticFlow(self.market, self.small.exchange.matcher, seed, float(PRICE), float(PRICE))
        self.flow.fill_book()
        self.volume = 0
        self.market.on_trade.append(lambda _market, trade: self._count(trade.quantity))
        self.touches: list[tuple[int, int]] = []
        for _ in range(STEPS):
            self.flow.step()
            bid, ask = self.market.book.bids.best(), self.market.book.asks.best()
            assert bid is not None
            assert ask is not None
            self.touches.append((bid, ask))

    def _count(self, quantity: int) -> None:
        self.volume += quantity


@pytest.fixture(scope="module")
def watched() -> Watched:
    return Watched(seed=3)


def test_the_book_never_crosses_and_the_spread_is_mostly_one_tick(watched: Watched) -> None:
    spreads = [ask - bid for bid, ask in watched.touches]
    assert min(spreads) > 0
    assert median(spreads) == watched.market.spec.tick


def test_one_second_returns_vary_as_in_the_recording(watched: Watched) -> None:
    middles = [(bid + ask) / 2 for bid, ask in watched.touches][::10]
    returns = [(after / before - 1) * 1e4 for before, after in pairwise(middles)]
    assert 0.7 < pstdev(returns) < 2.0


def test_turnover_is_near_the_recordings_six_tenths_of_a_coin_a_second(watched: Watched) -> None:
    assert 0.2 < watched.volume / units(1) / SECONDS < 2.0


def test_depth_holds_enough_for_an_ordinary_order(watched: Watched) -> None:
    for side in Side:
        near = watched.market.book.side(side).top(100)
        assert 5 < sum(quantity for _, quantity in near) / units(1) < 80


def test_the_same_seed_trades_the_same_market(watched: Watched) -> None:
    assert Watched(seed=3).touches == watched.touches
    assert Watched(seed=4).touches != watched.touches


def test_trades_make_the_candle(watched: Watched) -> None:
    candle: Candle = watched.market.minute
    assert candle.low <= watched.market.last_price <= candle.high
    assert watched.market.last_price == candle.close


def test_the_liquidity_takes_users_orders_that_the_price_passes() -> None:
    small = InMemoryExchange()
    ann = small.account("ann", USDT=1_000_000, BTC=1)
    flow = SyntheticFlow(small.market, small.exchange.matcher, 1, float(PRICE), float(PRICE))
    flow.fill_book()
    order = small.place(ann, Side.SELL, "0.5", 60_300)
    flow.move_to(60_600.0)
    flow.step()
    small.exchange.flush()
    assert small.state(ann, order).status == "FILLED"
    small.check_invariants([ann])


@pytest.mark.parametrize("seed", range(4))
def test_a_jump_of_the_price_trades_nothing_beyond_where_it_came_from_and_where_it_goes(seed: int) -> None:
    small = InMemoryExchange()
    flow = SyntheticFlow(small.market, small.exchange.matcher, seed, float(PRICE), float(PRICE))
    flow.fill_book()
    traded: list[int] = []
    small.market.on_trade.append(lambda _market, trade: traded.append(trade.price))
    price = float(PRICE)
    for factor in (0.95, 1.03, 0.97, 1.01, 0.96, 1.05):
        before, price = price, float(PRICE) * factor
        traded.clear()
        flow.move_to(price)
        for _ in range(20):
            flow.step()
        assert min(traded) / units(1) > min(before, price) * 0.999
        assert max(traded) / units(1) < max(before, price) * 1.001
