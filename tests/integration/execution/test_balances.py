"""Balances: what orders reserve of them, which report of them counts, and when the venue is asked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from domain.execution.reconciliation import Reconciler
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.trading import Balance
from domain.ports.execution_client import BalanceReport, StreamOpened
from infra.postgres.pool import Pool
from tests.support.order_harness import FAST_TIMINGS, OrderHarness, open_order_harness
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually, read_until

D = Decimal


def usdt(total: object, free: object | None = None) -> tuple[Balance, ...]:
    amount = D(str(total))
    return (Balance("USDT", amount, amount if free is None else D(str(free))), Balance("BTC", D(10), D(10)))


def statuses(orders: list[Order]) -> list[str]:
    return sorted(order.status.value for order in orders)


async def free(harness: OrderHarness, currency: str) -> Decimal | None:
    async with harness.database.read_only() as reading:
        balances = (await reading.accounts.balances([harness.account.id]))[harness.account.id]
    return next((balance.free for balance in balances if balance.currency == currency), None)


@pytest.fixture
async def asked(venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with each request for balances."""
    requests: list[str] = []
    answer = venue.balances

    async def balances() -> tuple[Balance, ...]:
        requests.append("balances")
        return await answer()

    monkeypatch.setattr(venue, "balances", balances)
    return requests


