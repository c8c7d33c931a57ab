from itertools import count

import pytest

from infra.sandbox.errors import ExchangeError
from infra.sandbox.fixed_point import format_units
from infra.sandbox.orders import OrderType, SelfTrade, Side, Status, TimeInForce
from tests.support.exchange import InMemoryExchange, units


@pytest.fixture
def small() -> InMemoryExchange:
    exchange = InMemoryExchange()
    exchange.set_liquidity(Side.BUY, 59_999, 2)
    exchange.set_liquidity(Side.BUY, 59_998, 5)
    exchange.set_liquidity(Side.SELL, 60_001, 1)
    exchange.set_liquidity(Side.SELL, 60_002, 3)
    return exchange


def test_a_taker_eats_levels_from_the_best_price_on(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=1_000_000)
    placed = small.place(ann, Side.BUY, 2, kind=OrderType.MARKET)
    assert [(fill.price, fill.quantity) for fill in placed.fills] == [
        (units(60_001), units(1)),
        (units(60_002), units(1)),
    ]
    assert placed.order.status is Status.FILLED
    small.check_invariants([ann])


@pytest.mark.parametrize("quantity", [2, 9])
def test_an_order_trades_and_expires_at_one_time_as_its_answer_and_its_reports_say(
    small: InMemoryExchange, quantity: int
) -> None:
    ann = small.account("ann", USDT=1_000_000)
    small.exchange.matcher.now_ms = count(small.exchange.clock.now_ms()).__next__
    placed = small.place(ann, Side.BUY, quantity, 60_002, time_in_force=TimeInForce.IOC)
    assert {fill.time_ms for fill in placed.fills} == {placed.order.updated_ms}
    reports = [event for event in small.events if event["e"] == "executionReport" and event["x"] != "NEW"]
    assert len(reports) == (2 if placed.order.status is Status.FILLED else 3)
    assert {event["T"] for event in reports} == {placed.order.updated_ms}


def test_a_limit_order_takes_up_to_its_price_and_rests_with_the_remainder(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=1_000_000)
    placed = small.place(ann, Side.BUY, 3, 60_001)
    assert placed.order.status is Status.PARTIALLY_FILLED
    assert format_units(placed.order.executed) == "1.00000000"
    assert small.market.book.bids.best() == units(60_001)
    small.check_invariants([ann])


def test_a_better_price_than_the_limit_is_given_back(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=100_000)
    small.place(ann, Side.BUY, 1, 60_500)
    balance = small.exchange.ledger.balance(ann.uid, "USDT")
    assert (balance.free, balance.locked) == (units(100_000 - 60_001), 0)


def test_earlier_orders_at_a_price_fill_first_and_the_liquidity_keeps_its_place(small: InMemoryExchange) -> None:
    ann, bob = small.account("ann", USDT=1_000_000), small.account("bob", USDT=1_000_000)
    first = small.place(ann, Side.BUY, 1, 59_999)
    small.set_liquidity(Side.BUY, 59_999, 3)
    second = small.place(bob, Side.BUY, 1, 59_999)
    small.take_liquidity(Side.SELL, "2.5", 59_999)
    assert small.state(ann, first).executed == units("0.5")
    assert small.state(bob, second).executed == 0
    small.take_liquidity(Side.SELL, "1.5", 59_999)
    assert small.state(ann, first).status is Status.FILLED
    assert small.state(bob, second).executed == 0
    small.take_liquidity(Side.SELL, "0.25", 59_999)
    assert small.state(bob, second).executed == units("0.25")
    small.check_invariants([ann, bob])


def test_what_the_liquidity_cancels_brings_resting_orders_forward(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=1_000_000)
    order = small.place(ann, Side.BUY, 1, 59_999)
    small.set_liquidity(Side.BUY, 59_999, "0.5")
    small.take_liquidity(Side.SELL, 1, 59_999)
    assert small.state(ann, order).executed == units("0.5")


def test_maker_and_taker_both_pay_a_thousandth_of_what_they_receive(small: InMemoryExchange) -> None:
    ann, bob = small.account("ann", USDT=100_000), small.account("bob", BTC=2)
    small.place(ann, Side.BUY, 1, 60_000)
    small.place(bob, Side.SELL, 1, kind=OrderType.MARKET)
    ledger = small.exchange.ledger
    assert ledger.balance(ann.uid, "BTC").free == units("0.999")
    assert ledger.balance(bob.uid, "USDT").free == units(60_000) - units(60)
    small.check_invariants([ann, bob])


