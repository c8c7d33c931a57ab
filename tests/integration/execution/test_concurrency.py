"""Orders are decided one by one and sent side by side: a slow answer or a failing check harms one order alone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.core.background import cancel_and_wait
from domain.execution import risk_assessment, undecidable_orders
from domain.execution.execution_reports import ReportHandler
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderStatus, OrderType, RiskCode, RiskDenial
from domain.model.trading import RiskLimits
from domain.ports.execution_client import OrderReport, SendGuard, StreamOpened
from domain.risk.checks import check_order
from domain.risk.context import RiskContext
from tests.support.clocks import AdjustableClock
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import eventually, read_until


class Gate:
    """Holds requests of one kind at the venue until it is opened; `waiting` counts those that wait."""

    def __init__(self, request: Callable[[Order, SendGuard], Awaitable[OrderReport]]) -> None:
        self.open = asyncio.Event()
        self.waiting = 0
        self.holds: Callable[[Order], bool] = lambda _order: True
        self._request = request

    async def __call__(self, order: Order, guard: SendGuard) -> OrderReport:
        if not self.open.is_set() and self.holds(order):
            self.waiting += 1
            await self.open.wait()
        return await self._request(order, guard)


@pytest.fixture
async def gate(venue: ScriptedVenue) -> Gate:
    gate = Gate(venue.place)
    venue.place = gate  # type: ignore[method-assign]
    return gate


async def test_a_slow_answer_holds_up_neither_other_orders_nor_cancels(
    harness: OrderHarness, venue: ScriptedVenue, gate: Gate
) -> None:
    await harness.start()
    gate.holds = lambda order: order.quantity == 2
    resting = await harness.limit("resting")
    slow = asyncio.create_task(harness.limit("slow", quantity=Decimal(2)))
    await eventually(lambda: gate.waiting == 1, "the slow order is on its way")
    assert (await harness.place("quick")).status is OrderStatus.FILLED
    assert (await harness.service.cancel(harness.user.id, resting.id)).status is OrderStatus.CANCELED
    assert venue.sent == 2
    gate.open.set()
    assert (await slow).status is OrderStatus.OPEN


async def test_many_orders_at_once_are_sent_at_once_and_each_once(
    harness: OrderHarness, venue: ScriptedVenue, gate: Gate
) -> None:
    await harness.start()
    placing = [asyncio.create_task(harness.limit(f"k{number}")) for number in range(20)]
    await eventually(lambda: gate.waiting == 20, "all are on their way")
    gate.open.set()
    assert {(await placed).status for placed in placing} == {OrderStatus.OPEN}
    assert len(set(venue.received)) == len(venue.received) == 20


async def test_of_new_orders_only_so_many_are_under_way_and_those_that_reduce_risk_go_all_the_same(
    harness: OrderHarness, venue: ScriptedVenue, gate: Gate
) -> None:
    harness.timings = replace(harness.timings, maximum_requests=2)
    gate.open.set()
    await harness.start()
    await harness.place("held", quantity=Decimal(5))
    gate.open.clear()
    gate.holds = lambda order: not order.reduce_only
    placing = [asyncio.create_task(harness.limit(f"k{number}")) for number in range(5)]
    await eventually(lambda: gate.waiting == 2, "two are on their way")
    exit_order = await harness.place("exit", side=OrderSide.SELL, reduce_only=True)
    assert exit_order.status is OrderStatus.FILLED
    assert gate.waiting == 2
    gate.open.set()
    assert {(await placed).status for placed in placing} == {OrderStatus.OPEN}


async def test_a_cancel_that_is_requested_while_the_order_is_sent_follows_it(
    harness: OrderHarness, venue: ScriptedVenue, gate: Gate
) -> None:
    harness.timings = replace(harness.timings, poll_interval=3600)
    await harness.start()
    placing = asyncio.create_task(harness.limit())
    await eventually(lambda: gate.waiting == 1, "the order is on its way")
    async with harness.database.read_only() as reading:
        (order,) = await reading.orders.list_active(harness.account.id)
    cancelling = asyncio.create_task(harness.service.cancel(harness.user.id, order.id))
    await read_until(lambda: harness.read(order.id), lambda now: now.cancel_requested_at, "the cancel is asked for")
    gate.open.set()
    await placing
    assert (await cancelling).status is OrderStatus.CANCELED


@pytest.mark.parametrize("type_", [OrderType.MARKET, OrderType.LIMIT])
async def test_an_order_that_waited_too_long_is_not_sent_and_says_so(
    harness: OrderHarness, venue: ScriptedVenue, type_: OrderType
) -> None:
    await harness.start()
    harness.context.timings = replace(harness.timings, maximum_market_order_age=0, maximum_order_age=0)
    order = await harness.place(type=type_, price=Decimal(90) if type_ is OrderType.LIMIT else None)
    assert (order.status, order.cancel_code) == (OrderStatus.CANCELED, CancelCode.TOO_OLD)
    reason = (await harness.order_events(order.id))[-1].reason
    assert reason == "it could not be sent within 0 s after it was placed"
    assert venue.sent == 0


@pytest.mark.parametrize("ahead", [timedelta(minutes=-2), timedelta(hours=1)], ids=["behind", "ahead"])
async def test_the_age_of_an_order_does_not_depend_on_the_clock_of_the_node_that_placed_it(
    harness: OrderHarness, venue: ScriptedVenue, ahead: timedelta
) -> None:
    harness.service._clock = placing = AdjustableClock()  # type: ignore[assignment]
    placing.ahead = ahead
    order = await harness.place()
    assert order.status is OrderStatus.PENDING
    await harness.start()
    assert (await harness.until(order.id, "FILLED", "CANCELED")).status is OrderStatus.FILLED
    await harness.kill()
    late = await harness.place("late")
    await age(harness, late, "61 s")
    await harness.start()
    assert (await harness.until(late.id, "FILLED", "CANCELED")).cancel_code is CancelCode.TOO_OLD
    assert venue.received == [order.client_order_id]


async def test_an_order_is_not_sent_late_because_the_clock_was_set_back(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await harness.place()
    await age(harness, order, "61 s")
    harness.clock.ahead = timedelta(hours=-1)
    await harness.start()
    await harness.until(order.id, "CANCELED", "DENIED")
    assert venue.received == []


async def age(harness: OrderHarness, order: Order, by: str) -> None:
    """Make a stored order older, by the clock of the database."""
    async with harness.pool.acquire() as connection:
        query = "UPDATE orders SET placed_at = placed_at - $2::text::interval WHERE id = $1"
        await connection.execute(query, order.id, by)


async def test_an_exit_has_no_age_limit(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    await harness.place("held", quantity=Decimal(2))
    harness.context.timings = replace(harness.timings, maximum_market_order_age=0, maximum_order_age=0)
    assert (await harness.place("exit", side=OrderSide.SELL, reduce_only=True)).status is OrderStatus.FILLED
    assert (await harness.place("entry")).status is OrderStatus.CANCELED


async def test_an_order_that_the_rate_limit_holds_too_long_does_not_leave(
    harness: OrderHarness, venue: ScriptedVenue, gate: Gate
) -> None:
    await harness.start()
    placing = asyncio.create_task(harness.place())
    await eventually(lambda: gate.waiting == 1, "it waits for its turn")
    harness.context.timings = replace(harness.timings, maximum_market_order_age=0)
    gate.open.set()
    order = await placing
    assert (order.status, order.cancel_code) == (OrderStatus.CANCELED, CancelCode.TOO_OLD)
    assert venue.received == []
    reason = (await harness.order_events(order.id))[-1].reason
    assert reason is not None
    assert reason.startswith("not sent: its turn came")


async def test_an_order_whose_check_fails_is_denied_and_the_others_go_on(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def check(order: Order, context: RiskContext) -> tuple[RiskDenial, ...]:
        if order.quantity == 2:
            raise ArithmeticError("secret detail")
        return check_order(order, context)

    monkeypatch.setattr(risk_assessment, "check_order", check)
    await harness.start()
    broken, fine = await asyncio.gather(harness.place("broken", quantity=Decimal(2)), harness.place("fine"))
    assert fine.status is OrderStatus.FILLED
    assert broken.status is OrderStatus.DENIED
    assert [denial.code for denial in broken.denials] == [RiskCode.INTERNAL]
    (alert,) = await harness.alerts()
    assert str(broken.id) in alert
    assert "secret" not in alert + broken.denials[0].message
    assert not harness.task.done()
    assert "secret detail" in caplog.text


async def test_an_order_that_cannot_even_be_denied_is_left_alone(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(risk_assessment, "check_order", fail)
    monkeypatch.setattr(undecidable_orders, "deny", fail)
    await harness.start()
    placing = asyncio.create_task(harness.place("broken"))
    alerts = await read_until(harness.alerts, lambda now: len(now) == 2, "the check and the denial have failed")
    monkeypatch.undo()
    assert (await harness.place("fine")).status is OrderStatus.FILLED
    await cancel_and_wait(placing)
    assert await harness.alerts() == alerts
    assert len(venue.received) == 1


async def test_a_report_that_cannot_be_applied_harms_no_other(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_order = ReportHandler.on_order

    async def fail_on_one(self: ReportHandler, report: OrderReport, **options: bool) -> Order | None:
        if report.client_order_id == "theirs":
            raise KeyError("a field that the venue left out")
        return await on_order(self, report, **options)

    monkeypatch.setattr(ReportHandler, "on_order", fail_on_one)
    await harness.start()
    order = await harness.limit("first")
    venue.orders["theirs"] = replace(venue.orders[order.client_order_id], client_order_id="theirs", venue_order_id="x1")
    venue.publish(venue.orders["theirs"], StreamOpened())
    venue.fill(order.client_order_id, 1, "90")
    await harness.until(order.id, "FILLED")
    await eventually(lambda: harness.context.reconciled, "the account is reconciled in spite of it")
    assert not harness.task.done()
    assert any("x1" in alert for alert in await harness.alerts())


async def test_the_order_that_once_stopped_an_account_is_denied(harness: OrderHarness, venue: ScriptedVenue) -> None:
    """The public API refuses it now; an order from before the upgrade, or of a session, may still have such numbers."""
    async with harness.database.transaction() as transaction:
        await transaction.accounts.update(replace(harness.account, risk=RiskLimits(price_collar_percent=Decimal(5))))
    await harness.start()
    sane = await harness.limit("sane")
    absurd = replace(
        sane,
        id=harness.ids.next_id(),
        client_order_id="r3-absurd",
        type=OrderType.STOP_LIMIT,
        price=Decimal("1E37"),
        stop_price=Decimal("1E-38"),
        status=OrderStatus.PENDING,
        revision=1,
        venue_order_id=None,
        submitted_at=None,
        created_at=harness.clock.now() - timedelta(seconds=0.1),
    )
    async with harness.database.transaction() as transaction:
        await transaction.orders.add(absurd)
    denied = await harness.until(absurd.id, "DENIED")
    codes = {denial.code for denial in denied.denials}
    assert {RiskCode.PRICE_COLLAR, RiskCode.PRICE_PRECISION} <= codes
    assert RiskCode.INTERNAL not in codes
    assert not harness.task.done()


async def test_requests_under_way_end_with_the_executor(harness: OrderHarness, gate: Gate) -> None:
    await harness.start()
    placing = asyncio.create_task(harness.limit())
    await eventually(lambda: gate.waiting == 1, "the order is on its way")
    await harness.kill()
    with suppress(asyncio.CancelledError):
        await harness.task
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("request:")] == []
    gate.open.set()
    await placing
    await harness.start()
