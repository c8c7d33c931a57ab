"""Trailing stops follow the price as the examples of Binance's documentation say."""

from pathlib import Path

import pytest

from infra.sandbox.errors import ExchangeError
from infra.sandbox.orders import Side
from infra.sandbox.state.store import Account, Store
from tests.support.exchange import InMemoryExchange, units


@pytest.fixture
def small() -> InMemoryExchange:
    return InMemoryExchange()


@pytest.fixture
def ann(small: InMemoryExchange) -> Account:
    return small.account("ann", USDT=1_000_000, BTC=10)


def trade(small: InMemoryExchange, *prices: float) -> None:
    """Let somebody trade with somebody at each price, one after the other, before stops are tested."""
    for price in prices:
        small.market.trade(units(price), units("0.001"), small.exchange.clock.now_ms(), buyer_is_maker=False)
    small.exchange.flush()


def place(small: InMemoryExchange, account: Account, kind: str, side: str, **params: object) -> None:
    limit = {"timeInForce": "GTC"} if "LIMIT" in kind else {"price": None}
    small.ask(
        account,
        "POST",
        "order",
        **{"type": kind, "side": side, "quantity": 1, "newClientOrderId": "t"} | params | limit,
    )


def has_triggered(small: InMemoryExchange, account: Account) -> bool:
    return bool(small.ask(account, "GET", "order", origClientOrderId="t")["isWorking"])


@pytest.mark.parametrize(
    ("kind", "side", "stop", "delta", "limit", "before", "quiet", "triggering"),
    [
        ("STOP_LOSS_LIMIT", "BUY", 66_000, 500, 67_500, 60_000, (55_500, 66_000, 69_000, 63_000, 66_100), 66_150),
        ("STOP_LOSS_LIMIT", "SELL", 58_500, 1000, 57_000, 60_000, (62_250, 58_500, 55_500, 61_500, 55_400), 55_350),
        ("TAKE_PROFIT_LIMIT", "BUY", 57_000, 850, 57_750, 60_000, (63_000, 57_000, 55_500, 58_500, 57_000), 60_217.5),
        ("TAKE_PROFIT_LIMIT", "SELL", 63_000, 750, 61_500, 60_000, (62_250, 58_500, 67_500, 66_000, 69_750), 64_518.75),
        ("STOP_LOSS_LIMIT", "SELL", None, 700, 58_500, 60_000, (63_000, 59_250, 68_250), 63_472.5),
        ("STOP_LOSS", "SELL", None, 700, None, 60_000, (63_000, 59_250, 68_250), 63_472.5),
        ("TAKE_PROFIT", "BUY", None, 100, None, 60_000, (59_000, 59_500, 58_000), 58_580),
    ],
)
def test_a_stop_triggers_at_its_distance_from_the_best_price(
    small: InMemoryExchange, ann: Account, kind: str, side: str, stop: int | None, delta: int, limit: int | None,
    before: int, quiet: tuple[int, ...], triggering: float,
) -> None:  # fmt: skip
    trade(small, before)
    place(small, ann, kind, side, stopPrice=stop, trailingDelta=delta, price=limit)
    for price in quiet:
        trade(small, price)
        assert not has_triggered(small, ann), price
    trade(small, triggering)
    assert has_triggered(small, ann)


def test_prices_between_two_tests_count_in_their_order(small: InMemoryExchange, ann: Account) -> None:
    trade(small, 60_000)
    place(small, ann, "STOP_LOSS", "SELL", trailingDelta=500)
    trade(small, 58_000, 61_000, 58_500)
    assert not has_triggered(small, ann)
    trade(small, 61_100, 57_900, 61_000)
    assert has_triggered(small, ann)


def test_a_plain_stop_triggers_although_the_price_came_back_at_once(small: InMemoryExchange, ann: Account) -> None:
    place(small, ann, "STOP_LOSS", "SELL", stopPrice=59_000)
    trade(small, 58_999, 60_000)
    assert has_triggered(small, ann)


def test_what_a_trailing_stop_has_seen_survives_a_restart(tmp_path: Path) -> None:
    before = InMemoryExchange(Store(tmp_path / "state"))
    ann = before.account("ann", BTC=10)
    trade(before, 60_000)
    place(before, ann, "STOP_LOSS", "SELL", trailingDelta=500)
    trade(before, 66_000)
    before.exchange.save_markets()
    before.exchange.store.close()
    after = InMemoryExchange(Store(tmp_path / "state"))
    after.exchange.restore_orders()
    trade(after, 62_701)
    assert not has_triggered(after, ann)
    trade(after, 62_700)
    assert has_triggered(after, ann)


def test_an_answer_and_an_event_show_the_distance(small: InMemoryExchange, ann: Account) -> None:
    place(small, ann, "STOP_LOSS", "SELL", trailingDelta=500, strategyId=7, strategyType=1_000_001)
    shown = small.ask(ann, "GET", "order", origClientOrderId="t")
    assert (shown["trailingDelta"], shown["strategyId"], shown["strategyType"]) == (500, 7, 1_000_001)
    event = next(event for event in small.drain_events() if event["e"] == "executionReport")
    assert (event["d"], event["j"], event["J"]) == (500, 7, 1_000_001)
    assert event["D"] == shown["trailingTime"] > 0


def test_a_stop_that_buys_without_a_price_locks_what_it_may_cost(small: InMemoryExchange, ann: Account) -> None:
    place(small, ann, "STOP_LOSS", "BUY", trailingDelta=1000)
    assert small.exchange.ledger.balance(ann.uid, "USDT").locked == units(66_000)
    small.check_invariants([ann])


@pytest.mark.parametrize("delta", [9, 2001])
def test_a_distance_outside_of_the_filter_is_refused(small: InMemoryExchange, ann: Account, delta: int) -> None:
    with pytest.raises(ExchangeError, match="TRAILING_DELTA"):
        place(small, ann, "STOP_LOSS", "SELL", trailingDelta=delta)


def test_the_stop_of_a_pair_may_trail(small: InMemoryExchange, ann: Account) -> None:
    small.set_liquidity(Side.BUY, 50_000, 100)
    small.ask(
        ann, "POST", "orderList/oco", side="SELL", quantity=1, aboveType="LIMIT_MAKER", abovePrice=70_000,
        belowType="STOP_LOSS", belowTrailingDelta=1000, belowClientOrderId="t",
    )  # fmt: skip
    trade(small, 66_000)
    trade(small, 59_400)
    assert has_triggered(small, ann)
    assert small.exchange.open_orders(ann.uid) == []
    small.check_invariants([ann])