async def test_of_two_orders_of_sixty_percent_at_once_one_is_sent_and_the_other_denied(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.holdings = usdt(100)
    await harness.start()
    venue.holdings = usdt(100, free=40)  # as the venue answers once the first order rests
    placed = await asyncio.gather(*(harness.limit(key, "60") for key in ("one", "two")))
    assert statuses(list(placed)) == ["DENIED", "OPEN"]
    assert [denial.code.value for order in placed for denial in order.denials] == ["INSUFFICIENT_BALANCE"]
    assert venue.sent == 1


async def test_a_balance_that_may_be_older_than_an_order_does_not_free_what_the_order_takes(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.holdings = usdt(100)
    await harness.start()
    venue.clock_error = timedelta(minutes=1)
    # The venue goes on to answer as it did before the first order, whose acceptance may have come after that.
    placed = [await harness.limit(key, "60") for key in ("one", "two")]
    assert [order.status.value for order in placed] == ["OPEN", "DENIED"]


async def test_a_balance_of_the_millisecond_of_several_orders_frees_none_but_one_of_them(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    accepted_at: list[datetime] = []

    def receive(order: Order) -> None:
        accepted_at.append(venue.venue_now())
        with monkeypatch.context() as patch:
            patch.setattr(venue, "venue_now", lambda: accepted_at[0])
            ScriptedVenue.receive(venue, order)

    monkeypatch.setattr(venue, "receive", receive)
    venue.holdings = usdt(300)
    await harness.start()
    resting = [await harness.limit(key, "90") for key in ("one", "two", "three")]
    assert statuses(resting) == ["OPEN", "OPEN", "OPEN"]
    assert {order.accepted_at for order in resting} == {accepted_at[0]}
    # As the venue reports after the first of them; its messages about the others are on their way.
    venue.publish(BalanceReport((Balance("USDT", D(300), D(210), accepted_at[0]),)))
    await read_until(lambda: free(harness, "USDT"), lambda found: found == 210, "the message is stored")
    venue.holdings = usdt(300, free=30)
    before = len(asked)
    assert (await harness.limit("four", "90")).status is OrderStatus.DENIED
    assert len(asked) == before + 1
    assert venue.sent == 3


async def test_what_a_filled_order_has_spent_is_reserved_until_the_balance_message(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.holdings = usdt(150)
    await harness.start()
    venue.holdings = usdt(50)
    assert (await harness.place("in")).status.value == "FILLED"
    assert (await harness.place("more")).status.value == "DENIED"


async def test_after_a_lost_balance_message_what_was_bought_can_be_sold_by_hand(
    harness: OrderHarness, venue: ScriptedVenue, asked: list[str]
) -> None:
    venue.holdings = (Balance("USDT", D(1000), D(1000)),)
    await harness.start()
    before = len(asked)
    await harness.place("in")
    venue.holdings = (Balance("USDT", D(900), D(900)), Balance("BTC", D(1), D(1)))
    sold = await harness.place("out", side=OrderSide.SELL)
    assert sold.status.value == "FILLED"
    assert len(asked) == before + 1


async def test_an_order_that_no_balance_covers_is_denied_after_the_venue_was_asked_once(
    harness: OrderHarness, venue: ScriptedVenue, asked: list[str]
) -> None:
    await harness.start()
    before = len(asked)
    denied = await harness.place("too much", quantity=D(50), side=OrderSide.SELL)
    assert [denial.code.value for denial in denied.denials] == ["INSUFFICIENT_BALANCE"]
    assert len(asked) == before + 1


async def test_an_order_is_denied_by_what_is_stored_if_the_venue_does_not_answer(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    harness.timings = replace(harness.timings, balance_wait=0.05)
    await harness.start()
    venue.unreachable = True
    denied = await harness.place("too much", quantity=D(50), side=OrderSide.SELL)
    assert [denial.code.value for denial in denied.denials] == ["INSUFFICIENT_BALANCE"]


async def test_an_answer_that_was_asked_for_before_a_message_does_not_replace_it(
    harness: OrderHarness, venue: ScriptedVenue, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.start()
    now = venue.venue_now()
    monkeypatch.setattr(venue, "venue_now", lambda: now)
    venue.publish(BalanceReport((Balance("USDT", D(7), D(7), now + timedelta(seconds=2)),)))
    await read_until(lambda: free(harness, "USDT"), lambda found: found == 7, "the message is stored")
    venue.publish(BalanceReport((Balance("USDT", D(8), D(8), now),)))
    venue.publish(BalanceReport((Balance("ETH", D(1), D(1), now),)))
    await read_until(lambda: free(harness, "ETH"), lambda found: found == 1, "the later messages are stored")
    assert await free(harness, "USDT") == 7
    # By the clock of the venue, what it is asked now is older than the message.
    venue.holdings = usdt(9)
    before = len(asked)
    venue.publish(StreamOpened())
    await eventually(lambda: len(asked) > before and harness.context.reconciled, "it has reconciled")
    assert await free(harness, "USDT") == 7


async def test_an_answer_of_the_millisecond_of_a_message_does_not_replace_it(
    harness: OrderHarness, venue: ScriptedVenue, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.start()
    now = venue.venue_now()
    monkeypatch.setattr(venue, "venue_now", lambda: now)
    at = now + timedelta(seconds=2)
    venue.publish(BalanceReport((Balance("USDT", D(7), D(7), at),)))
    await read_until(lambda: free(harness, "USDT"), lambda found: found == 7, "the message is stored")
    # It was made before the order whose coins the message shows as locked, and arrives after the message.
    venue.holdings = (Balance("USDT", D(9), D(9), at),)
    before = len(asked)
    venue.publish(StreamOpened())
    await eventually(lambda: len(asked) > before and harness.context.reconciled, "it has reconciled")
    assert await free(harness, "USDT") == 7


async def test_of_a_total_alone_what_open_orders_need_is_not_free(harness: OrderHarness, venue: ScriptedVenue) -> None:
    venue.holdings = (Balance("USDT", D(100), None), Balance("BTC", D(1), None))
    await harness.start()
    assert (await harness.limit("one", "60")).status.value == "OPEN"
    assert await free(harness, "USDT") == 40
    assert (await harness.limit("two", "41")).status.value == "DENIED"
    assert (await harness.limit("three", "40")).status.value == "OPEN"
    sold = await harness.place("four", side=OrderSide.SELL, type=OrderType.LIMIT, price=D(110))
    assert sold.status.value == "OPEN"
    assert await free(harness, "BTC") == 0


async def test_balances_are_asked_for_after_a_settled_doubt(
    harness: OrderHarness, venue: ScriptedVenue, asked: list[str]
) -> None:
    await harness.start()
    before = len(asked)
    venue.fates.append(Fate.SWALLOWED)
    order = await harness.limit()
    await harness.until(order.id, "OPEN")
    await eventually(lambda: len(asked) > before, "the venue is asked")


@pytest.fixture
async def quick(pool: Pool, venue: ScriptedVenue) -> AsyncIterator[OrderHarness]:
    async with open_order_harness(pool, venue) as harness:
        harness.timings = replace(FAST_TIMINGS, checkpoint_interval=0.03)
        yield harness


async def test_balances_are_asked_for_at_each_checkpoint_while_the_account_trades_and_not_at_rest(
    quick: OrderHarness, venue: ScriptedVenue, asked: list[str]
) -> None:
    await quick.start()
    await eventually(lambda: not quick.context.is_active, "the account rests")
    resting = len(asked)
    order = await quick.limit()
    await eventually(lambda: len(asked) >= resting + 3, "balances are asked for again and again")
    venue.end(order.client_order_id, (await quick.read(order.id)).status.CANCELED)
    await quick.until(order.id, "CANCELED")
    await eventually(lambda: not quick.context.is_active, "the account rests again")
    assert (await quick.read(order.id)).status.value == "CANCELED"


async def test_an_account_at_rest_stores_nothing_at_its_checkpoints(
    quick: OrderHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints: list[float] = []
    checkpoint = Reconciler._checkpoint

    async def counted(reconciler: Reconciler) -> None:
        await checkpoint(reconciler)
        checkpoints.append(quick.clock.monotonic())

    monkeypatch.setattr(Reconciler, "_checkpoint", counted)
    await quick.start()
    await eventually(lambda: not quick.context.is_active, "the account rests")
    stored, passed = await _reconciled_at(quick), len(checkpoints)
    await eventually(lambda: len(checkpoints) >= passed + 5, "checkpoints pass")
    assert await _reconciled_at(quick) == stored
    await quick.limit()
    await read_until(lambda: _reconciled_at(quick), lambda now: now > stored, "it is stored while the account trades")


async def _reconciled_at(harness: OrderHarness) -> datetime:
    async with harness.database.read_only() as reading:
        account = await reading.accounts.by_id(harness.account.id)
    assert account is not None
    assert account.reconciled_at is not None
    return account.reconciled_at


async def test_an_order_that_is_reported_without_a_time_is_accepted_at_the_time_of_the_venue(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def receive(order: Order) -> None:
        ScriptedVenue.receive(venue, order)
        venue.orders[order.client_order_id] = replace(venue.orders[order.client_order_id], at=None)

    monkeypatch.setattr(venue, "receive", receive)
    venue.publishes_on_stream = False
    harness.clock.ahead = timedelta(hours=1)
    await harness.start()
    order = await harness.limit()
    assert order.status is OrderStatus.OPEN
    assert order.accepted_at is not None
    assert abs(order.accepted_at - venue.venue_now()) < timedelta(minutes=30)