def test_an_order_that_must_fill_whole_leaves_the_book_alone_when_it_cannot(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=1_000_000)
    placed = small.place(ann, Side.BUY, 2, 60_001, time_in_force=TimeInForce.FOK)
    assert (placed.order.status, placed.order.executed) == (Status.EXPIRED, 0)
    assert small.market.book.asks.total(units(60_001)) == units(1)
    assert small.place(ann, Side.BUY, 1, 60_001, time_in_force=TimeInForce.FOK).order.status is Status.FILLED


def test_an_order_that_may_not_rest_expires_with_what_it_got(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=1_000_000)
    placed = small.place(ann, Side.BUY, 2, 60_001, time_in_force=TimeInForce.IOC)
    assert (placed.order.status, placed.order.executed) == (Status.EXPIRED, units(1))
    small.check_invariants([ann])


def test_a_market_order_larger_than_the_book_expires_with_what_it_got(small: InMemoryExchange) -> None:
    ann = small.account("ann", BTC=50)
    placed = small.place(ann, Side.SELL, 20, kind=OrderType.MARKET)
    assert (placed.order.status, placed.order.executed) == (Status.EXPIRED, units(7))
    small.check_invariants([ann])


def test_an_order_by_cost_stays_within_it(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=100_000, BTC=1)
    bought = small.place(ann, Side.BUY, cost="1000", kind=OrderType.MARKET).order
    assert bought.status is Status.FILLED
    assert units(999) < bought.quote_executed <= units(1000)
    sold = small.place(ann, Side.SELL, cost="1000", kind=OrderType.MARKET).order
    assert sold.status is Status.FILLED
    assert units(999) < sold.quote_executed <= units(1000)
    small.check_invariants([ann])


@pytest.mark.parametrize(
    ("kind", "side", "stop"),
    [
        (OrderType.STOP_LOSS, Side.SELL, 59_000),
        (OrderType.TAKE_PROFIT, Side.BUY, 59_000),
        (OrderType.STOP_LOSS, Side.BUY, 61_000),
        (OrderType.TAKE_PROFIT, Side.SELL, 61_000),
    ],
)
def test_a_stop_sleeps_until_a_trade_reaches_its_price(
    small: InMemoryExchange, kind: OrderType, side: Side, stop: int
) -> None:
    ann = small.account("ann", USDT=1_000_000, BTC=2)
    order = small.place(ann, side, 1, kind=kind, stop=stop)
    small.take_liquidity(Side.BUY, "0.1", 60_001)
    assert small.state(ann, order).status is Status.NEW
    small.set_liquidity(Side.BUY, 58_000, 5)
    small.set_liquidity(Side.SELL, 62_000, 5)
    taker, reach = (Side.SELL, 58_000) if stop < 60_000 else (Side.BUY, 62_000)
    small.take_liquidity(taker, "7.5" if taker is Side.SELL else "4.5", reach)
    assert small.state(ann, order).status is Status.FILLED
    small.check_invariants([ann])


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        (SelfTrade.EXPIRE_MAKER, Status.EXPIRED_IN_MATCH, Status.FILLED),
        (SelfTrade.EXPIRE_TAKER, Status.NEW, Status.EXPIRED_IN_MATCH),
        (SelfTrade.EXPIRE_BOTH, Status.EXPIRED_IN_MATCH, Status.EXPIRED_IN_MATCH),
        (SelfTrade.NONE, Status.FILLED, Status.FILLED),
    ],
)
def test_an_account_trades_with_itself_only_if_it_requests_that(
    small: InMemoryExchange, mode: SelfTrade, maker: Status, taker: Status
) -> None:
    ann = small.account("ann", USDT=1_000_000, BTC=2)
    resting = small.place(ann, Side.BUY, 1, 60_000)
    crossing = small.place(ann, Side.SELL, 1, kind=OrderType.MARKET, self_trade=mode)
    assert (small.state(ann, resting).status, crossing.order.status) == (maker, taker)
    small.check_invariants([ann])


def test_post_only_is_refused_where_it_would_take(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=1_000_000)
    with pytest.raises(ExchangeError, match="would immediately match and take"):
        small.place(ann, Side.BUY, 1, 60_001, OrderType.LIMIT_MAKER)
    assert small.place(ann, Side.BUY, 1, 60_000, OrderType.LIMIT_MAKER).order.status is Status.NEW


