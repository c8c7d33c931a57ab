"""A halt that cancels is a level: no order that it stops stays active, whenever it was placed, sent or found."""

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.execution.commands import cancel_order
from domain.execution.expired_orders import cancel_expired
from domain.execution.halted_orders import cancel_halted
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, OrderRole, OrderStatus, TimeInForce
from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from tests.support.order_harness import OrderHarness
from tests.support.orders import an_order
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually, read_until


async def store_halt(harness: OrderHarness, level: HaltLevel, *, cancel_orders: bool = True) -> None:
    """Store a halt, as one that was committed while the order was under way."""
    ids = {HaltLevel.ENGINE: ENGINE_ID, HaltLevel.USER: harness.user.id, HaltLevel.ACCOUNT: harness.account.id}
    now = harness.clock.now()
    async with harness.database.transaction() as transaction:
        await transaction.halts.put(
            Halt(level, ids[level], TradingState.HALTED, now, HaltAuthor.OPERATOR, None, cancel_orders)
        )


@pytest.mark.parametrize("level", [HaltLevel.ENGINE, HaltLevel.USER, HaltLevel.ACCOUNT])
async def test_an_order_that_was_sent_while_the_halt_was_committed_is_cancelled(
    harness: OrderHarness, level: HaltLevel
) -> None:
    await harness.start()
    order = await harness.limit()
    assert order.status is OrderStatus.OPEN
    await store_halt(harness, level)
    ended = await harness.until(order.id, "CANCELED")
    assert ended.cancel_code is CancelCode.HALT
    assert (await harness.order_events(order.id))[-2].reason == "a halt of trading cancels it"


async def test_an_order_that_turns_out_to_be_at_the_venue_is_cancelled(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    venue.fates.append(Fate.SWALLOWED)
    venue.publishes_on_stream = False
    venue.unreachable = True
    order = await harness.limit()
    assert order.status is OrderStatus.IN_DOUBT
    await store_halt(harness, HaltLevel.ACCOUNT)
    venue.unreachable = False
    await harness.until(order.id, "CANCELED")


async def test_an_executor_that_starts_under_a_halt_cancels_what_rests(harness: OrderHarness) -> None:
    await harness.start()
    order = await harness.limit()
    await harness.kill()
    await store_halt(harness, HaltLevel.ENGINE)
    await harness.start()
    await harness.until(order.id, "CANCELED")


async def test_orders_that_only_reduce_stay_open_under_a_halt(harness: OrderHarness) -> None:
    await harness.start()
    await harness.place("in")
    exit_order = await harness.limit("out", "110", side=OrderSide.SELL, quantity=Decimal("0.5"), reduce_only=True)
    entry = await harness.limit("more")
    await store_halt(harness, HaltLevel.ACCOUNT)
    await harness.until(entry.id, "CANCELED")
    assert await harness.read(exit_order.id) == exit_order


async def test_a_halt_that_keeps_orders_cancels_none(harness: OrderHarness) -> None:
    await harness.start()
    order = await harness.limit()
    await store_halt(harness, HaltLevel.ACCOUNT, cancel_orders=False)
    async with harness.database.read_only() as reading:
        assert await reading.orders.list_commands(harness.account.id) == []
    assert await harness.read(order.id) == order


async def test_a_cancel_that_the_venue_refuses_is_asked_for_again_later_although_the_clock_was_set_back(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.execution.refused_cancels.CANCEL_RETRY_SECONDS", 3600.0)
    await harness.start()
    order = await harness.limit()
    venue.cancel_fates.append(Fate.REFUSED)
    await store_halt(harness, HaltLevel.ACCOUNT)
    refused = await read_until(
        lambda: harness.read(order.id), lambda now: now.cancel_code and not now.cancel_requested_at, "it is refused"
    )
    looks = 0

    async def counted(*arguments: object) -> object:
        nonlocal looks
        looks += 1
        return await cancel_halted(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("domain.execution.executor.cancel_halted", counted)
    await eventually(lambda: looks > 3, "the executor looks some more times")
    assert await harness.read(order.id) == refused
    harness.clock.ahead = timedelta(hours=-1)
    monkeypatch.setattr("domain.execution.refused_cancels.CANCEL_RETRY_SECONDS", 0.0)
    await harness.until(order.id, "CANCELED")


@pytest.mark.parametrize("role", OrderRole)
async def test_no_halt_cancels_what_closes_a_position(harness: OrderHarness, role: OrderRole) -> None:
    order = an_order(role=role, status=OrderStatus.OPEN, user_id=harness.user.id, account_id=harness.account.id)
    async with harness.database.transaction() as transaction:
        await transaction.orders.add(order)
    await store_halt(harness, HaltLevel.USER)
    async with harness.database.transaction() as transaction:
        now = harness.clock.now()
        cancelled = await transaction.orders.request_cancels_by_halts([harness.account.id], now)
    opens = role in {OrderRole.ENTRY, OrderRole.MANUAL, OrderRole.FOREIGN}
    assert [found.id for found in cancelled] == ([order.id] if opens else [])


async def test_an_expired_order_whose_cancel_the_venue_refuses_is_cancelled_again_after_a_time(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.execution.refused_cancels.CANCEL_RETRY_SECONDS", 3600.0)
    await harness.start()
    ends = harness.clock.now() + timedelta(hours=1)
    order = await harness.limit(time_in_force=TimeInForce.GTD, expires_at=ends)
    venue.cancel_fates.append(Fate.REFUSED)
    harness.clock.ahead = timedelta(hours=2)
    await read_until(
        lambda: harness.read(order.id), lambda now: now.cancel_code and not now.cancel_requested_at, "it is refused"
    )
    looks = 0

    async def counted(*arguments: object) -> object:
        nonlocal looks
        looks += 1
        return await cancel_expired(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("domain.execution.executor.cancel_expired", counted)
    await eventually(lambda: looks > 3, "the executor looks some more times")
    assert venue.cancel_attempts == 1
    monkeypatch.setattr("domain.execution.refused_cancels.CANCEL_RETRY_SECONDS", 0.0)
    await harness.until(order.id, "EXPIRED")


async def test_an_order_that_a_trading_session_cancels_and_the_venue_does_not_is_cancelled_again_with_one_alert(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.execution.refused_cancels.CANCEL_RETRY_SECONDS", 0.0)
    await harness.start()
    order = await harness.limit()
    venue.cancel_fates += [Fate.REFUSED, Fate.REFUSED]
    async with harness.database.transaction() as transaction:
        locked = await transaction.orders.get_for_update(order.id)
        assert locked is not None
        await cancel_order(transaction, locked, CancelCode.TRADING_SESSION, harness.clock.now())
    await harness.notifier.notify_executor(harness.account.id)
    await harness.until(order.id, "CANCELED")
    assert venue.cancel_attempts == 3
    assert ["The venue refuses to cancel" in alert for alert in await harness.alerts()] == [True]
