"""Accounts, their credentials and balances, and the engine's trading state."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.core.pagination import KeysetPage
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus
from domain.model.trading import AccountKind, Balance, RiskLimits
from domain.ports.leases import StaleLease
from infra.clock import SystemClock
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.repositories.accounts import PostgresAccounts
from infra.postgres.repositories.leases import PostgresLeases
from infra.postgres.repositories.orders import PostgresOrders
from tests.support.trading import ACTIVE_STATUSES, FINAL_STATUSES, World, at, new_account, new_id, store_change

FULL_RISK = RiskLimits(
    max_order_notional=Decimal("1000.50"),
    max_position_notional=Decimal("1E+3"),
    max_open_orders=3,
    max_orders_per_minute=60,
    max_daily_loss=Decimal("0.000000000000000001"),
    max_drawdown_percent=Decimal(20),
    price_collar_percent=Decimal("2.5"),
    cool_down_losses=3,
    cool_down_minutes=0,
    daily_reset_hour=23,
)


@pytest.fixture
def accounts(connection: Connection) -> PostgresAccounts:
    return PostgresAccounts(connection)


@pytest.mark.parametrize("kind", AccountKind)
async def test_an_account_comes_back_as_it_was_stored(
    accounts: PostgresAccounts, world: World, kind: AccountKind
) -> None:
    bare = new_account(world.user.id, kind=kind)
    full = replace(bare, id=new_id(), archived_at=at(1), risk=FULL_RISK, reconciled_at=at(2))
    for account in (bare, full):
        await accounts.add(account, b"sealed")
        assert await accounts.get(world.user.id, account.id) == account
        assert await accounts.by_id(account.id) == account


@given(
    limits=st.builds(
        RiskLimits,
        max_order_notional=st.none() | st.decimals(0, allow_nan=False, allow_infinity=False),
        max_drawdown_percent=st.none() | st.decimals(0, 100),
        max_open_orders=st.none() | st.integers(0, 2**31),
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_limits_keep_every_digit(accounts: PostgresAccounts, world: World, limits: RiskLimits) -> None:
    await accounts.update(replace(world.account, risk=limits))
    stored = await accounts.by_id(world.account.id)
    assert stored is not None
    assert stored.risk == limits


async def test_an_update_stores_what_can_change_and_leaves_the_credentials(
    accounts: PostgresAccounts, world: World
) -> None:
    changed = replace(
        world.account,
        name="renamed",
        risk=FULL_RISK,
        archived_at=at(5),
        reconciled_at=at(6),
    )
    await accounts.update(changed)
    assert await accounts.get_for_update(world.account.id) == changed
    assert await accounts.credentials(world.account.id) == b"sealed"


async def test_credentials_can_be_replaced(accounts: PostgresAccounts, world: World) -> None:
    await accounts.set_credentials(world.account.id, b"\x00other")
    assert await accounts.credentials(world.account.id) == b"\x00other"
    assert await accounts.credentials(new_id()) is None


async def test_an_account_of_another_user_is_as_if_absent(
    accounts: PostgresAccounts, world: World, stranger: World
) -> None:
    assert await accounts.get(stranger.user.id, world.account.id) is None
    assert await accounts.list_page(stranger.user.id, KeysetPage(10)) == [stranger.account]
    assert await accounts.by_id(new_id()) is None


async def test_accounts_are_paged_from_new_to_old_and_back(accounts: PostgresAccounts, world: World) -> None:
    made = [world.account]
    for name in ("b", "c", "d"):
        made.append(new_account(world.user.id, name=name, archived_at=at(1)))
        await accounts.add(made[-1], b"")
    newest = made[::-1]
    assert await accounts.list_page(world.user.id, KeysetPage(3)) == newest[:3]
    assert await accounts.list_page(world.user.id, KeysetPage(3, after=newest[2].id)) == newest[3:]
    assert await accounts.list_page(world.user.id, KeysetPage(2, backwards=True, before=newest[3].id)) == newest[1:3]


async def test_a_batch_finds_the_accounts_that_exist(accounts: PostgresAccounts, world: World, stranger: World) -> None:
    found = await accounts.get_many([world.account.id, stranger.account.id, new_id()])
    assert {account.id for account in found} == {world.account.id, stranger.account.id}


async def test_an_archived_account_is_tradable_until_its_last_order_is_final(
    accounts: PostgresAccounts, orders: PostgresOrders, connection: Connection, world: World, stranger: World
) -> None:
    archived = replace(world.account, archived_at=at(1))
    await accounts.update(archived)
    for status in FINAL_STATUSES:
        await orders.add(world.order(status=status))
    assert await accounts.list_tradable() == [stranger.account]
    for status in ACTIVE_STATUSES:
        order = world.order(status=status)
        await orders.add(order)
        assert await accounts.list_tradable() == [archived, stranger.account]
        assert set(await accounts.list_tradable_ids()) == {archived.id, stranger.account.id}
        await store_change(connection, order, order.changed(at(1), status=OrderStatus.CANCELED))


async def test_an_account_is_busy_while_it_has_an_active_order(
    accounts: PostgresAccounts, orders: PostgresOrders, connection: Connection, world: World, stranger: World
) -> None:
    assert set(await accounts.list_busy()) == {world.account.id, stranger.account.id}  # by their trading sessions
    await connection.execute("UPDATE trading_sessions SET status = 'STOPPED', stopped_at = now()")
    for status in FINAL_STATUSES:
        await orders.add(world.order(status=status))
    assert await accounts.list_busy() == []
    for status in ACTIVE_STATUSES:
        order = world.order(status=status)
        await orders.add(order)
        assert await accounts.list_busy() == [world.account.id]
        await store_change(connection, order, order.changed(at(1), status=OrderStatus.CANCELED))


async def test_the_time_of_a_reconciliation_is_stored_under_the_lease_alone(
    accounts: PostgresAccounts, connection: Connection, world: World
) -> None:
    leases = PostgresLeases(connection, SystemClock())
    lease = await leases.acquire("account", str(world.account.id), "node-1", 60)
    assert lease is not None
    assert await accounts.save_reconciled_at(world.account.id, at(5), at(4), lease)
    assert not await accounts.save_reconciled_at(world.account.id, at(9), at(9), replace(lease, epoch=lease.epoch + 1))
    stored = await accounts.by_id(world.account.id)
    assert stored is not None
    assert stored.reconciled_at == at(5)


async def upsert(database: PostgresDatabase, account_id: UUID, *balances: Balance) -> None:
    async with database.transaction() as transaction:
        lease = await transaction.leases.acquire("account", str(account_id), "one", 60)
        assert lease is not None
        transaction.accounts.upsert_balances(account_id, balances, lease)


async def test_balances_are_merged_or_replaced(
    accounts: PostgresAccounts, database: PostgresDatabase, world: World, stranger: World
) -> None:
    ids = [world.account.id, stranger.account.id]
    usdt, btc = Balance("USDT", Decimal("10000.00"), Decimal(9_000)), Balance("BTC", Decimal("0.1"), Decimal(0))
    await accounts.replace_balances(world.account.id, [usdt, btc])
    await accounts.replace_balances(stranger.account.id, [usdt])
    assert await accounts.balances(ids) == {ids[0]: [btc, usdt], ids[1]: [usdt]}

    less = Balance("USDT", Decimal(8_000), Decimal("7999.99"))
    await upsert(database, world.account.id, less)
    assert await accounts.balances(ids[:1]) == {ids[0]: [btc, less]}
    await accounts.replace_balances(world.account.id, [usdt])
    assert await accounts.balances(ids) == {ids[0]: [usdt], ids[1]: [usdt]}
    await accounts.replace_balances(world.account.id, [])
    assert await accounts.balances(ids[:1]) == {ids[0]: []}


async def test_of_two_balances_of_a_currency_the_last_one_counts(
    accounts: PostgresAccounts, database: PostgresDatabase, world: World
) -> None:
    first, last = Balance("BTC", Decimal(1), Decimal(1)), Balance("BTC", Decimal(2), Decimal(2))
    await upsert(database, world.account.id, first, last)
    assert await accounts.balances([world.account.id]) == {world.account.id: [last]}


async def test_balances_of_a_message_are_stored_under_the_lease_alone(
    accounts: PostgresAccounts, database: PostgresDatabase, world: World
) -> None:
    first, second = Balance("USDT", Decimal(1), Decimal(1), at(1)), Balance("USDT", Decimal(2), Decimal(2), at(2))
    async with database.transaction() as transaction:
        lease = await transaction.leases.acquire("account", str(world.account.id), "one", 60)
    assert lease is not None

    async def rename_and_upsert() -> None:
        async with database.transaction() as transaction:
            await transaction.accounts.update(replace(world.account, name="undone"))
            transaction.accounts.upsert_balances(world.account.id, [second], lease)

    async with database.transaction() as transaction:
        transaction.accounts.upsert_balances(world.account.id, [first], lease)
    assert await accounts.balances([world.account.id]) == {world.account.id: [first]}
    async with database.transaction() as transaction:
        await transaction.leases.release(lease)
    with pytest.raises(StaleLease):
        async with database.transaction() as transaction:
            transaction.accounts.upsert_balances(world.account.id, [second], lease)
    with pytest.raises(StaleLease):
        await rename_and_upsert()
    assert await accounts.balances([world.account.id]) == {world.account.id: [first]}
    assert await accounts.by_id(world.account.id) == world.account


async def test_an_older_balance_never_replaces_a_younger_one(
    accounts: PostgresAccounts, database: PostgresDatabase, world: World
) -> None:
    ids = [world.account.id]
    younger = Balance("USDT", Decimal(40), Decimal(40), at(10))
    await upsert(database, ids[0], younger)
    await upsert(database, ids[0], replace(younger, total=Decimal(100), at=at(9)))
    await accounts.replace_balances(ids[0], [Balance("USDT", Decimal(100), Decimal(100))], at(9))
    await accounts.replace_balances(ids[0], [], at(9))
    assert await accounts.balances(ids) == {ids[0]: [younger]}

    same_time = replace(younger, total=Decimal(41))
    await upsert(database, ids[0], same_time)
    assert await accounts.balances(ids) == {ids[0]: [same_time]}
    await accounts.replace_balances(ids[0], [], at(10))
    assert await accounts.balances(ids) == {ids[0]: []}


async def test_a_balance_from_before_the_venues_clock_was_set_back_is_replaced(
    accounts: PostgresAccounts, database: PostgresDatabase, world: World
) -> None:
    ids = [world.account.id]
    await upsert(database, ids[0], Balance("USDT", Decimal(40), Decimal(40), at(3600)))
    await upsert(database, ids[0], Balance("BTC", Decimal(1), Decimal(1), at(3600)))
    now = Balance("USDT", Decimal(100), Decimal(100), at(0))
    await accounts.replace_balances(ids[0], [now], at(0))
    assert await accounts.balances(ids) == {ids[0]: [now]}


async def test_of_a_total_what_active_orders_need_is_not_free(
    accounts: PostgresAccounts, orders: PostgresOrders, world: World
) -> None:
    for changes in (
        {"side": OrderSide.BUY, "quantity": Decimal(2), "price": Decimal(10), "status": OrderStatus.OPEN},
        {"side": OrderSide.BUY, "quantity": Decimal(9), "price": Decimal(10), "status": OrderStatus.CANCELED},
        {"side": OrderSide.SELL, "quantity": Decimal("0.5"), "price": Decimal(10), "status": OrderStatus.OPEN},
    ):
        await orders.add(world.order(**changes))
    held = [Balance("BTC", Decimal(2), None), Balance("ETH", Decimal(3), None), Balance("USDT", Decimal(100), None)]
    await accounts.replace_balances(world.account.id, held)
    stored = (await accounts.balances([world.account.id]))[world.account.id]
    assert [(balance.currency, balance.free) for balance in stored] == [
        ("BTC", Decimal("1.5")),
        ("ETH", 3),
        ("USDT", 80),
    ]


async def test_an_alert_is_deleted_once_its_account_has_long_gone_without_its_cause(
    accounts: PostgresAccounts, world: World
) -> None:
    kept, start = timedelta(days=400), at(0)
    long_after = start + kept + timedelta(days=1)
    looked, unlooked, archived = (new_account(world.user.id) for _ in range(3))
    for account in (looked, unlooked, archived):
        await accounts.add(account, b"sealed")
        assert await accounts.record_alerts(account.id, ["seen once"], start)
    assert await accounts.record_alerts(looked.id, ["seen again"], start)
    assert not await accounts.record_alerts(looked.id, ["seen again"], long_after - kept)
    await accounts.update(replace(looked, reconciled_at=long_after))
    await accounts.update(replace(unlooked, reconciled_at=start))
    await accounts.update(replace(archived, archived_at=start))
    assert await accounts.delete_expired_alerts(kept, start + kept, 10) == 1
    assert await accounts.delete_expired_alerts(kept, long_after, 10) == 1
    assert await accounts.delete_expired_alerts(kept, long_after, 10) == 0
    assert not await accounts.record_alerts(looked.id, ["seen again"], long_after)
    assert not await accounts.record_alerts(unlooked.id, ["seen once"], long_after)
    assert await accounts.record_alerts(looked.id, ["seen once"], long_after)
