"""Several new orders that are decided in one turn of their account's executor: by one commit, and as if one by one."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext, Decision
from domain.execution.order_decider import OrderDecider
from domain.execution.order_steps import Decisions, NewOrder
from domain.model.orders import Order, OrderStatus, RejectCode, RiskCode
from domain.model.trading import Balance
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from domain.rules.order_lifecycle import Transition
from tests.integration.execution.test_withdrawn_orders import store_session
from tests.support.order_harness import OrderHarness
from tests.support.orders import an_order
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import eventually

COUNT = 6
CANCEL = """
UPDATE orders SET cancel_requested_at = $2, cancel_code = 'REQUESTED', revision = revision + 1
WHERE id = $1 AND cancel_requested_at IS NULL AND status = 'PENDING'"""
SESSION = "UPDATE orders SET trading_session_id = $2 WHERE id = $1"
OPEN, DENIED, CANCELED = OrderStatus.OPEN, OrderStatus.DENIED, OrderStatus.CANCELED


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many orders each transaction was to decide about."""
    sizes: list[int] = []
    decide = AccountContext.decide

    async def noted(context: AccountContext, orders: Sequence[Order], decision: Decision) -> Decisions | None:
        sizes.append(len(orders))
        return await decide(context, orders, decision)

    monkeypatch.setattr(AccountContext, "decide", noted)
    return sizes


async def store_orders(harness: OrderHarness, quantity: Decimal = Decimal("0.1")) -> list[Order]:
    """Store pending orders to buy at 90, as if their users' nodes had, while the account is not traded."""
    orders = []
    async with harness.database.transaction() as transaction:
        for number in range(COUNT):
            order = an_order(
                id=harness.ids.next_id(), user_id=harness.user.id, account_id=harness.account.id, quantity=quantity,
                client_order_id=f"r3-{number}", price=Decimal(90),
                created_at=harness.clock.now(), updated_at=harness.clock.now(),
            )  # fmt: skip
            await transaction.orders.add(order)
            orders.append(order)
    return orders


def a_third(venue: ScriptedVenue) -> Decimal:
    """Return the quantity that takes a third of the funds at 90; the venue then shows what its orders lock."""
    funds, other = venue.holdings

    async def balances() -> tuple[Balance, ...]:
        resting = [report for report in venue.orders.values() if report.status is OPEN]
        locked = sum(report.quantity * Decimal(90) for report in resting)
        return (replace(funds, free=funds.total - locked), other)

    venue.balances = balances  # type: ignore[method-assign]
    return (funds.total / 3 / 91).quantize(Decimal("0.001"))


async def ends(harness: OrderHarness, orders: Sequence[Order]) -> list[OrderStatus]:
    return [(await harness.until(order.id, "OPEN", "DENIED", "CANCELED")).status for order in orders]


async def test_orders_that_wait_are_decided_by_one_commit(
    harness: OrderHarness, venue: ScriptedVenue, turns: list[int]
) -> None:
    orders = await store_orders(harness)
    await harness.start()
    assert await ends(harness, orders) == [OPEN] * COUNT
    assert max(turns) == COUNT
    assert sorted(venue.received) == [order.client_order_id for order in orders]
    for order in orders:
        assert (await harness.kinds(order.id))[-2:] == ["SUBMITTED", "ACCEPTED"]


async def test_each_decision_counts_on_those_before_it(harness: OrderHarness, venue: ScriptedVenue) -> None:
    orders = await store_orders(harness, a_third(venue))
    await harness.start()
    assert sorted(await ends(harness, orders)) == [DENIED] * 3 + [OPEN] * 3
    assert venue.sent == 3