@pytest.mark.parametrize(
    ("quantity", "price", "kind", "stop", "refusal"),
    [
        ("0.000001", 60_000, OrderType.LIMIT, 0, "LOT_SIZE"),
        ("9001", 60_000, OrderType.LIMIT, 0, "LOT_SIZE"),
        ("0.01", "60000.001", OrderType.LIMIT, 0, "PRICE_FILTER"),
        ("0.01", 2_000_000, OrderType.LIMIT, 0, "PRICE_FILTER"),
        ("0.01", 400_000, OrderType.LIMIT, 0, "PERCENT_PRICE_BY_SIDE"),
        ("0.01", 1_000, OrderType.LIMIT, 0, "PERCENT_PRICE_BY_SIDE"),
        ("0.00001", 60_000, OrderType.LIMIT, 0, "NOTIONAL"),
        ("0.00001", 0, OrderType.MARKET, 0, "NOTIONAL"),
        ("200", 0, OrderType.MARKET, 0, "MARKET_LOT_SIZE"),
        ("0", 60_000, OrderType.LIMIT, 0, "Invalid quantity"),
        ("1", 60_000, OrderType.STOP_LOSS_LIMIT, "59000.001", "PRICE_FILTER"),
        ("1", 0, OrderType.STOP_LOSS, 61_000, "would trigger immediately"),
        ("20", 60_000, OrderType.LIMIT, 0, "insufficient balance"),
        ("40", 0, OrderType.MARKET, 0, "insufficient balance"),
    ],
)
def test_an_order_outside_the_rules_is_refused_and_changes_nothing(
    small: InMemoryExchange, quantity: str, price: float | str, kind: OrderType, stop: float | str, refusal: str
) -> None:
    ann = small.account("ann", BTC=10)
    with pytest.raises(ExchangeError, match=refusal):
        small.place(ann, Side.SELL, quantity, price, kind, stop=stop)
    assert small.exchange.open_orders(ann.uid) == []
    small.check_invariants([ann])


def test_a_client_order_id_is_refused_only_while_its_order_is_open(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=1_000_000)
    first = small.place(ann, Side.BUY, 1, 59_000, client_id="same")
    with pytest.raises(ExchangeError, match="Duplicate order sent"):
        small.place(ann, Side.BUY, 1, 59_000, client_id="same")
    small.exchange.cancel(ann, "BTCUSDT", small.state(ann, first), "gone")
    assert small.place(ann, Side.BUY, 1, 59_000, client_id="same").order.id == first.order.id + 1


def test_an_account_may_hold_two_hundred_orders_and_five_stops_in_a_market(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=1_000_000, BTC=10)
    for _ in range(5):
        small.place(ann, Side.SELL, 1, kind=OrderType.STOP_LOSS, stop=50_000)
    with pytest.raises(ExchangeError, match="MAX_NUM_ALGO_ORDERS"):
        small.place(ann, Side.SELL, 1, kind=OrderType.STOP_LOSS, stop=50_000)
    for _ in range(195):
        small.place(ann, Side.BUY, "0.001", 50_000)
    with pytest.raises(ExchangeError, match="MAX_NUM_ORDERS"):
        small.place(ann, Side.BUY, "0.001", 50_000)


def test_an_account_with_a_balance_that_cant_be_held_is_not_made(small: InMemoryExchange) -> None:
    with pytest.raises(ExchangeError, match="A deposit takes 0 to"):
        small.exchange.create_account("ann", {"USDT": units(100), "XYZ": units(1)})
    assert small.exchange.account_by_name("ann") is None
    ann = small.exchange.create_account("ann", {"USDT": units(100)})
    assert small.exchange.ledger.balance(ann.uid, "USDT").free == units(100)


def test_the_same_name_gives_the_same_account_without_a_second_deposit(small: InMemoryExchange) -> None:
    ann = small.account("ann", USDT=100)
    assert small.exchange.create_account("ann", {"USDT": units(100)}) == ann
    assert small.exchange.ledger.balance(ann.uid, "USDT").free == units(100)
    assert small.exchange.deposit(ann, "USDT", units(5), "key")
    assert not small.exchange.deposit(ann, "USDT", units(5), "key")
    assert small.exchange.ledger.balance(ann.uid, "USDT").free == units(105)
