"""An iceberg shows a piece at a time, each of which queues up behind what is already there."""

from infra.sandbox.orders import OrderType, Side, Status
from infra.sandbox.state.store import Account
from tests.support.exchange import BTC, InMemoryExchange, units


def iceberg(small: InMemoryExchange, account: Account, side: str = "BUY", **params: object) -> int:
    order = {"type": "LIMIT", "side": side, "timeInForce": "GTC", "quantity": 3, "icebergQty": 1, "price": 59_000}
    return int(small.ask(account, "POST", "order", **order | params)["orderId"])


def executed(small: InMemoryExchange, account: Account, number: int) -> int:
    found = small.exchange.find_order(account.uid, BTC, number, None)
    assert found is not None
    return found.executed


def test_only_a_piece_is_shown_and_the_next_queues_up_behind() -> None:
    small = InMemoryExchange()
    ann, bob = small.account("ann", USDT=1_000_000), small.account("bob", USDT=1_000_000)
    number = iceberg(small, ann)
    other = small.place(bob, Side.BUY, 1, 59_000).order.id
    assert small.market.book.bids.top(1) == [(units(59_000), units(2))]
    small.take_liquidity(Side.SELL, "1.5", 59_000)
    assert (executed(small, ann, number), executed(small, bob, other)) == (units(1), units("0.5"))
    assert small.market.book.bids.top(1) == [(units(59_000), units("1.5"))]
    small.take_liquidity(Side.SELL, 1, 59_000)
    assert (executed(small, ann, number), executed(small, bob, other)) == (units("1.5"), units(1))
    small.take_liquidity(Side.SELL, 10, 59_000)
    assert executed(small, ann, number) == units(3)
    assert small.market.book.bids.best() is None
    small.check_invariants([ann, bob])


def test_what_is_hidden_fills_a_taker_of_all_or_nothing() -> None:
    small = InMemoryExchange()
    ann, bob = small.account("ann", USDT=1_000_000), small.account("bob", BTC=5)
    iceberg(small, ann)
    answer = small.ask(bob, "POST", "order", type="LIMIT", side="SELL", timeInForce="FOK", quantity=3, price=59_000)
    assert answer["status"] == "FILLED"
    small.check_invariants([ann, bob])


def test_a_market_order_pays_for_what_is_hidden() -> None:
    small = InMemoryExchange()
    ann, bob = small.account("ann", BTC=5), small.account("bob", USDT=1_000_000)
    iceberg(small, ann, "SELL", price=61_000)
    placed = small.place(bob, Side.BUY, 3, kind=OrderType.MARKET)
    assert placed.order.status is Status.FILLED
    small.check_invariants([ann, bob])


def test_an_iceberg_says_so() -> None:
    small = InMemoryExchange()
    ann = small.account("ann", USDT=1_000_000)
    small.drain_events()
    iceberg(small, ann)
    assert small.ask(ann, "GET", "openOrders")[0]["icebergQty"] == "1.00000000"
    assert small.drain_events()[0]["F"] == "1.00000000"