async def test_a_decision_that_fails_harms_no_other(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = await store_orders(harness)
    decide = OrderDecider.decide

    async def decided(decider: OrderDecider, order: Order, *arguments: object, **more: object) -> Transition:
        if order.id == orders[2].id:
            raise ZeroDivisionError
        return await decide(decider, order, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(OrderDecider, "decide", decided)
    await harness.start()
    assert await ends(harness, orders) == [OPEN, OPEN, DENIED, OPEN, OPEN, OPEN]
    denied = await harness.read(orders[2].id)
    assert [denial.code for denial in denied.denials] == [RiskCode.INTERNAL]
    assert venue.sent == COUNT - 1


async def test_an_order_that_is_cancelled_meanwhile_is_not_sent_and_the_others_are(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = await store_orders(harness)
    prepare = OrderDecider.prepare

    async def prepared(decider: OrderDecider, turn: Sequence[Order]) -> Decision:
        decision = await prepare(decider, turn)
        await harness.pool.execute(CANCEL, orders[1].id, harness.clock.now())
        return decision

    monkeypatch.setattr(OrderDecider, "prepare", prepared)
    await harness.start()
    assert await ends(harness, orders) == [OPEN, CANCELED, OPEN, OPEN, OPEN, OPEN]
    assert venue.sent == COUNT - 1


async def test_a_halt_of_one_of_them_stops_that_one_alone(harness: OrderHarness, venue: ScriptedVenue) -> None:
    orders = await store_orders(harness)
    session = await store_session(harness)
    await harness.pool.execute(SESSION, orders[4].id, session.id)
    halt = Halt(HaltLevel.TRADING_SESSION, session.id, TradingState.HALTED, harness.clock.now(), HaltAuthor.SELF, None)
    async with harness.database.transaction() as transaction:
        await transaction.halts.put(halt)
    await harness.start()
    assert await ends(harness, orders) == [OPEN, OPEN, OPEN, OPEN, DENIED, OPEN]
    denied = await harness.read(orders[4].id)
    assert [denial.code for denial in denied.denials] == [RiskCode.TRADING_HALTED]


async def test_a_commit_of_which_nothing_is_known_sends_nothing(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has gone through although its connection broke: the orders are SUBMITTED, and the venue is asked for them."""
    await store_orders(harness)
    decide = AccountContext.decide
    unknown: list[Order] = []

    async def breaks(context: AccountContext, turn: Sequence[Order], decision: Decision) -> Decisions | None:
        decided = await decide(context, turn, decision)
        if decided is not None and decided.submitted and not unknown:
            unknown.extend(decided.submitted.values())
            raise Unavailable("the connection broke")
        return decided

    monkeypatch.setattr(AccountContext, "decide", breaks)
    harness.timings = replace(harness.timings, absence_after=0.2)
    await harness.start()
    await eventually(lambda: bool(unknown), "a commit is in doubt")
    for order in unknown:
        assert (await harness.until(order.id, "REJECTED")).reject_code is RejectCode.NOT_RECEIVED
    assert not {order.client_order_id for order in unknown} & set(venue.received)


async def test_a_commit_of_several_that_fails_harms_none_of_them(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = await store_orders(harness)
    decide = AccountContext.decide

    async def fails(context: AccountContext, turn: Sequence[Order], decision: Decision) -> Decisions | None:
        if len(turn) > 1:
            raise ZeroDivisionError
        return await decide(context, turn, decision)

    monkeypatch.setattr(AccountContext, "decide", fails)
    await harness.start()
    assert await ends(harness, orders) == [OPEN] * COUNT
    assert venue.sent == COUNT


async def test_orders_that_are_placed_at_once_share_commits_and_each_counts_on_those_before_it(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    place = AccountContext.place

    async def noted(
        context: AccountContext, orders: Sequence[NewOrder], decision: Decision
    ) -> dict[UUID, Order] | None:
        sizes.append(len(orders))
        return await place(context, orders, decision)

    monkeypatch.setattr(AccountContext, "place", noted)
    third = a_third(venue)
    await harness.start()
    keys = ("a", "b", "c", "d", "b", "e", "f", "a")
    orders = await asyncio.gather(*(harness.limit(key, quantity=third) for key in keys))
    assert max(sizes) > 1
    by_id = {order.id: order for order in orders}
    assert len(by_id) == len(set(keys))
    assert sorted(order.status for order in by_id.values()) == [DENIED] * 3 + [OPEN] * 3
    assert venue.sent == 3
