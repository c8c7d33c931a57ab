"""The plan's limit of active orders counts those of all accounts, also of what is placed at the same moment."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import Order
from domain.model.trading import Account
from domain.risk import plan
from infra.postgres.repositories.orders import LOCK_PLAN, PLAN_LOCKS
from tests.support.order_harness import OrderHarness, open_order_harness
from tests.support.plans import set_limits
from tests.support.scripted_venue import ScriptedVenue
from tests.support.trading import new_account
from tests.support.waiting import read_until

MOST = 5


@pytest.fixture(autouse=True)
async def _small_plan(harness: OrderHarness) -> None:
    await set_limits(harness.pool, max_active_orders=MOST)


def codes(order: Order) -> list[str]:
    return [denial.code.value for denial in order.denials]


async def another_account(harness: OrderHarness) -> Account:
    account = new_account(harness.user.id, created_at=datetime.now(UTC))
    async with harness.database.transaction() as transaction:
        await transaction.accounts.add(account, b"sealed")
    return account


async def test_one_order_too_many_is_denied_and_never_sent_until_another_ends(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    resting = [await harness.limit(f"resting-{number}") for number in range(MOST)]
    denied = await harness.limit("denied")
    assert (codes(denied), denied.denials[0].limit, denied.denials[0].actual) == (["PLAN_LIMIT"], MOST, MOST + 1)
    assert denied.denials[0].message == (
        "This would be active order number 6 on all your accounts; your plan standard allows 5. "
        "Cancel one first; the operator of this engine can give you another plan."
    )
    assert await harness.kinds(denied.id) == ["PENDING", "DENIED"]
    assert (await harness.limit("denied")).id == denied.id
    assert venue.sent == MOST
    await harness.service.cancel(harness.user.id, resting[0].id)
    assert codes(await harness.limit("one more")) == []


async def test_what_reduces_a_position_and_what_takes_the_place_of_an_order_passes(harness: OrderHarness) -> None:
    await harness.start()
    await harness.place("in")
    await set_limits(harness.pool, max_active_orders=0)
    assert codes(await harness.place("more")) == ["PLAN_LIMIT"]
    assert codes(await harness.place("out", side=OrderSide.SELL, reduce_only=True)) == []


async def test_orders_of_several_accounts_at_once_are_counted_together(harness: OrderHarness) -> None:
    accounts = [harness.account, *[await another_account(harness) for _ in range(3)]]
    requests = [harness.request(account_id=account.id) for account in accounts for _ in range(MOST)]
    orders = await asyncio.gather(
        *(harness.service.place(harness.user.id, request, f"k{number}") for number, request in enumerate(requests))
    )
    assert Counter(order.status.value for order in orders) == {"PENDING": MOST, "DENIED": 3 * MOST}
    assert {code for order in orders for code in codes(order)} == {"PLAN_LIMIT"}


async def test_the_orders_of_others_do_not_count(harness: OrderHarness) -> None:
    async with open_order_harness(harness.pool, ScriptedVenue()) as other:
        for number in range(MOST):
            assert codes(await other.place(f"k{number}")) == []
        assert codes(await harness.place()) == []


async def test_far_from_the_limit_no_order_waits_for_another(
    harness: OrderHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "PLACED_AT_ONCE", 3)
    async with harness.pool.acquire() as connection, connection.transaction():
        await connection.execute(LOCK_PLAN, PLAN_LOCKS, str(harness.user.id))
        assert [codes(await harness.place(f"far-{number}")) for number in range(3)] == [[]] * 3
        near = asyncio.create_task(harness.place("near", quantity=Decimal(2)))
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND NOT granted"
        await read_until(lambda: harness.pool.fetchval(waiting, PLAN_LOCKS), lambda count: count == 1, "it waits")
    assert codes(await near) == []
