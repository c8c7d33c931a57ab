"""An account's orders don't trade with each other, by the taker's mode, and what was prevented is on record."""

from typing import Any

import pytest

from infra.sandbox.errors import ExchangeError
from infra.sandbox.state.store import Account
from tests.support.exchange import InMemoryExchange

MAKER: dict[str, object] = {
    "type": "LIMIT", "side": "BUY", "timeInForce": "GTC", "quantity": "1", "price": "59000",
    "newClientOrderId": "maker",
}  # fmt: skip
TAKER: dict[str, object] = MAKER | {
    "side": "SELL", "quantity": "3", "newClientOrderId": "taker", "newOrderRespType": "FULL",
}  # fmt: skip


@pytest.fixture
def small() -> InMemoryExchange:
    return InMemoryExchange()


@pytest.fixture
def ann(small: InMemoryExchange) -> Account:
    account = small.account("ann", USDT=1_000_000, BTC=10)
    small.ask(account, "POST", "order", **MAKER)
    small.drain_events()
    return account


def status(small: InMemoryExchange, account: Account, client_id: str) -> str:
    return str(small.ask(account, "GET", "order", origClientOrderId=client_id)["status"])


@pytest.mark.parametrize(
    ("mode", "maker", "taker", "quantities"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "NEW", {"makerPreventedQuantity": "1.00000000"}),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH", {"takerPreventedQuantity": "3.00000000"}),
        (
            "EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH",
            {"takerPreventedQuantity": "3.00000000", "makerPreventedQuantity": "1.00000000"},
        ),
    ],
)  # fmt: skip
def test_the_takers_mode_decides_who_expires(
    small: InMemoryExchange, ann: Account, mode: str, maker: str, taker: str, quantities: dict[str, Any]
) -> None:
    answer = small.ask(ann, "POST", "order", **TAKER | {"selfTradePreventionMode": mode})
    assert (status(small, ann, "maker"), status(small, ann, "taker")) == (maker, taker)
    (prevented,) = answer["preventedMatches"]
    assert prevented == {
        "preventedMatchId": 1, "makerOrderId": answer["orderId"] - 1, "price": "59000.00000000",
    } | quantities  # fmt: skip
    (listed,) = small.ask(ann, "GET", "myPreventedMatches", orderId=answer["orderId"])
    assert (listed["selfTradePreventionMode"], listed["tradeGroupId"]) == (mode, -1)
    events = [event for event in small.drain_events() if event.get("x") == "TRADE_PREVENTION"]
    assert len(events) == len(quantities)
    assert {event["A"] for event in events} == set(quantities.values())
    assert {event["v"] for event in events} == {1}
    small.check_invariants([ann])


def test_without_prevention_an_account_trades_with_itself(small: InMemoryExchange, ann: Account) -> None:
    answer = small.ask(ann, "POST", "order", **TAKER | {"selfTradePreventionMode": "NONE"})
    assert answer["status"] == "PARTIALLY_FILLED"
    assert "preventedMatches" not in answer
    assert status(small, ann, "maker") == "FILLED"
    small.check_invariants([ann])


def test_prevented_trades_are_asked_for_by_an_order_or_their_id(small: InMemoryExchange, ann: Account) -> None:
    answer = small.ask(ann, "POST", "order", **TAKER)
    assert len(small.ask(ann, "GET", "myPreventedMatches", preventedMatchId=1)) == 1
    assert small.ask(ann, "GET", "myPreventedMatches", orderId=answer["orderId"], fromPreventedMatchId=2) == []
    bob = small.account("bob", BTC=1)
    assert small.ask(bob, "GET", "myPreventedMatches", preventedMatchId=1) == []
    with pytest.raises(ExchangeError):
        small.ask(ann, "GET", "myPreventedMatches")
