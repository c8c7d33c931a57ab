"""What the model test takes for a violation: each of its judgements names what is wrong, and nothing else."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.faults.model.comparison import losses_are_real, orders_agree
from tests.faults.model.exits import TradedPrices, unjustified_exits

START = datetime(2026, 11, 30, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)
Order = dict[str, Any]


def order(name: str, role: str = "MANUAL", fill: tuple[int, str] | None = None, **changes: object) -> Order:
    """Return an order as the API answers it, filled so many seconds after the start at this price."""
    fills = []
    at = (START + timedelta(seconds=fill[0] if fill else 0)).isoformat()
    if fill is not None:
        fills = [{"venueTradeId": f"trade of {name}", "price": fill[1], "quantity": "1", "at": at}]
    return {
        "id": name, "clientOrderId": name, "side": "BUY", "type": "MARKET", "role": role, "status": "FILLED",
        "quantity": "1", "filledQuantity": str(len(fills)), "rejectCode": None, "tradingSession": None, "parent": None,
        "denials": [], "createdAt": at, "updatedAt": at, "fills": {"nodes": fills}, **changes,
    }  # fmt: skip


def traded(*trades: tuple[int, str]) -> TradedPrices:
    """Return a record of trades, each so many seconds after the start at this price."""

    def between(start_ms: int, end_ms: int) -> list[Decimal]:
        return [Decimal(price) for at, price in trades if start_ms <= START_MS + at * 1000 <= end_ms]

    return between


SESSION = {"tradingSession": {"id": "session"}}
PARENT = {"parent": {"id": "entry"}}


@pytest.mark.parametrize(
    ("lowest", "found"), [("98.0", False), ("98.2", True)], ids=["at the stop-loss", "above the stop-loss"]
)
def test_the_stop_loss_of_a_session_needs_a_trade_at_its_price(lowest: str, found: bool) -> None:
    orders = [order("entry", "ENTRY", (0, "100"), **SESSION), order("exit", "STOP_LOSS", (9, "98.5"), **SESSION)]
    assert bool(unjustified_exits(traded((5, lowest)), [], "3", orders)) is found


@pytest.mark.parametrize("at", [-1, 10], ids=["before the entry", "after the exit"])
def test_a_trade_outside_of_the_position_justifies_no_exit(at: int) -> None:
    orders = [order("entry", "ENTRY", (0, "100"), **SESSION), order("exit", "STOP_LOSS", (9, "98.5"), **SESSION)]
    assert unjustified_exits(traded((at, "90")), [], "3", orders)


def test_a_trade_of_the_position_before_justifies_no_exit_of_the_next() -> None:
    before = [order("a", "ENTRY", (0, "100"), **SESSION), order("b", "STOP_LOSS", (2, "97"), **SESSION)]
    after = [order("c", "ENTRY", (4, "100"), **SESSION), order("d", "STOP_LOSS", (9, "99"), **SESSION)]
    (found,) = unjustified_exits(traded((1, "97"), (6, "99")), [], "3", [*before, *after])
    assert found.startswith("no price justifies d ")


def test_an_entry_that_was_on_its_way_is_closed_for_the_same_reason() -> None:
    orders = [order("a", "ENTRY", (0, "100"), **SESSION), order("b", "STOP_LOSS", (2, "97"), **SESSION)]
    late = [order("c", "ENTRY", (4, "97"), **SESSION), order("d", "STOP_LOSS", (9, "97"), **SESSION)]
    late[0]["createdAt"] = START.isoformat()
    assert unjustified_exits(traded((1, "97")), [], "3", [*orders, *late]) == []


def test_what_a_coarse_lot_has_left_is_closed_for_the_same_reason() -> None:
    orders = [order("a", "ENTRY", (0, "100"), **SESSION), order("b", "STOP_LOSS", (2, "97"), **SESSION)]
    rest = order("c", "STOP_LOSS", (4, "99"), **SESSION)
    assert unjustified_exits(traded((1, "97")), [], "3", [*orders, rest]) == []
    assert unjustified_exits(traded((1, "99")), [], "3", [orders[0], rest])


def test_an_exit_without_an_entry_is_a_violation() -> None:
    assert unjustified_exits(traded((5, "90")), [], "3", [order("exit", "STOP_LOSS", (9, "98"), **SESSION)])


@pytest.mark.parametrize(("highest", "found"), [("103", False), ("101.3", True)])
def test_the_take_profit_of_a_ladder_counts_from_its_dearest_and_cheapest_entries(highest: str, found: bool) -> None:
    entries = [order("entry", "ENTRY", (0, "102"), **SESSION), order("add", "ENTRY", (2, "101"), **SESSION)]
    exits = [order("exit", "TAKE_PROFIT", (9, "103"), **SESSION)]
    assert bool(unjustified_exits(traded((5, highest)), [], "1.2", entries + exits)) is found


@pytest.mark.parametrize(("lowest", "found"), [("98.5", False), ("98.7", True)])
def test_the_stop_loss_of_a_bracket_counts_from_its_own_entry(lowest: str, found: bool) -> None:
    orders = [order("entry", fill=(0, "100")), order("other", fill=(1, "200"))]
    exits = [order("exit", "STOP_LOSS", (9, "99"), **PARENT)]
    assert bool(unjustified_exits(traded((5, lowest)), [], "3", orders + exits)) is found


@pytest.mark.parametrize(("set_at", "found"), [(3, False), (6, True)], ids=["before the price", "after the price"])
def test_a_position_protected_by_hand_needs_the_price_that_it_was_given(set_at: int, found: bool) -> None:
    orders = [order("entry", fill=(0, "100")), order("exit", "TAKE_PROFIT", (9, "100"))]
    given = (START_MS + set_at * 1000, Decimal(95), Decimal(105))
    assert bool(unjustified_exits(traded((5, "105")), [given], "3", orders)) is found


def at_venue(name: str, number: int = 1, executed: str = "1") -> Order:
    return {"clientOrderId": name, "orderId": number, "executedQty": executed}


def trade(name: str, number: int = 1) -> Order:
    return {"id": f"trade of {name}", "orderId": number}


def test_what_agrees_with_the_venue_is_no_violation() -> None:
    orders = [order("a", fill=(0, "1")), order("denied", status="DENIED")]
    venue = [at_venue("a"), at_venue("hand-1", 2)]
    assert orders_agree({"hand-1"}, orders, venue, [trade("a")]) == []


@pytest.mark.parametrize(
    ("orders", "venue", "trades", "error"),
    [
        ([order("a")], [at_venue("a", 1, "0"), at_venue("a", 2, "0")], [], "2 times at the venue"),
        ([], [at_venue("a", 1, "0")], [], "unknown"),
        ([order("a")], [at_venue("a")], [trade("a")], "filled 0 here and 1 at the venue"),
        ([order("a", fill=(0, "1"))], [], [], "filled 1 here and 0 at the venue"),
        ([order("a", status="DENIED")], [at_venue("a", 1, "0")], [], "denied, and at the venue"),
        ([order("a", fill=(0, "1"))], [at_venue("a")], [trade("b")], "trades ['trade of b'] at the venue"),
    ],
    ids=["sent twice", "unknown order", "missing fill", "fill too many", "denied and sent", "another trade"],
)
def test_what_differs_from_the_venue_is_named(
    orders: list[Order], venue: list[Order], trades: list[Order], error: str
) -> None:
    assert error in " ".join(orders_agree(set(), orders, venue, trades))


def test_a_denial_by_a_loss_limit_needs_a_loss() -> None:
    unknown = {"code": "MAX_DRAWDOWN", "message": "", "actual": None}
    other = {"code": "PRICE_COLLAR", "message": "", "actual": "1"}
    assert losses_are_real([order("a", denials=[unknown, other])]) == []
    assert losses_are_real([order("a", denials=[{**unknown, "actual": "33"}])])
